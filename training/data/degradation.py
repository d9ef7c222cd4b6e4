"""Low-resolution acquisitions of a high-resolution target: fewer k-space lines in plane, thick slices through plane.

In plane: METHODS 3.4 (system C's official script: the centre of k-space, inverse transform, magnitude). What differs:
nothing is rescaled per slice, so the mean is kept and no scale leaks from the high-resolution target (METHODS 9.5 b);
both grids have the same edges, as scanners report them, where a bare crop shifts the image by half a coarse voxel; any
number of samples, not only a power of two. Through plane (proposal): clinics acquire slices of several mm with gaps.

Every degradation along an axis is linear, so it is one small matrix; a caller that needs a few slices only, such as a
sampler of 2.5D crops, multiplies with a few rows of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RAMP = 0.2
"""Share of the slice thickness over which the profile rises and falls (proposal; between a box and a Gaussian)."""


@dataclass(frozen=True)
class ThickSlices:
    """A stack of thick slices and where they lie.

    Attributes:
        images: ``(..., S', H, W)``.
        centres: ``(S',)``, float64, middle of each in slices of the thin stack (0 is the middle of its first slice).
    """

    images: Tensor
    centres: Tensor


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
    centres = _coarse_centres(num_voxels, num_samples)
    distance = centres[:, None] - torch.arange(num_voxels, dtype=torch.float64)
    frequencies = torch.arange(1, highest + 1, dtype=torch.float64)
    waves = torch.cos(2 * math.pi / num_voxels * distance[..., None] * frequencies)
    return (1 + 2 * waves.sum(dim=-1)) / num_voxels


def k_space_downsample(images: Tensor, ratio: int) -> Tensor:
    """What a scan with ``ratio`` times fewer lines in both directions shows: ``(..., H / ratio, W / ratio)``.

    Args:
        images: ``(..., H, W)``, not negative; H and W multiples of ``ratio``.
        ratio: r, 1 or more.

    Returns:
        Magnitude images in the units of the input; the mean is kept (up to the magnitude of negative ringing).

    Raises:
        ValueError: If ``ratio`` does not divide H and W.
    """
    height, width = images.shape[-2:]
    if ratio < 1 or height % ratio or width % ratio:
        raise ValueError(f"ratio must divide {height} x {width}, got {ratio}")
    return k_space_resample(images, (height // ratio, width // ratio))


def k_space_resample(images: Tensor, samples: tuple[int, int]) -> Tensor:
    """As :func:`k_space_downsample` for any number of samples per direction: ``(..., H, W)`` to ``(..., *samples)``."""
    rows = k_space_matrix(images.shape[-2], samples[0])
    columns = k_space_matrix(images.shape[-1], samples[1])
    return along_axis(along_axis(images, rows, -2), columns, -1).abs()


def limit_in_plane(images: Tensor, voxel_size: tuple[float, float]) -> Tensor:
    """A scan with larger voxels in plane, interpolated back to the full grid as preparation does (linearly).

    Args:
        images: ``(..., H, W)``, not negative.
        voxel_size: Size along rows and columns axis in voxels of the full grid, 1 or more; rounded so that whole
            voxels fill the field of view.

    Returns:
        ``(..., H, W)``; the input itself along an axis whose size is 1.
    """
    shape = (images.shape[-2], images.shape[-1])
    samples = tuple(max(1, round(count / size)) for count, size in zip(shape, voxel_size, strict=True))
    result = k_space_resample(images, (samples[0], samples[1]))
    for axis, (count, coarse) in zip((-2, -1), zip(shape, samples, strict=True), strict=True):
        result = along_axis(result, interpolation_matrix(_coarse_centres(count, coarse), count), axis)
    return result


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


def thick_slice_centres(num_slices: int, distance: float, *, shift: float = 0.0) -> Tensor:
    """Middles ``(S',)`` of as many thick slices as the stack has room for, about its middle.

    Args:
        num_slices: Thin slices.
        distance: From slice to slice, thickness plus gap, in thin slices.
        shift: Moves all of them, in thin slices; small against ``distance``.
    """
    count = max(1, int(num_slices / distance + 1e-9))
    return (num_slices - 1) / 2 + (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) * distance + shift


def acquire_thick_slices(
    volume: Tensor, *, slice_spacing_mm: float, thickness_mm: float, gap_mm: float, shift_mm: float = 0.0
) -> ThickSlices:
    """What a multi-slice scan shows of thin slices.

    Args:
        volume: ``(..., S, H, W)``.
        slice_spacing_mm: From thin slice to thin slice; they have no gap.
        thickness_mm: Full width at half maximum of the slice profile.
        gap_mm: Between thick slices, not negative; tissue there is not seen.
        shift_mm: Moves the whole stack.

    Raises:
        ValueError: If a length is not positive or the gap is negative.
    """
    if min(slice_spacing_mm, thickness_mm) <= 0 or gap_mm < 0:
        raise ValueError(f"need positive lengths, got {slice_spacing_mm}, {thickness_mm} and a gap of {gap_mm} mm")
    num_slices = volume.shape[-3]
    distance = (thickness_mm + gap_mm) / slice_spacing_mm
    centres = thick_slice_centres(num_slices, distance, shift=shift_mm / slice_spacing_mm)
    profile = slice_profile_matrix(centres, num_slices, thickness_mm / slice_spacing_mm)
    return ThickSlices(along_axis(volume, profile, -3), centres)


def through_plane_matrix(
    num_slices: int, *, slice_spacing_mm: float, thickness_mm: float, gap_mm: float, shift_mm: float = 0.0
) -> Tensor:
    """Thick slices, interpolated linearly back to the thin ones: ``(S, S)``, float64, rows sum to 1.

    Arguments as for :func:`acquire_thick_slices`. Row s makes thin slice s of the degraded volume.
    """
    thick = acquire_thick_slices(
        torch.eye(num_slices, dtype=torch.float64)[:, None],
        slice_spacing_mm=slice_spacing_mm,
        thickness_mm=thickness_mm,
        gap_mm=gap_mm,
        shift_mm=shift_mm,
    )
    return interpolation_matrix(thick.centres, num_slices) @ thick.images[:, 0]


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


def along_axis(images: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply ``(m, n)`` into an axis of length n; type and device of ``images``."""
    moved = images.movedim(axis, -1) @ matrix.to(images).T
    return moved.movedim(-1, axis)


def _coarse_centres(num_voxels: int, num_samples: int) -> Tensor:
    """Middles of ``num_samples`` voxels that fill the same extent as ``num_voxels``, in voxels of the latter."""
    return (torch.arange(num_samples, dtype=torch.float64) + 0.5) * num_voxels / num_samples - 0.5
