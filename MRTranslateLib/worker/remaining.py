"""How long a job will still take: from its own pace, better from the course that the last job of its kind took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

MIN_FRACTION = 0.05
MIN_SECONDS = 1.0
"""Before both, nothing is said: the pace of the first moments tells nothing."""

Course = Sequence[tuple[float, float]]
"""``(fraction, seconds)`` of one finished job, ascending; the last fraction is 1."""


def remaining_seconds(fraction: float, seconds: float, former: Course | None) -> float | None:
    """Estimate the time to the end.

    The stages of a job are not equally fast per fraction. Without a former job the pace so far is extrapolated; with
    one, its remaining time is taken, stretched by how much faster or slower this job was up to here.

    Args:
        fraction: Done, 0..1.
        seconds: Since the job began.
        former: Course of the last finished job of this kind.

    Example:
        >>> remaining_seconds(0.5, 10.0, None)
        10.0
        >>> remaining_seconds(0.5, 20.0, [(0.5, 10.0), (1.0, 12.0)])  # the second half is the quick one
        4.0
    """
    if fraction < MIN_FRACTION or seconds < MIN_SECONDS:
        return None
    if former is not None:
        then = _seconds_at(fraction, former)
        if then > 0:
            return (former[-1][1] - then) * seconds / then
    return seconds * (1 - fraction) / fraction


def _seconds_at(fraction: float, course: Course) -> float:
    """When that job had come this far, between its reports in proportion."""
    after = bisect_left(course, fraction, key=lambda point: point[0])
    reached, then = course[after]
    earlier, before = course[after - 1] if after else (0.0, 0.0)
    return then if reached == earlier else before + (then - before) * (fraction - earlier) / (reached - earlier)
