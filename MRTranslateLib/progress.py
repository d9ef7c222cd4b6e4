"""Progress and cancelling: what a long computation tells its caller, and how the caller stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from MRTranslateLib.errors import CancelledError

ProgressCallback = Callable[[str, float], None]
"""Called with the stage's name (``"register"``, ``"translate"``, ...) and the fraction of the whole run done, 0..1."""


@dataclass(frozen=True)
class Progress:
    """One run's line to its caller.

    Attributes:
        callback: Told of each step; None when nobody listens.
        cancelled: Set by the caller, from any thread, to stop the run at the next step.
    """

    callback: ProgressCallback | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def step(self, stage: str, fraction: float) -> None:
        """Report ``fraction`` of the whole run (0..1) done, in ``stage``.

        Raises:
            CancelledError: If the caller has asked to stop.
        """
        if self.cancelled.is_set():
            raise CancelledError("the translation was cancelled; nothing was written")
        if self.callback is not None:
            self.callback(stage, min(max(fraction, 0.0), 1.0))

    def part(self, begin: float, end: float, *, stage: str | None = None) -> Progress:
        """For a run within this one: its 0..1 is ``begin``..``end`` here; it stops with this one.

        Args:
            begin: Fraction done when it starts.
            end: Fraction done when it is through.
            stage: Said instead of the stages it names itself.
        """
        callback = self.callback
        if callback is None:
            return self
        return Progress(
            lambda named, fraction: callback(stage or named, begin + (end - begin) * fraction), self.cancelled
        )
