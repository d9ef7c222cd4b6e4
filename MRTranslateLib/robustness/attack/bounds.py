"""How strong an attack may be, enforced by projection after every proposal (METHODS 1.6, proposal).

METHODS gives L-infinity bounds for images in -1..1; here images are 0..1, so they are halved.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import brain_of

EVALUATION_LINF = (1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255)
"""L-infinity bound of severity 1..5 in evaluation."""
WORST_MIN_PSNR_DB = 24.0
"""At the highest severity, whose bound no attack could use within the usual floor (METHODS 1.6)."""
WINDOW_VOXELS = 11
WINDOW_SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
"""SSIM as in :mod:`MRTranslateLib.metrics.similarity`, on slices, data range 1."""
NUM_BISECTIONS = 8
SAFETY = 1 - 1e-4
"""Strength is scaled this much below a limit, so that rounding cannot cross it."""


@dataclass(frozen=True)
class Bounds:
    """Limits that hold for each source of each sample by itself.

    Attributes:
        linf: Largest change of a voxel, 0..1; None where physics sets the size (the perturbation bank).
        min_psnr_db: Fidelity to the clean source inside the brain: 28 in training, 24 at severity 5.
        min_ssim: The same as structural similarity.

    Raises:
        ValueError: If a limit is out of range.
    """

    linf: float | None
    min_psnr_db: float = 28.0
    min_ssim: float = 0.85

    @classmethod
    def of_level(cls, level: int) -> Bounds:
        """Those of a severity in evaluation, 1..5."""
        linf = EVALUATION_LINF[level - 1]
        return cls(linf, WORST_MIN_PSNR_DB) if level == len(EVALUATION_LINF) else cls(linf)

    def __post_init__(self) -> None:
        if self.linf is not None and not 0 <= self.linf <= 1:
            raise ValueError(f"linf must be in 0..1 or None, got {self.linf}")
        if not (self.min_psnr_db > 0 and -1 <= self.min_ssim < 1):
            raise ValueError(f"limits must be positive dB and an SSIM below 1, got {self.min_psnr_db}, {self.min_ssim}")


def project(candidate: Tensor, images: Tensor, brain: Tensor, bounds: Bounds) -> Tensor:
    """The allowed images nearest to a proposal in the direction of the clean ones.

    Only brain of acquired sources changes, values stay in 0..1, no voxel moves by more than ``linf``; then the change
    of each source is scaled down until PSNR and SSIM reach their floors. What is not finite counts as unchanged.

    Args:
        candidate: Proposal, shape of the images.
        images: Clean sources ``(B, C, H, W)`` or ``(B, C, N, H, W)``, 0..1.
        brain: ``(B, 1, H, W)`` or ``(B, 1, N, H, W)``, see
            :func:`MRTranslateLib.robustness.perturbations.acquisitions.brain_of`.
        bounds: The limits.

    Returns:
        Shape of the images, float32, without gradient.
    """
    with torch.no_grad():
        inside = attackable(images, brain)
        change = torch.where(torch.isfinite(candidate) & inside, candidate - images, 0.0)
        if bounds.linf is not None:
            change = change.clamp(-bounds.linf, bounds.linf)
        change = (images + change).clamp(0, 1) - images
        change = change * _per_source(_psnr_share(change, inside, bounds.min_psnr_db), images)
        change = change * _per_source(_ssim_share(change, images, inside, bounds.min_ssim), images)
        return torch.where(inside, (images + change).clamp(0, 1), images)


def attackable(images: Tensor, brain: Tensor) -> Tensor:
    """Bool, shape of the images: brain of the sources that were acquired."""
    acquired = (images > 0).flatten(2).any(dim=2)
    return brain_of(images, brain) & _per_source(acquired, images)


def psnr_db(images: Tensor, other: Tensor, inside: Tensor) -> Tensor:
    """PSNR (data range 1) of each source of each sample over its mask, ``(B, C)``; infinite where nothing differs."""
    return -10 * torch.log10(_mean_square(images - other, inside))


def ssim(images: Tensor, other: Tensor, inside: Tensor) -> Tensor:
    """SSIM of each source of each sample, averaged over its mask, ``(B, C)``; 1 where the mask is empty."""
    similarity = _ssim_map(images.flatten(0, -3), other.flatten(0, -3)).view(images.shape)
    weight = inside.flatten(2).float()
    total = weight.sum(dim=2)
    return torch.where(total > 0, (similarity.flatten(2) * weight).sum(dim=2) / total.clamp(min=1), 1.0)


def _psnr_share(change: Tensor, inside: Tensor, min_psnr_db: float) -> Tensor:
    """Largest share of the change that keeps the floor, ``(B, C)``, in closed form."""
    allowed = 10 ** (-min_psnr_db / 20) * SAFETY
    return (allowed / _mean_square(change, inside).sqrt()).clamp(max=1)


def _ssim_share(change: Tensor, images: Tensor, inside: Tensor, min_ssim: float) -> Tensor:
    """A share of the change that keeps the floor, ``(B, C)``, by bisection; 1 where all of it does."""
    kept = torch.ones(images.shape[:2], device=images.device)
    violated = ssim(images, images + change, inside) < min_ssim
    if not bool(violated.any()):
        return kept
    samples = violated.any(dim=1)
    low, high = torch.zeros_like(kept[samples]), kept[samples]
    clean, part, mask = images[samples], change[samples], inside[samples]
    for _ in range(NUM_BISECTIONS):
        middle = (low + high) / 2
        holds = ssim(clean, clean + part * _per_source(middle, clean), mask) >= min_ssim
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
    kept[samples] = torch.where(violated[samples], low * SAFETY, 1.0)
    return kept


def _mean_square(values: Tensor, inside: Tensor) -> Tensor:
    count = inside.flatten(2).sum(dim=2).clamp(min=1)
    return (values.square() * inside).flatten(2).sum(dim=2) / count


def _per_source(values: Tensor, images: Tensor) -> Tensor:
    """``(B, C)`` made to multiply images."""
    return values.view(*values.shape, *(1,) * (images.ndim - 2))


def _ssim_map(first: Tensor, second: Tensor) -> Tensor:
    """``(P, H, W)`` each."""
    rows, columns = (_window(length, first) for length in first.shape[-2:])

    def local_mean(values: Tensor) -> Tensor:
        return rows @ values @ columns.T

    mean_1, mean_2 = local_mean(first), local_mean(second)
    variances = local_mean(first.square() + second.square()) - mean_1.square() - mean_2.square()
    covariance = local_mean(first * second) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + C1) / (mean_1.square() + mean_2.square() + C1)
    return luminance * (2 * covariance + C2) / (variances + C2)


def _window(length: int, like: Tensor) -> Tensor:
    """The Gaussian window along one axis with mirrored borders, ``(length, length)``.

    As a matrix it is 10 to 35 times faster than a one-channel convolution on a CPU.
    """
    offsets = torch.arange(-(WINDOW_VOXELS // 2), WINDOW_VOXELS // 2 + 1, device=like.device)
    weights = torch.exp(-0.5 * (offsets / WINDOW_SIGMA) ** 2)
    neighbours = torch.remainder(torch.arange(length, device=like.device)[:, None] + offsets, 2 * length)
    neighbours = torch.minimum(neighbours, 2 * length - 1 - neighbours)
    window = torch.zeros(length, length, device=like.device)
    return window.scatter_add_(1, neighbours, (weights / weights.sum()).expand(length, -1))
