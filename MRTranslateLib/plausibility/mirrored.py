"""How far an image departs from its own mirrored half, which is the best picture of what is normal in this person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.plausibility.expectation import WINDOW_SIGMA_VOXELS, blurred

Image = NDArray[np.float32]

REACH_VOXELS = 2
"""The halves of a brain do not match better than this, 4 mm."""
COARSE_SIGMA_VOXELS = 2.0
"""A full width at half maximum of 9 mm, below the 12 mm of a ball of 1 ml."""
_FAR = np.float32(1e3)


def beyond_mirror(image: Image, brain: NDArray[np.bool_], *, around_zero: bool = False) -> Image:
    """By how much each value lies above the highest or below the lowest one near the mirrored place.

    Args:
        image: On a symmetric grid.
        brain: Same shape.
        around_zero: Count 0 among the mirrored values: for residuals, where 0 is always normal.

    Returns:
        0 where a value of about this size is also found opposite, and where there is no brain opposite.
    """
    other, opposite = image[::-1], brain[::-1]
    size = 2 * REACH_VOXELS + 1
    highest = ndimage.maximum_filter(np.where(opposite, other, -_FAR), size)
    lowest = ndimage.minimum_filter(np.where(opposite, other, _FAR), size)
    if around_zero:
        highest, lowest = np.maximum(highest, 0), np.minimum(lowest, 0)
    compared = brain & (np.abs(highest) < _FAR) & (np.abs(lowest) < _FAR)
    departure: Image = np.where(compared, image - np.clip(image, lowest, highest), np.float32(0)).astype(np.float32)
    return departure


def departure_from_mirror(image: Image, brain: NDArray[np.bool_], *, around_zero: bool = False) -> Image:
    """The larger of :func:`beyond_mirror` at two scales: as it is, and blurred so that cortex and white matter mix.

    Beside the cortex every value of tissue occurs within reach, but not as the mean over a centimetre. ``around_zero``
    as there.
    """
    fine = beyond_mirror(image, brain, around_zero=around_zero)
    coarse = beyond_mirror(blurred(image, brain, COARSE_SIGMA_VOXELS), brain, around_zero=around_zero)
    departure: Image = np.where(np.abs(coarse) > np.abs(fine), coarse, fine)
    return departure


def minus_mirror(image: Image, brain: NDArray[np.bool_]) -> Image:
    """The image minus the mean about the mirrored place; 0 where there is no brain opposite."""
    difference: Image = (image - blurred(image, brain, REACH_VOXELS)[::-1]) * (brain & brain[::-1])
    return difference


def without_unevenness(image: Image, brain: NDArray[np.bool_]) -> Image:
    """The image minus its wide Gaussian mean, lightly smoothed: what a coil makes brighter on one side is gone."""
    flat: Image = blurred((image - blurred(image, brain, WINDOW_SIGMA_VOXELS)) * brain, brain, 0.8)
    return flat
