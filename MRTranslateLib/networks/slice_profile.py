"""What a stack of thin slices looks like to a scan with thick ones (proposal: METHODS has in-plane ratios only)."""

from __future__ import annotations

import torch
from torch import Tensor

RAMP = 0.2
"""Share of the slice thickness over which the profile rises and falls (proposal; between a box and a Gaussian)."""
ROUGHNESS = 1e-2
"""Weight of squared second differences against misfit: from 1e-4 to 3e-2 the open data come back equally well."""
FLATNESS = 1e-6
"""Weight of squared differences, which decides only where a single thick slice leaves the slope open."""


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


def reconstruction_matrix(centres: Tensor, num_slices: int, thickness: float) -> Tensor:
    """From thick slices to the smoothest thin ones that average to them (histosplines).

    L. I. Boneva, D. Kendall, I. Stefanov. Spline transformations. Journal of the Royal Statistical Society B 33, 1971:
    least square of second differences, here with a little freedom for noise. Interpolation between the middles of thick
    slices would blur once more what is blurred already: 0.4 to 0.8 dB less in the brains of the open data.

    Arguments as for :func:`slice_profile_matrix`.

    Returns:
        ``(S, S')``, float64, rows sum to 1.
    """
    profile = slice_profile_matrix(centres, num_slices, thickness)
    unit = torch.eye(num_slices, dtype=torch.float64)
    slope, curvature = unit.diff(dim=0), unit.diff(n=2, dim=0)
    normal = profile.T @ profile + ROUGHNESS * curvature.T @ curvature + FLATNESS * slope.T @ slope
    matrix: Tensor = torch.linalg.solve(normal, profile.T)
    return matrix


def thick_slice_matrix(centres: Tensor, num_slices: int, thickness: float) -> Tensor:
    """What thick slices leave of thin ones, brought back to these: ``(S, S)``, rows sum to 1.

    Arguments as for :func:`slice_profile_matrix`. Row s makes thin slice s of the degraded volume.
    """
    profile = slice_profile_matrix(centres, num_slices, thickness)
    return reconstruction_matrix(centres, num_slices, thickness) @ profile
