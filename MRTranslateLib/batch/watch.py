"""The progress of many cases at once as that of one run; cases may tell theirs from threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from MRTranslateLib.progress import Progress


class Watch:
    """Follows the cases of a run.

    Attributes:
        cancelled: Set when the run is to stop.
    """

    def __init__(self, line: Progress, total: int, on_begun: Callable[[str], None]) -> None:
        """Tell ``line`` of ``total`` cases, and ``on_begun`` of each case before it begins."""
        self.cancelled = line.cancelled
        self._line, self._total, self._on_begun = line, total, on_begun
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._num_ended = 0

    def begin(self, case_id: str) -> Progress:
        """A case begins; the progress to hand to its work.

        Raises:
            MRTranslateError: What ``on_begun`` raises.
        """
        self._on_begun(case_id)
        with self._lock:
            self._running[case_id] = 0.0
        return Progress(lambda stage, fraction: self._on_step(case_id, stage, fraction), self.cancelled)

    def end(self, case_id: str) -> None:
        """A case has ended, however."""
        with self._lock:
            self._running.pop(case_id, None)
            self._num_ended += 1
            self._tell(f"{self._num_ended}/{self._total}")

    def _on_step(self, case_id: str, stage: str, fraction: float) -> None:
        with self._lock:
            self._running[case_id] = fraction
            self._tell(f"{case_id}: {stage}")

    def _tell(self, stage: str) -> None:
        if self._line.callback is not None:  # not a step: a case that has ended is recorded before the run stops
            self._line.callback(stage, (self._num_ended + sum(self._running.values())) / max(self._total, 1))
