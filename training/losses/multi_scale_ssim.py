"""1 - MS-SSIM as a loss, inside a mask.

Z. Wang, E. P. Simoncelli, A. C. Bovik. Multiscale structural similarity for image quality assessment. Asilomar 2003:
``product_j (mean cs_j)^w_j * (mean ssim_M)^w_M`` with contrast-structure cs at scales 1 to M - 1, full SSIM at the
coarsest, and images halved in between. Stated by METHODS 3.3 for system C.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SCALE_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the paper, finest first."""
WINDOW_VOXELS = 11
SIGMA_VOXELS = 1.5
C1 = 0.01**2
C2 = 0.03**2
SMALLEST_SIMILARITY = 1e-4
"""Negative correlations are taken for this: a fractional power of them does not exist."""


def multi_scale_dissimilarity(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean over slices and channels of ``1 - MS-SSIM``, data range 1.

    Windows are Gaussian and lie wholly inside the image. Means over a scale's windows are weighted by the mask at their
    centres, halved along with the images; a window at the brain's rim sees what lies outside, so both images should
    be 0 there. An image too small for five scales has as many as keep 11 voxels at the coarsest, with the exponents of
    the finest scales, enlarged to sum to 1. A slice whose mask is empty at the coarsest scale does not count.

    Args:
        predicted: ``(B, C, H, W)`` float32, about 0..1, at least 11 x 11. Call it outside of autocast.
        truth: Same shape, 0..1.
        weight: Same shape, 0..1.

    Returns:
        A scalar, 0 for equal images and where nothing counts.

    Raises:
        ValueError: If the image is smaller than a window.
    """
    exponents = scale_exponents(min(predicted.shape[-2:]))
    similarity, counts = torch.ones_like(predicted[..., 0, 0]), torch.ones_like(predicted[..., 0, 0])
    for scale, exponent in enumerate(exponents):
        if scale > 0:
            predicted, truth, weight = (functional.avg_pool2d(images, 2) for images in (predicted, truth, weight))
        luminance, structure = _similarity_maps(predicted, truth)
        measured = luminance * structure if scale == len(exponents) - 1 else structure
        edge = WINDOW_VOXELS // 2
        centres = weight[..., edge:-edge, edge:-edge]
        total = centres.sum(dim=(2, 3))
        mean = (measured * centres).sum(dim=(2, 3)) / total.clamp(min=SMALLEST_SIMILARITY)
        similarity = similarity * mean.clamp(min=SMALLEST_SIMILARITY) ** exponent
        counts = counts * (total > 0)
    return ((1 - similarity) * counts).sum() / counts.sum().clamp(min=1)


def scale_exponents(size: int) -> tuple[float, ...]:
    """Exponents of the scales that an image of this many voxels has room for, finest first, with sum 1.

    Example:
        >>> [len(scale_exponents(size)) for size in (11, 64, 176, 240)]
        [1, 3, 5, 5]
    """
    if size < WINDOW_VOXELS:
        raise ValueError(f"MS-SSIM needs images of {WINDOW_VOXELS} voxels or more, got {size}")
    num_scales = sum(size >> scale >= WINDOW_VOXELS for scale in range(len(SCALE_EXPONENTS)))
    kept = SCALE_EXPONENTS[:num_scales]
    return tuple(exponent / sum(kept) for exponent in kept)


def _similarity_maps(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure similarity ``(B, C, H - 10, W - 10)``."""
    channels = predicted.shape[1]
    pairs = torch.cat([predicted, truth, predicted.square(), truth.square(), predicted * truth], dim=1)
    offsets = torch.arange(WINDOW_VOXELS, device=pairs.device, dtype=pairs.dtype) - WINDOW_VOXELS // 2
    window = torch.exp(-0.5 * (offsets / SIGMA_VOXELS).square())
    window = (window / window.sum()).expand(5 * channels, 1, 1, -1)
    means = functional.conv2d(pairs, window, groups=5 * channels)
    means = functional.conv2d(means, window.transpose(2, 3), groups=5 * channels)
    mean_p, mean_t, square_p, square_t, product = means.chunk(5, dim=1)
    luminance = (2 * mean_p * mean_t + C1) / (mean_p.square() + mean_t.square() + C1)
    variances = square_p - mean_p.square() + square_t - mean_t.square()
    return luminance, (2 * (product - mean_p * mean_t) + C2) / (variances + C2)
