"""What a stack of thin slices looks like to a scan with thick ones (proposal: METHODS has in-plane ratios only)."""

from __future__ import annotations

import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from MRTranslateLib.networks.k_space import along_axis, coarse_centres

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
    """Natural cubic splines from values at ascending ``centres`` to voxels 0, 1, ...; constant beyond the ends.

    Linear interpolation would blur what the thick slices still show: by 0.5 to 1 dB at 3 mm.

    Args:
        centres: ``(n,)``, positions in voxels.
        num_voxels: Along the axis.

    Returns:
        ``(num_voxels, n)``, float64, rows sum to 1.
    """
    if len(centres) == 1:
        return torch.ones(num_voxels, 1, dtype=torch.float64)
    known = centres.to(torch.float64).numpy()
    positions = torch.arange(num_voxels, dtype=torch.float64).clamp(known[0], known[-1])
    spline = CubicSpline(known, torch.eye(len(known), dtype=torch.float64).numpy(), bc_type="natural")
    return torch.from_numpy(spline(positions.numpy()))


def interpolated_in_plane(images: Tensor, size: tuple[int, int]) -> Tensor:
    """``(..., h, w)`` on a grid of ``size`` with the same edges, by the same splines."""
    for axis, num_voxels in zip((-2, -1), size, strict=True):
        centres = coarse_centres(num_voxels, images.shape[axis])
        images = along_axis(images, interpolation_matrix(centres, num_voxels), axis)
    return images


def thick_slice_matrix(centres: Tensor, num_slices: int, thickness: float) -> Tensor:
    """Thick slices interpolated back to the thin ones: ``(S, S)``, rows sum to 1.

    Arguments as for :func:`slice_profile_matrix`. Row s makes thin slice s of the degraded volume.
    """
    return interpolation_matrix(centres, num_slices) @ slice_profile_matrix(centres, num_slices, thickness)
