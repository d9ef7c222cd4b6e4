"""Which axial slices a page shows: through what was found, the largest first, else through the middle of the brain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_SLICES, MAX_SLICES = 3, 5
APART_MM = 6.0
"""Slices nearer than this show the same."""
_SPREAD = (0.55, 0.7, 0.4, 0.8, 0.25)
"""Heights in the brain, as shares from its lowest to its highest slice, to fill up with."""


class Wanted(NamedTuple):
    """A slice that is worth seeing, counted along S, and why."""

    at: int
    reason: str


def choose_slices(wanted: Iterable[Wanted], brain: NDArray[np.bool_], spacing_mm: float) -> tuple[Wanted, ...]:
    """Three to five slices, the most important first; fewer only where the brain has fewer.

    Args:
        wanted: The most important first; what lies within ``APART_MM`` of a better one is left to it.
        brain: ``(R, A, S)``, not empty.
        spacing_mm: Between slices.
    """
    occupied = np.flatnonzero(brain.any(axis=(0, 1)))
    first, last = int(occupied[0]), int(occupied[-1])
    chosen: list[Wanted] = []

    def add(candidates: Iterable[Wanted], most: int) -> None:
        for candidate in candidates:
            near = any(abs(candidate.at - other.at) * spacing_mm < APART_MM for other in chosen)
            if len(chosen) < most and not near and first <= candidate.at <= last:
                chosen.append(candidate)

    add(wanted, MAX_SLICES)
    add((Wanted(round(first + share * (last - first)), "A view through the brain") for share in _SPREAD), MIN_SLICES)
    return tuple(chosen)
