"""Structural similarity (SSIM) with a 3D Gaussian window, averaged over a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter

from MRTranslateLib.metrics.intensity import checked_range

SIGMA_VOXELS = 1.5
"""Standard deviation of the Gaussian window, along every axis."""
TRUNCATE = 3.5
"""The window ends this many standard deviations from its centre: 11 voxels wide."""
RADIUS_VOXELS = int(TRUNCATE * SIGMA_VOXELS + 0.5)
K1 = 0.01
K2 = 0.03


def structural_similarity_map(
    image_true: NDArray[Any], image_test: NDArray[Any], *, data_range: float
) -> NDArray[np.float64]:
    """SSIM at every voxel.

    Gaussian window of ``SIGMA_VOXELS`` cut to 11 voxels along each axis, population covariance, mirrored borders.
    Equals ``skimage.metrics.structural_similarity(..., gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, full=True)[1]``. The window is in voxels, not mm, as everywhere in the field.

    Args:
        image_true: Reference, any number of axes, real.
        image_test: What is judged, same shape and unit.
        data_range: Width of the range both images live in, > 0; 1 for images normalised to 0..1.

    Returns:
        Shape of the images, -1..1, no unit; 1 where the images agree.

    Raises:
        ValueError: If shapes differ or ``data_range`` is not a positive number.

    References:
        Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. Image quality assessment: from error visibility to
        structural similarity. IEEE Transactions on Image Processing 13(4), 2004. There in 2D; here in 3D.
    """
    if image_true.shape != image_test.shape:
        raise ValueError(f"image_true {image_true.shape} and image_test {image_test.shape} differ in shape")
    c1, c2 = (K1 * checked_range(data_range)) ** 2, (K2 * checked_range(data_range)) ** 2
    x, y = image_true.astype(np.float64), image_test.astype(np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    # Both variances enter only as their sum: one filter pass fewer than computing each.
    variances = _window_mean(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    similarity: NDArray[np.float64] = luminance * (2 * covariance + c2) / (variances + c2)
    return similarity


def structural_similarity(
    image_true: NDArray[Any], image_test: NDArray[Any], *, data_range: float, mask: NDArray[Any] | None
) -> float:
    """Mean of :func:`structural_similarity_map` over the voxels of a mask.

    The map is made from the whole images, so voxels at the rim of the mask see their neighbours outside it. Only
    the box around the mask is computed; the result is the same.

    Args:
        image_true: Reference, any number of axes, real.
        image_test: What is judged, same shape and unit.
        data_range: Width of the range both images live in, > 0; 1 for images normalised to 0..1.
        mask: Same shape, voxels different from 0 count; None for the whole frame.

    Returns:
        -1..1, no unit; 1 when the images are equal.

    Raises:
        ValueError: If shapes differ, the mask is empty or ``data_range`` is not a positive number.
    """
    inside = np.ones(image_true.shape, dtype=bool) if mask is None else mask != 0
    if inside.shape != image_true.shape:
        raise ValueError(f"mask {inside.shape} does not fit the images {image_true.shape}")
    if image_true.shape != image_test.shape:
        raise ValueError(f"image_true {image_true.shape} and image_test {image_test.shape} differ in shape")
    box = mask_box(inside, margin=RADIUS_VOXELS)
    similarity = structural_similarity_map(image_true[box], image_test[box], data_range=data_range)
    return float(similarity[inside[box]].mean())


def mask_box(mask: NDArray[np.bool_], *, margin: int) -> tuple[slice, ...]:
    """Slices of the smallest box around a mask, widened by ``margin`` voxels but never past the array.

    Raises:
        ValueError: If the mask is empty.
    """
    found = find_objects(mask.astype(np.uint8))
    if not found:
        raise ValueError("the mask is empty: there is nothing to measure")
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(found[0], mask.shape, strict=True)
    )


def _window_mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = gaussian_filter(image, SIGMA_VOXELS, truncate=TRUNCATE, mode="reflect")
    return mean
