"""Slice-to-slice flicker: do neighbouring slices of a synthetic volume jump more than those of the reference?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def slice_flicker(image_true: NDArray[Any], image_test: NDArray[Any], *, mask: NDArray[Any] | None, axis: int) -> float:
    """Mean absolute difference between neighbouring slices of ``image_test``, divided by that of ``image_true``.

    Networks that work slice by slice can give each slice its own brightness: the ratio rises above 1. A volume that
    is too smooth falls below 1. Both means run over all pairs of neighbouring voxels that lie in the mask together,
    so a slice with a few brain voxels weighs as much as those voxels do (METHODS.md 5.2, there without a mask).

    Args:
        image_true: Reference, any number of axes, real.
        image_test: What is judged, same shape and unit.
        mask: Same shape, voxels different from 0 count; None for the whole frame.
        axis: Axis across the slices; 2 for axial slices of a canonical volume.

    Returns:
        Ratio >= 0, no unit, 1 is ideal; ``nan`` when the reference does not change from slice to slice.

    Raises:
        ValueError: If shapes differ or no two neighbouring slices share a voxel of the mask.
    """
    if image_true.shape != image_test.shape:
        raise ValueError(f"image_true {image_true.shape} and image_test {image_test.shape} differ in shape")
    inside = np.ones(image_true.shape, dtype=bool) if mask is None else mask != 0
    if inside.shape != image_true.shape:
        raise ValueError(f"mask {inside.shape} does not fit the images {image_true.shape}")
    inside = np.moveaxis(inside, axis, 0)
    pairs = inside[1:] & inside[:-1]
    if not pairs.any():
        raise ValueError(f"no two neighbouring slices along axis {axis} share a voxel of the mask")
    true_change, test_change = (
        float(np.abs(np.diff(np.moveaxis(image, axis, 0).astype(np.float64), axis=0)[pairs]).mean())
        for image in (image_true, image_test)
    )
    return test_change / true_change if true_change > 0 else math.nan
