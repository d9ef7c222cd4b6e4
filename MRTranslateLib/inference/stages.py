"""The stages of a translation: their times, and their shares of its progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from MRTranslateLib.progress import Progress

SHARES = {
    "read": (0.0, 0.05),
    "prepare": (0.05, 0.45),
    "translate": (0.45, 0.92),
    "attention": (0.92, 0.94),
    "checks": (0.94, 0.95),
    "write": (0.95, 1.0),
}
"""Where each stage begins and ends in the progress of the whole run."""
BEFORE_UNCERTAINTY, BEFORE_WRITING = 0.2, 0.95
"""A run that is asked for an uncertainty map has come this far before and after its six or more further translations;
what comes before the first takes as much less of the progress."""


@dataclass
class Stages:
    """Progress and times of one translation.

    Attributes:
        progress: Of the whole run.
        with_uncertainty: Whether it makes an uncertainty map.
        seconds: Of each stage that is over.
    """

    progress: Progress
    with_uncertainty: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Time a stage and map its own progress 0..1 into that of the whole run."""
        begin, end = self._share(name)
        stage = self.progress.part(begin, end)
        stage.step(name, 0.0)
        started = time.perf_counter()
        yield stage
        self.seconds[name] = round(time.perf_counter() - started, 3)
        if self.progress.callback is not None:  # not a step: once the result is written it is too late to cancel
            self.progress.callback(name, end)

    def _share(self, name: str) -> tuple[float, float]:
        if name == "uncertainty":
            return BEFORE_UNCERTAINTY, BEFORE_WRITING
        begin, end = SHARES[name]
        if not self.with_uncertainty or begin >= BEFORE_WRITING:
            return begin, end
        return begin * BEFORE_UNCERTAINTY / BEFORE_WRITING, end * BEFORE_UNCERTAINTY / BEFORE_WRITING
