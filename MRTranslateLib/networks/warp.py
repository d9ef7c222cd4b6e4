"""Bilinear warp by a flow in voxels, and what a flow does to area: composition, integration, Jacobian, folding.

A flow ``(B, 2, H, W)`` says, for each place of the result, how far away the value comes from: channel 0 along rows
(anterior), channel 1 along columns (right), in voxels of the slice. ``warp(images, flow)[p] = images[p + flow[p]]``.

``grid_sample`` takes coordinates in -1..1, whose rounding in float32 would move a 256-voxel slice by 7e-6 voxels at
zero flow; so it runs in float64, which costs little beside any network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

DIFFEOMORPHIC_SQUARINGS = 7
"""Squarings of METHODS 9.1: a velocity is followed in 128 steps."""


def warp(images: Tensor, flow: Tensor, *, outside: str = "border") -> Tensor:
    """Move images by a flow.

    Args:
        images: ``(B, C, H, W)``, any units; masks as 0/1 become shares.
        flow: ``(B, 2, H, W)``, rows and columns, in voxels.
        outside: What lies beyond the slice: ``"border"``, the nearest voxel of it, or ``"zeros"``.

    Returns:
        ``(B, C, H, W)`` in the dtype of ``images``; differentiable by both arguments.

    Raises:
        ValueError: If the shapes do not belong together or ``outside`` is neither word.

    References:
        M. Jaderberg et al. Spatial Transformer Networks. NeurIPS 2015. METHODS 1.3 (stated: voxels, corners aligned,
        border padding).

    Example:
        >>> image = torch.tensor([[[[0.0, 1.0, 2.0]]]])
        >>> warp(image, torch.tensor([0.0, 0.5]).view(1, 2, 1, 1).expand(1, 2, 1, 3))
        tensor([[[[0.5000, 1.5000, 2.0000]]]])
    """
    _check_flow(flow)
    if images.ndim != 4 or images.shape[0] != flow.shape[0] or images.shape[2:] != flow.shape[2:]:
        raise ValueError(f"images {tuple(images.shape)} and flow {tuple(flow.shape)} must share B, H and W")
    if outside not in ("border", "zeros"):
        raise ValueError(f"outside must be border or zeros, got {outside!r}")
    places = (identity_grid(flow) + flow).double()
    last = places.new_tensor([max(count - 1, 1) for count in flow.shape[2:]]).view(1, 2, 1, 1)
    grid = (2 * places / last - 1).flip(1).permute(0, 2, 3, 1)  # (B, H, W, 2) as x, y
    moved = functional.grid_sample(images.double(), grid, padding_mode=outside, align_corners=True)
    return moved.to(images.dtype)


def identity_grid(like: Tensor) -> Tensor:
    """Row and column index of every voxel, ``(1, 2, H, W)``, in the dtype and on the device of ``like (..., H, W)``."""
    rows, columns = (torch.arange(count, dtype=like.dtype, device=like.device) for count in like.shape[-2:])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]


def compose_flows(first: Tensor, second: Tensor) -> Tensor:
    """The one flow that does what ``warp(warp(images, first), second)`` does, without interpolating twice.

    Args:
        first: ``(B, 2, H, W)``, voxels.
        second: Same shape.

    Returns:
        ``second[p] + first[p + second[p]]``, same shape.
    """
    return second + warp(first, second)


def integrate_velocity(velocity: Tensor, num_squarings: int = DIFFEOMORPHIC_SQUARINGS) -> Tensor:
    """Follow a steady velocity for one unit of time; where it is smooth the result cannot fold.

    Args:
        velocity: ``(B, 2, H, W)``, voxels per unit of time.
        num_squarings: The path has ``2 ** num_squarings`` steps.

    Returns:
        The flow, same shape, in voxels.

    References:
        V. Arsigny et al. A log-Euclidean framework for statistics on diffeomorphisms. MICCAI 2006. A remedy that
        METHODS 9.1 proposes against folding.
    """
    flow = velocity * math.pow(0.5, num_squarings)
    for _ in range(num_squarings):
        flow = compose_flows(flow, flow)
    return flow


def jacobian_determinant(flow: Tensor) -> Tensor:
    """Change of area under ``p -> p + flow[p]``: 1 where nothing changes, 0 or less where the slice folds.

    Args:
        flow: ``(B, 2, H, W)``, voxels, H and W at least 2.

    Returns:
        ``(B, 1, H - 1, W - 1)``, from the forward differences at each voxel.
    """
    _check_flow(flow)
    along_rows = flow[:, :, 1:, :-1] - flow[:, :, :-1, :-1]
    along_columns = flow[:, :, :-1, 1:] - flow[:, :, :-1, :-1]
    stretched = (1 + along_rows[:, :1]) * (1 + along_columns[:, 1:])
    sheared = along_rows[:, 1:] * along_columns[:, :1]
    return stretched - sheared


def folding_share(flow: Tensor, mask: Tensor) -> Tensor:
    """Share of the masked voxels where the flow folds the slice (Jacobian determinant 0 or less).

    Args:
        flow: ``(B, 2, H, W)``, voxels.
        mask: ``(B, 1, H, W)``, 0/1.

    Returns:
        A scalar, 0..1; 0 for an empty mask.
    """
    inside = mask[:, :, :-1, :-1] > 0
    folded = (jacobian_determinant(flow) <= 0) & inside
    return folded.sum() / inside.sum().clamp(min=1)


def _check_flow(flow: Tensor) -> None:
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise ValueError(f"flow must be (B, 2, H, W), got {tuple(flow.shape)}")
