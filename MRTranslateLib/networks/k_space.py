"""What an image looks like to a scan with fewer k-space lines in plane.

METHODS 3.4 (stated by system C's official script): the centre of k-space, inverse transform, magnitude. What differs:
both grids have the same edges, as scanners report them, where a bare crop shifts the image by half a coarse voxel; any
number of samples, not only a power of two; nothing is rescaled.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def k_space_matrix(num_voxels: int, num_samples: int) -> Tensor:
    """Sampling with fewer k-space lines along one axis: keep the low frequencies, evaluate them on a coarser grid.

    Frequencies k with ``|k| < num_samples / 2`` cycles per field of view are kept. The line at exactly half, which an
    even count has without its partner, is dropped: real images stay real and mirrored ones mirrored.

    Args:
        num_voxels: Along the axis at full resolution.
        num_samples: Along the axis after sampling, 1 to ``num_voxels``.

    Returns:
        ``(num_samples, num_voxels)``, float64, rows sum to 1: the periodic sinc (Dirichlet kernel) around the centre of
        each coarse voxel, which is what a Fourier transform, a crop and an inverse transform amount to.

    Raises:
        ValueError: If ``num_samples`` is not in 1..``num_voxels``.
    """
    if not 1 <= num_samples <= num_voxels:
        raise ValueError(f"num_samples must be in 1..{num_voxels}, got {num_samples}")
    if num_samples == num_voxels:
        return torch.eye(num_voxels, dtype=torch.float64)
    highest = (num_samples - 1) // 2
    centres = coarse_centres(num_voxels, num_samples)
    distance = centres[:, None] - torch.arange(num_voxels, dtype=torch.float64)
    frequencies = torch.arange(1, highest + 1, dtype=torch.float64)
    waves = torch.cos(2 * math.pi / num_voxels * distance[..., None] * frequencies)
    return (1 + 2 * waves.sum(dim=-1)) / num_voxels


def k_space_resample(images: Tensor, samples: tuple[int, int]) -> Tensor:
    """Sample with fewer k-space lines in both directions.

    Args:
        images: ``(..., H, W)``, not negative.
        samples: Rows and columns after sampling, at most H and W.

    Returns:
        Magnitude images ``(..., *samples)`` in the units of the input; the mean is kept up to the magnitude of
        negative ringing.
    """
    rows = k_space_matrix(images.shape[-2], samples[0])
    columns = k_space_matrix(images.shape[-1], samples[1])
    return along_axis(along_axis(images, rows, -2), columns, -1).abs()


def k_space_enlarge(images: Tensor, size: tuple[int, int]) -> Tensor:
    """On a finer grid of the same edges, by filling k-space with zeros as scanners do: ``(..., *size)``.

    Args:
        images: ``(..., h, w)`` in any units.
        size: Rows and columns, not fewer than those of the images.
    """
    for axis, num_voxels in zip((-2, -1), size, strict=True):
        images = along_axis(images, zero_filling_matrix(num_voxels, images.shape[axis]), axis)
    return images


def zero_filling_matrix(num_voxels: int, num_samples: int) -> Tensor:
    """Along one axis, from ``num_samples`` to ``num_voxels``: ``(num_voxels, num_samples)``, float64, rows sum to 1."""
    matrix = k_space_matrix(num_voxels, num_samples).T
    return matrix / matrix.sum(dim=1, keepdim=True)


def along_axis(images: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply ``(m, n)`` into an axis of length n; type and device of ``images``."""
    moved = images.movedim(axis, -1) @ matrix.to(images).T
    return moved.movedim(-1, axis)


def coarse_centres(num_voxels: int, num_samples: int) -> Tensor:
    """Middles of ``num_samples`` voxels that fill the same extent as ``num_voxels``, in voxels of the latter."""
    return (torch.arange(num_samples, dtype=torch.float64) + 0.5) * num_voxels / num_samples - 0.5
