"""In-plane resampling in mm, shared by motion and misalignment."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.robustness.perturbations.acquisitions import VoxelSize

Interpolation = Literal["bilinear", "bicubic"]


def positions_mm(size: tuple[int, int], voxel_size_mm: VoxelSize, device: torch.device) -> Tensor:
    """Position of every voxel of a slice relative to its middle, ``(H, W, 2)``: row and column coordinate in mm."""
    axes = [
        (torch.arange(count, device=device) - (count - 1) / 2) * mm
        for count, mm in zip(size, voxel_size_mm[1:], strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def similarity_sources_mm(points_mm: Tensor, rotation_deg: Tensor, scale: Tensor, translation_mm: Tensor) -> Tensor:
    """Where each voxel of a moved image takes its content from.

    The content is scaled and turned about the middle of the slice, then shifted.

    Args:
        points_mm: ``(H, W, 2)`` of :func:`positions_mm`.
        rotation_deg: ``(G,)``, from the first axis towards the second.
        scale: ``(G,)``, above 1 enlarges.
        translation_mm: ``(G, 2)`` along rows and columns.

    Returns:
        ``(G, H, W, 2)`` in mm.
    """
    angle = rotation_deg * (math.pi / 180)
    cosine, sine = (part[:, None, None] for part in (torch.cos(angle), torch.sin(angle)))
    row, column = (points_mm - translation_mm[:, None, None, :]).unbind(dim=-1)
    turned_back = torch.stack([cosine * row + sine * column, cosine * column - sine * row], dim=-1)
    return turned_back / scale[:, None, None, None]


def resample(images: Tensor, sources_mm: Tensor, voxel_size_mm: VoxelSize, interpolation: Interpolation) -> Tensor:
    """Read slices at other positions; outside the slice there is nothing (0).

    Args:
        images: ``(G, S, H, W)``.
        sources_mm: ``(G, H, W, 2)``, the same for all slices, or ``(G, S, H, W, 2)``; mm from the middle.
        voxel_size_mm: Slice distance, voxel height, voxel width.
        interpolation: Bicubic keeps fine detail, bilinear never leaves the range of the image.
    """
    groups, slices, height, width = images.shape
    half_mm = sources_mm.new_tensor([(height - 1) / 2 * voxel_size_mm[1], (width - 1) / 2 * voxel_size_mm[2]])
    grid = (sources_mm / half_mm).flip(-1)  # grid_sample wants x (columns) first, -1..1
    if grid.ndim == 4:
        return functional.grid_sample(images, grid, interpolation, align_corners=True)
    flat = functional.grid_sample(
        images.reshape(-1, 1, height, width), grid.flatten(0, 1), interpolation, align_corners=True
    )
    return flat.reshape(groups, slices, height, width)
