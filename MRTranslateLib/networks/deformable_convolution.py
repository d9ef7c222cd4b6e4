"""Modulated deformable 3x3 convolution on ``grid_sample``: CPU and CUDA, with gradients, nothing to compile.

J. Dai et al. Deformable Convolutional Networks. ICCV 2017. arXiv:1703.06211.
X. Zhu et al. Deformable ConvNets v2: More Deformable, Better Results. CVPR 2019. arXiv:1811.11168, which adds the mask.

System C uses it in its super-resolution branch (METHODS 3.2, stated by its official code): offsets and masks come from
3x3 convolutions that start at zero, so an untrained layer is a plain convolution.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))
"""Displacement (row, column) of each of the nine weights, in the order of a 3x3 kernel."""


def deformable_convolution(inputs: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, *, groups: int = 1) -> Tensor:
    """``sum_k weight_k * mask_k(p) * inputs(p + tap_k + offset_k(p))``, bilinear, zero outside the image.

    Args:
        inputs: ``(B, C, H, W)``.
        weight: ``(out_channels, C / groups, 3, 3)``.
        offset: ``(B, 18, H, W)`` in voxels: channel 2k is the row and 2k + 1 the column displacement of tap k.
        mask: ``(B, 9, H, W)``, factor of tap k; ones for none.
        groups: As in a plain convolution: 1 for a dense and C for a depth-wise one.

    Returns:
        ``(B, out_channels, H, W)``; stride 1, padding 1. In the type of ``inputs``; positions are computed in at
        least float32, since half precision has no room for sub-voxel positions beyond voxel 8.

    Raises:
        ValueError: If the shapes do not fit together.
    """
    batch, channels, height, width = inputs.shape
    if offset.shape != (batch, 18, height, width) or mask.shape != (batch, 9, height, width):
        raise ValueError(f"offset {tuple(offset.shape)} and mask {tuple(mask.shape)} do not fit {tuple(inputs.shape)}")
    if channels % groups or weight.shape[1:] != (channels // groups, 3, 3):
        raise ValueError(f"weight {tuple(weight.shape)} with {groups} groups does not fit {channels} channels")
    working = torch.promote_types(inputs.dtype, torch.float32)
    images, positions = inputs.to(working), _sampling_grids(offset.to(working))

    def contribution(tap: int) -> Tensor:
        sampled = functional.grid_sample(images, positions[tap], align_corners=False) * mask[:, tap : tap + 1]
        kernel = weight[:, :, tap // 3, tap % 3, None, None]
        return functional.conv2d(sampled.to(inputs.dtype), kernel, groups=groups)

    # One tap at a time: all nine at once would need nine copies of the input.
    return reduce(torch.add, map(contribution, range(len(TAPS))))


def _sampling_grids(offset: Tensor) -> list[Tensor]:
    """Where each tap reads: nine grids ``(B, H, W, 2)`` of (x, y) in the -1..1 of ``align_corners=False``."""
    height, width = offset.shape[-2:]
    rows = torch.arange(height, device=offset.device, dtype=offset.dtype).view(-1, 1)
    columns = torch.arange(width, device=offset.device, dtype=offset.dtype)
    grids = []
    for tap, (row, column) in enumerate(TAPS):
        x = columns + column + offset[:, 2 * tap + 1]
        y = rows + row + offset[:, 2 * tap]
        grids.append(torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1))
    return grids


class DeformableConv2d(nn.Module):
    """A 3x3 convolution without bias whose taps move; where to is predicted from ``steering`` features.

    Attributes:
        offset: Predicts the 18 displacements in voxels; starts at zero.
        mask: Predicts the nine factors as ``2 * sigmoid``; starts at zero, which is the factor 1.
    """

    def __init__(self, in_channels: int, out_channels: int, *, steering_channels: int, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, 3, 3))
        self.offset = nn.Conv2d(steering_channels, 2 * len(TAPS), 3, padding=1)
        self.mask = nn.Conv2d(steering_channels, len(TAPS), 3, padding=1)
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d does
        for values in (*self.offset.parameters(), *self.mask.parameters()):
            nn.init.zeros_(values)

    def forward(self, features: Tensor, steering: Tensor | None = None) -> Tensor:
        """Convolve.

        Args:
            features: ``(B, in_channels, H, W)``.
            steering: ``(B, steering_channels, H, W)``; the features themselves if None.

        Returns:
            ``(B, out_channels, H, W)``.
        """
        guide = features if steering is None else steering
        mask = 2 * torch.sigmoid(self.mask(guide))
        return deformable_convolution(features, self.weight, self.offset(guide), mask, groups=self.groups)
