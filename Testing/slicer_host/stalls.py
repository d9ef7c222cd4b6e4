"""How long the event loop stood still: the time in which a click, a key or a repaint would have had to wait."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from PySide6 import QtCore


class Stalls:
    """Measures while its ``with`` block runs; what is waited for in there must let the event loop run.

    Time in which other programs had this thread's processor is left out, so that a busy machine does not count.
    """

    def __init__(self) -> None:
        self._ticks: list[float] = []
        self._timer = QtCore.QTimer()
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._tick)

    @property
    def longest_s(self) -> float:
        """Seconds between two turns of the event loop, at most."""
        return max((later - earlier for earlier, later in pairwise(self._ticks)), default=0.0)

    def __enter__(self) -> Stalls:
        self._tick()
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.stop()
        self._tick()

    def _tick(self) -> None:
        self._ticks.append(time.perf_counter() - seconds_without_processor())


def seconds_without_processor() -> float:
    """How long this thread was ready to run and other programs had the processor; 0 where the system does not say."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except OSError:
        return 0.0
