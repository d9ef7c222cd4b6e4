"""What an image should look like, given other images of the same person: learned from that very person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

CONTEXT_SIGMA_VOXELS = 2.0
"""Beside each value its blurred surroundings are known: they tell the border of a fluid space from tissue."""
DEGREE = 3
"""Of the polynomial in values and surroundings."""
WINDOW_SIGMA_VOXELS = 9.0
"""Window of the local correction, 18 mm: wider than the structures sought, narrower than the unevenness of coils."""
COARSE = 3
"""The local correction is smooth: it is solved on every third voxel along each axis."""
OUTLIER_DEVIATIONS = 4.5
"""Voxels beyond this many robust standard deviations have no say (Tukey's biweight, its usual constant 4.685)."""
ROUNDS = 3
LOG_MEAN_TO_DEVIATION = np.float32(1.887)
"""exp(-E log|z|) of a standard normal z: (Euler's constant + log 2) / 2 = 0.635 is the exponent."""


def unexplained(image: Image, others: Sequence[Image], brain: NDArray[np.bool_]) -> Image:
    """``image`` minus what ``others`` let expect, 0 outside the brain.

    First a polynomial in the others' values and surroundings, the same for the whole brain; then, in a window about
    each place, a linear function of that and of the others, for gains and levels that vary. Both are fitted with
    weights that leave out what deviates most, so that a structure does not explain itself.

    Args:
        image: 0..1.
        others: At least one, same shape.
        brain: Same shape.

    Source:
        Reconstruction: a robust polynomial and the guided filter of K. He, J. Sun, X. Tang, IEEE TPAMI 35 (2013) 1397,
        with weights.
    """
    terms = _polynomial_terms(_features(others, brain))
    guess = np.zeros_like(image)
    guess[brain] = _robust_fit(terms, image[brain]) @ terms
    residual = (image - guess) * brain
    for _ in range(ROUNDS):
        weights = np.zeros_like(image)
        weights[brain] = _biweight(residual[brain]) + np.float32(1e-4)
        residual = (image - _local_fit(image, [guess, *others], weights)) * brain
    return residual


def typical_size(residual: Image, others: Sequence[Image], brain: NDArray[np.bool_]) -> Image:
    """The residual's usual absolute size at such values of the others: small in tissue, large at borders.

    Returns:
        The geometric mean expected by a polynomial as in :func:`unexplained`, times what makes it the standard
        deviation of normally distributed residuals; 0 outside the brain.
    """
    terms = _polynomial_terms(_features(others, brain))
    logarithm = np.log(np.abs(residual[brain]) + np.float32(1e-3))
    size = np.zeros_like(residual)
    size[brain] = LOG_MEAN_TO_DEVIATION * np.exp(np.clip(_robust_fit(terms, logarithm) @ terms, -7, 0))
    return size


def _features(others: Sequence[Image], brain: NDArray[np.bool_]) -> Image:
    """Values and surroundings in the brain, -1..1, shape ``(2 * len(others), n)``."""
    return np.stack(
        [2 * values[brain] - 1 for other in others for values in (other, blurred(other, brain, CONTEXT_SIGMA_VOXELS))]
    )


def blurred(image: Image, brain: NDArray[np.bool_], sigma_voxels: float) -> Image:
    """Gaussian mean over the brain, 0 outside."""
    share = ndimage.gaussian_filter(brain.astype(np.float32), sigma_voxels)
    total = ndimage.gaussian_filter(image * brain, sigma_voxels)
    mean: Image = total / np.maximum(share, np.float32(1e-3)) * brain
    return mean


def _polynomial_terms(features: Image) -> Image:
    """All products of up to ``DEGREE`` of the rows, and ones; shape ``(terms, n)``."""
    rows = [np.ones_like(features[0])]
    for degree in range(1, DEGREE + 1):
        rows += [
            features[list(chosen)].prod(axis=0)
            for chosen in combinations_with_replacement(range(len(features)), degree)
        ]
    return np.stack(rows)


def _robust_fit(terms: Image, values: Image) -> Image:
    """Coefficients by iterated weighted least squares."""
    step = max(1, values.size // 40_000)  # so many voxels determine so few coefficients
    terms, values = terms[:, ::step], values[::step]
    weights = np.ones_like(values)
    small = np.eye(len(terms)) * 1e-6 * values.size
    coefficients = np.zeros(len(terms), np.float32)
    for _ in range(ROUNDS + 1):
        weighted = (terms * weights).astype(np.float64)
        coefficients = np.linalg.solve(weighted @ terms.T + small, weighted @ values).astype(np.float32)
        weights = _biweight(values - coefficients @ terms)
    return coefficients


def _biweight(residual: Image) -> Image:
    scale = 1.4826 * np.median(np.abs(residual)) + 1e-4
    inside = np.clip(1 - (residual / np.float32(OUTLIER_DEVIATIONS * scale)) ** 2, 0, 1)
    weights: Image = inside**2
    return weights


def _local_fit(image: Image, guides: Sequence[Image], weights: Image) -> Image:
    """In a window about each voxel, the linear function of the guides that fits ``image`` best."""
    columns = [np.ones_like(image), *guides]
    mean = [
        [_window_sum(first * second * weights) for second in columns[: row + 1]] for row, first in enumerate(columns)
    ]
    moments = np.stack(
        [np.stack([mean[max(i, j)][min(i, j)] for j in range(len(columns))], -1) for i in range(len(columns))], -1
    )
    right = np.stack([_window_sum(image * column * weights) for column in columns], -1)
    small = 1e-3 * moments[..., :1, :1] * np.eye(len(columns)) + 1e-6 * np.eye(len(columns))
    slopes = np.linalg.solve(moments + small, right[..., None])[..., 0]
    fit = np.zeros_like(image)
    for index, column in enumerate(columns):
        fit += _refined(slopes[..., index], image.shape) * column
    return fit


def _window_sum(values: Image) -> Image:
    """Gaussian sum on the coarse grid."""
    padded = np.pad(values, [(0, -length % COARSE) for length in values.shape])
    i, j, k = (length // COARSE for length in padded.shape)
    blocks = padded.reshape(i, COARSE, j, COARSE, k, COARSE).mean(axis=(1, 3, 5))
    summed: Image = ndimage.gaussian_filter(blocks, WINDOW_SIGMA_VOXELS / COARSE)
    return summed


def _refined(coarse: Image, shape: tuple[int, ...]) -> Image:
    """From block centres to voxels, linearly."""
    shift = -(COARSE - 1) / (2 * COARSE)
    fine: Image = ndimage.affine_transform(
        coarse, np.full(3, 1 / COARSE), np.full(3, shift), shape, np.float32, order=1, mode="nearest"
    )
    return fine
