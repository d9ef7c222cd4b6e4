"""One job's progress as messages: not more often than eyes can follow, with the time that remains."""

from __future__ import annotations

import time
from collections.abc import Callable

from MRTranslateLib.worker.protocol import ProgressReport
from MRTranslateLib.worker.remaining import Course, remaining_seconds

MIN_INTERVAL_SECONDS = 0.1
STARTING = "starting"


class JobReporter:
    """The progress callback of one job.

    Attributes:
        job: Its number.
        phase: The stage last heard of, for heartbeats.
        course: ``(fraction, seconds)`` so far, for the estimate of the next job of this kind.
    """

    def __init__(
        self, job: int, send: Callable[[ProgressReport], object], former: Course | None, *, clock: Callable[[], float]
    ) -> None:
        self.job = job
        self.phase = STARTING
        self.course: list[tuple[float, float]] = []
        self._send, self._former, self._clock = send, former, clock
        self._began = clock()
        self._sent_at, self._sent_stage = -float("inf"), ""

    @classmethod
    def begin(cls, job: int, send: Callable[[ProgressReport], object], former: Course | None) -> JobReporter:
        """A reporter on the real clock."""
        return cls(job, send, former, clock=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the job began."""
        return self._clock() - self._began

    def __call__(self, stage: str, fraction: float) -> None:
        """Note a step; send it if the stage is new or the last message is old enough."""
        self.phase = stage
        seconds = self.seconds
        if not self.course or fraction > self.course[-1][0]:
            self.course.append((fraction, seconds))
        if stage == self._sent_stage and seconds - self._sent_at < MIN_INTERVAL_SECONDS:
            return
        self._sent_stage, self._sent_at = stage, seconds
        remaining = remaining_seconds(fraction, seconds, self._former)
        self._send(
            ProgressReport(
                job=self.job,
                stage=stage,
                fraction=round(fraction, 4),
                remaining_seconds=None if remaining is None else round(remaining, 1),
            )
        )

    def finished_course(self) -> Course:
        """The whole course of a job that has just ended well."""
        return [*(point for point in self.course if point[0] < 1.0), (1.0, self.seconds)]
