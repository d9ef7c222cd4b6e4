"""Voxel-by-voxel differences inside a mask: PSNR, NMAE, NRMSE and signed bias.

All four look only at the voxels of the mask, so background around the head changes nothing. They are computed in
float64 whatever the dtype of the images. ``mask=None`` means the whole frame, and has to be said: in brain MRI the
empty background raises PSNR by several dB.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def peak_signal_noise_ratio(
    image_true: NDArray[Any], image_test: NDArray[Any], *, data_range: float, mask: NDArray[Any] | None
) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / MSE)``, over the voxels of a mask.

    Args:
        image_true: Reference, any shape, real.
        image_test: What is judged, same shape and unit.
        data_range: Width of the range both images live in, > 0; 1 for images normalised to 0..1.
        mask: Same shape, voxels different from 0 count; None for the whole frame.

    Returns:
        Decibels; ``inf`` when the images are equal inside the mask.

    Raises:
        ValueError: If shapes differ, the mask is empty or ``data_range`` is not a positive number.
    """
    difference = masked_difference(image_true, image_test, mask)
    mean_square = float(np.mean(difference**2))
    return 10.0 * math.log10(checked_range(data_range) ** 2 / mean_square) if mean_square > 0 else math.inf


def normalized_mean_absolute_error(
    image_true: NDArray[Any], image_test: NDArray[Any], *, data_range: float, mask: NDArray[Any] | None
) -> float:
    """Mean absolute error over the voxels of a mask, divided by ``data_range``; 0 is perfect, 1 the whole range.

    Arguments and errors as :func:`peak_signal_noise_ratio`.
    """
    difference = masked_difference(image_true, image_test, mask)
    return float(np.mean(np.abs(difference))) / checked_range(data_range)


def normalized_root_mean_square_error(
    image_true: NDArray[Any], image_test: NDArray[Any], *, mask: NDArray[Any] | None
) -> float:
    """Root mean square error divided by the root mean square of the reference, over the voxels of a mask.

    The denominator is the Euclidean norm of ``image_true`` in the mask (skimage's ``normalization="euclidean"``), not
    its range: divided by the range it would only be PSNR in other words. An image of zeros scores 1.

    Returns:
        No unit, 0 is perfect; ``nan`` when the reference is 0 in the whole mask, which leaves it undefined.

    Raises:
        ValueError: If shapes differ or the mask is empty.
    """
    difference = masked_difference(image_true, image_test, mask)
    reference = masked_difference(np.zeros_like(image_true), image_true, mask)
    norm = float(np.linalg.norm(reference))
    return float(np.linalg.norm(difference)) / norm if norm > 0 else math.nan


def signed_bias(
    image_true: NDArray[Any], image_test: NDArray[Any], *, data_range: float, mask: NDArray[Any] | None
) -> float:
    """Mean of ``image_test - image_true`` over the voxels of a mask, divided by ``data_range``.

    Negative where the synthetic is too dark: a FLAIR that hides a lesion has a clearly negative bias inside it.
    Arguments and errors as :func:`peak_signal_noise_ratio`.
    """
    return float(np.mean(masked_difference(image_true, image_test, mask))) / checked_range(data_range)


def masked_difference(
    image_true: NDArray[Any], image_test: NDArray[Any], mask: NDArray[Any] | None
) -> NDArray[np.float64]:
    """``image_test - image_true`` at the voxels of the mask, shape ``(N,)``, float64.

    Raises:
        ValueError: If shapes differ or the mask is empty.
    """
    if image_true.shape != image_test.shape:
        raise ValueError(f"image_true {image_true.shape} and image_test {image_test.shape} differ in shape")
    inside = np.ones(image_true.shape, dtype=bool) if mask is None else mask != 0
    if inside.shape != image_true.shape:
        raise ValueError(f"mask {inside.shape} does not fit the images {image_true.shape}")
    if not inside.any():
        raise ValueError("the mask is empty: there is nothing to measure")
    # Convert before subtracting: unsigned integers would wrap around.
    difference: NDArray[np.float64] = image_test[inside].astype(np.float64) - image_true[inside].astype(np.float64)
    return difference


def checked_range(data_range: float) -> float:
    """``data_range`` itself.

    Raises:
        ValueError: If it is not a positive, finite number.
    """
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range must be positive and finite, got {data_range}")
    return data_range
