"""Where all sources hold data: an acquisition may end within the brain, and what it does not hold it cannot show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

EMPTY = 0.01
"""Fluid that an inversion nulls stays above this by its noise."""
MIN_THICKNESS_VOXELS = 6
"""Emptier than that over 12 mm in all directions is not anatomy."""
MARGIN_VOXELS = 4
"""Left out around it: the last slices of an acquisition fade."""


def covered(images: Iterable[NDArray[np.float32]], brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The brain without what some image does not hold.

    Args:
        images: 0..1, shape of ``brain``.
        brain: Not empty.

    Returns:
        May be empty.
    """
    half = MIN_THICKNESS_VOXELS // 2
    inside = brain.copy()
    for image in images:
        empty = ndimage.binary_opening((image <= EMPTY) & brain, iterations=half)
        if empty.any():
            inside &= ~ndimage.binary_dilation(empty, iterations=MARGIN_VOXELS)
    return inside
