"""How noisy a source is, read from its brain: the background of a stripped scan is exactly 0 and tells nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

STENCIL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Second difference along rows and columns, scaled so that white noise keeps its standard deviation: blind to
everything that is linear along either axis, so to most of the anatomy."""
MAD_OF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal number."""
STRUCTURE_SIGMA_VOXELS = 1.5
"""Of the Gaussian that tells edges from noise."""
MAX_NOISE = 0.1
"""No acquisition that anybody would translate is noisier: beyond lies the bank's strongest noise level."""


def noise_level(slices: NDArray[np.float32], brain: NDArray[np.bool_]) -> float:
    """The standard deviation of a source's noise at the scale of its voxels.

    The median absolute second difference inside the brain, over the half of it that is farthest from edges. Noise
    that was smoothed by interpolation counts with what is left of it. Inside the brain the signal is well above the
    noise, where Rician noise is normal with the standard deviation of either channel.

    Args:
        slices: Axial slices ``(S, H, W)`` of one source, intensities 0..1.
        brain: Its brain, same shape.

    Returns:
        In units of the intensities, 0..``MAX_NOISE``; 0 where the brain is too thin to tell.

    References:
        J. Immerkaer. Fast noise variance estimation. CVIU 64 (1996) 300: the stencil [stated]. D. L. Donoho. De-noising
        by soft-thresholding. IEEE TIT 41 (1995) 613: the median, robust to what structure is left [stated]. Leaving
        out the half with the stronger gradient is ours, after P. Coupe et al., Medical Image Analysis 14 (2010) 483.
    """
    inside = ndimage.binary_erosion(brain, np.ones((1, 3, 3), bool))
    if not inside.any():
        return 0.0
    edges = ndimage.gaussian_gradient_magnitude(slices, STRUCTURE_SIGMA_VOXELS)
    calm = inside & (edges <= np.median(edges[inside]))
    differences = ndimage.convolve(slices, STENCIL[None])[calm]
    return float(min(np.median(np.abs(differences)) / MAD_OF_NORMAL, MAX_NOISE))
