"""What a stack of thin slices looks like to a scan with thick ones (proposal: METHODS has in-plane ratios only)."""

from __future__ import annotations

import torch
from torch import Tensor

RAMP = 0.2
"""Share of the slice thickness over which the profile rises and falls (proposal; between a box and a Gaussian)."""


def slice_profile_matrix(centres: Tensor, num_slices: int, thickness: float) -> Tensor:
    """Share of each thin slice in each thick one: a trapezoid of unit area, averaged over the thin slices.

    Args:
        centres: ``(S',)``, middles of the thick slices in thin slices.
        num_slices: S, thin slices.
        thickness: Full width at half maximum in thin slices, positive.

    Returns:
        ``(S', S)``, float64, rows sum to 1 also where a thick slice reaches over the end of the stack.

    Raises:
        ValueError: If ``thickness`` is not positive or a thick slice lies wholly outside the stack.
    """
    if thickness <= 0:
        raise ValueError(f"thickness must be positive, got {thickness}")
    edges = torch.arange(num_slices + 1, dtype=torch.float64) - 0.5
    ramp = RAMP * thickness

    def area(distance: Tensor) -> Tensor:
        """Area of the profile below ``distance`` from its middle: twice integrated boxes, a difference of squares."""

        def square(shift: float) -> Tensor:
            return (distance + shift).clamp(min=0).square() / 2

        outer, inner = (thickness + ramp) / 2, (thickness - ramp) / 2
        return (square(outer) - square(inner) - square(-inner) + square(-outer)) / (thickness * ramp)

    shares = area(edges - centres[:, None].to(torch.float64)).diff(dim=1)
    if bool((shares.sum(dim=1) < 1e-9).any()):
        raise ValueError(f"a slice of thickness {thickness} at {centres.tolist()} is outside {num_slices} slices")
    return shares / shares.sum(dim=1, keepdim=True)


def interpolation_matrix(centres: Tensor, num_voxels: int) -> Tensor:
    """Linear interpolation from values at ascending ``centres`` to voxels 0, 1, ...; constant beyond the ends.

    Args:
        centres: ``(n,)``, positions in voxels.
        num_voxels: Along the axis.

    Returns:
        ``(num_voxels, n)``, float64, rows sum to 1.
    """
    centres = centres.to(torch.float64)
    matrix = torch.zeros(num_voxels, len(centres), dtype=torch.float64)
    if len(centres) == 1:
        return matrix + 1
    positions = torch.arange(num_voxels, dtype=torch.float64).clamp(float(centres[0]), float(centres[-1]))
    left = (torch.searchsorted(centres, positions, right=True) - 1).clamp(0, len(centres) - 2)
    share = (positions - centres[left]) / (centres[left + 1] - centres[left])
    matrix.scatter_(1, left[:, None], (1 - share)[:, None])
    return matrix.scatter_(1, left[:, None] + 1, share[:, None])


def thick_slice_matrix(centres: Tensor, num_slices: int, thickness: float) -> Tensor:
    """Thick slices interpolated linearly back to the thin ones, as preparation does: ``(S, S)``, rows sum to 1.

    Arguments as for :func:`slice_profile_matrix`. Row s makes thin slice s of the degraded volume.
    """
    return interpolation_matrix(centres, num_slices) @ slice_profile_matrix(centres, num_slices, thickness)
