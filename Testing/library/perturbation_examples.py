"""Images whose perturbed forms are known by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, VoxelSize

ONE_MM: VoxelSize = (1.0, 1.0, 1.0)


def ball(size: tuple[int, int, int] = (8, 48, 40)) -> Tensor:
    """A smooth pattern of 0.2..0.8 in an ellipsoid, 0 outside, ``(S, H, W)``."""
    s, r, c = torch.meshgrid(*(torch.linspace(-1, 1, count) for count in size), indexing="ij")
    pattern = 0.5 + 0.3 * torch.sin(5 * r + s) * torch.cos(4 * c)
    return pattern * (0.5 * s**2 + r**2 + c**2 < 0.7)


def whole(images: Tensor, voxel_size_mm: VoxelSize = ONE_MM) -> Acquisitions:
    """Acquisitions ``(G, S, H, W)`` that are brain everywhere."""
    return Acquisitions(images, torch.ones_like(images, dtype=torch.bool), voxel_size_mm, None)
