"""Real images under random displacements of less than a voxel, before discriminators see them (METHODS 9.3, proposal).

A target that label correction moved is interpolated, hence smoother than one that was not; a translation is smooth as
well. A discriminator then finds interpolation instead of realism. Here every real image is interpolated a little,
differently from place to place, so that its grain tells nothing. The displacement is a bilinear enlargement of values
drawn evenly in -v..v on a coarse grid: METHODS names "random sub-pixel warps" without their form.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CONTROL_POINTS = 6
"""Along each axis of a slice."""


def draw_subpixel_flow(like: Tensor, max_voxels: float, random: torch.Generator) -> Tensor:
    """A smooth flow ``(B, 2, H, W)`` in voxels, at most ``max_voxels`` along each axis.

    Args:
        like: ``(B, C, H, W)``, for shape and device.
        max_voxels: v, not negative.
        random: Source of chance, on the CPU.
    """
    control = (torch.rand(len(like), 2, CONTROL_POINTS, CONTROL_POINTS, generator=random) * 2 - 1) * max_voxels
    size = (like.shape[-2], like.shape[-1])
    return functional.interpolate(control.to(like.device), size=size, mode="bilinear", align_corners=True)
