"""Gives one person's scan the brightness of another's, all contrasts together.

With few people a network learns how bright a contrast is by the anatomy that goes with it. A map between the intensity
landmarks of two people (Nyul and Udupa, MRM 1999), drawn per contrast for the same pair, keeps what is related, how
bright the sources and the targets of one acquisition are, and breaks what is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from training.data.cache import CachedScan

LANDMARK_PERCENTILES = (1.0, 5.0, *range(10, 100, 10), 95.0, 99.0)
BRIGHTEST = 255


class IntensityStyles:
    """Maps between the brightness of any two of the scans.

    Args:
        scans: Training scans; drawn lesions are left out of the landmarks, so that tissue goes to tissue.
    """

    def __init__(self, scans: Sequence[CachedScan]) -> None:
        self._landmarks = [_landmarks(scan) for scan in scans]
        self._partners = [
            [j for j, other in enumerate(scans) if j != i and scan.images.keys() <= other.images.keys()]
            for i, scan in enumerate(scans)
        ]

    def draw(self, person: int, rng: np.random.Generator) -> dict[Contrast, NDArray[np.uint8]]:
        """Tables ``(256,)`` per contrast that bring a scan some random way to a random partner; {} without one."""
        partners = self._partners[person]
        if not partners:
            return {}
        return self.tables(person, int(rng.choice(partners)), rng.random())

    def tables(self, person: int, other: int, share: float = 1.0) -> dict[Contrast, NDArray[np.uint8]]:
        """Tables ``(256,)`` per contrast that both have, that bring ``person`` a share of the way to ``other``."""
        own, others = self._landmarks[person], self._landmarks[other]
        return {contrast: _table(own[contrast], others[contrast], share) for contrast in own if contrast in others}


def _landmarks(scan: CachedScan) -> dict[Contrast, NDArray[np.float64]]:
    tissue = scan.brain & (scan.lesion == 0)
    return {c: np.percentile(image[tissue & (image > 0)], LANDMARK_PERCENTILES) for c, image in scan.images.items()}


def _table(own: NDArray[np.float64], other: NDArray[np.float64], share: float) -> NDArray[np.uint8]:
    steps = np.linspace(0, 1e-3, len(own))  # equal landmarks stay in order
    values = np.arange(BRIGHTEST + 1.0)
    moved = np.interp(values, [0, *(own + steps), BRIGHTEST + 1], [0, *other, BRIGHTEST + 1])
    table: NDArray[np.uint8] = np.round((1 - share) * values + share * moved).clip(1, BRIGHTEST).astype(np.uint8)
    table[0] = 0
    return table
