"""What lies behind the brain's rim before a point spread is applied.

In a scanner the head is blurred first and stripped later; skull, dura and fluid lie behind the rim, not nothing.
Blurring a stripped image would darken a rim that no scanner darkens, so the tissue at the rim is continued outwards
first. (Proposal: what really lies behind it is not known any more.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.kspace import line_numbers

MIN_WEIGHT = 1e-3
"""Where less brain than this lies within reach, what is continued fades to 0 (rounding of the FFT stays far below)."""


def continue_outwards(images: Tensor, brain: Tensor, reach_voxels: tuple[float, float]) -> Tensor:
    """Fill what is not brain with a Gaussian mean of the brain nearby.

    Args:
        images: ``(G, S, H, W)``.
        brain: Same shape, bool.
        reach_voxels: How far along rows and columns the tissue is continued; it fades out beyond.

    Returns:
        Same shape; the brain itself is unchanged.
    """
    sigmas = (reach_voxels[0] / 2, reach_voxels[1] / 2)
    # A real, symmetric kernel leaves real and imaginary part apart: two filters at the cost of one.
    both = gaussian_blur(torch.complex(images * brain, brain.to(images.dtype)), sigmas)
    return torch.where(brain, images, both.real / both.imag.clamp(min=MIN_WEIGHT))


def gaussian_blur(images: Tensor, sigma_voxels: tuple[float, float]) -> Tensor:
    """In-plane filter with a sampled Gaussian of sum 1; the slice repeats at its borders.

    Args:
        images: ``(G, S, H, W)``, real or complex.
        sigma_voxels: Standard deviation along rows and columns, positive.
    """
    rows, columns = (
        _transfer(count, sigma, images.device) for count, sigma in zip(images.shape[-2:], sigma_voxels, strict=True)
    )
    blurred: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * (rows[:, None] * columns))
    return blurred if images.is_complex() else blurred.real


def _transfer(count: int, sigma: float, device: torch.device) -> Tensor:
    """The kernel's spectrum, ``(count,)``, real since the kernel is symmetric."""
    kernel = torch.exp(-0.5 * (line_numbers(count, device) / sigma) ** 2)
    spectrum: Tensor = torch.fft.fft(kernel / kernel.sum())
    return spectrum.real
