"""Low-resolution acquisitions of a high-resolution target: fewer k-space lines in plane, thick slices through plane.

In plane: METHODS 3.4 (system C's official script: the centre of k-space, inverse transform, magnitude), as in
``MRTranslateLib.networks.k_space``, which inference knows too. What differs: nothing is rescaled per slice, so the mean
is kept and no scale leaks from the high-resolution target (METHODS 9.5 b). Through plane (proposal): clinics acquire
slices of several mm with gaps; see ``MRTranslateLib.networks.slice_profile``.

Every degradation along an axis is linear, so it is one small matrix; a caller that needs a few slices only, such as a
sampler of 2.5D crops, multiplies with a few rows of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.networks.k_space import along_axis, k_space_resample
from MRTranslateLib.networks.slice_profile import slice_profile_matrix, thick_slice_matrix


@dataclass(frozen=True)
class ThickSlices:
    """A stack of thick slices and where they lie.

    Attributes:
        images: ``(..., S', H, W)``.
        centres: ``(S',)``, float64, middle of each in slices of the thin stack (0 is the middle of its first slice).
    """

    images: Tensor
    centres: Tensor


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
    num_slices = volume.shape[-3]
    centres, thickness = _stack(num_slices, slice_spacing_mm, thickness_mm, gap_mm, shift_mm)
    profile = slice_profile_matrix(centres, num_slices, thickness)
    return ThickSlices(along_axis(volume, profile, -3), centres)


def through_plane_matrix(
    num_slices: int, *, slice_spacing_mm: float, thickness_mm: float, gap_mm: float, shift_mm: float = 0.0
) -> Tensor:
    """Thick slices, interpolated back to the thin ones: ``(S, S)``, float64, rows sum to 1.

    Arguments as for :func:`acquire_thick_slices`. Row s makes thin slice s of the degraded volume.
    """
    centres, thickness = _stack(num_slices, slice_spacing_mm, thickness_mm, gap_mm, shift_mm)
    return thick_slice_matrix(centres, num_slices, thickness)


def _stack(
    num_slices: int, slice_spacing_mm: float, thickness_mm: float, gap_mm: float, shift_mm: float
) -> tuple[Tensor, float]:
    """Middles of the thick slices and their thickness, in thin slices."""
    if min(slice_spacing_mm, thickness_mm) <= 0 or gap_mm < 0:
        raise ValueError(f"need positive lengths, got {slice_spacing_mm}, {thickness_mm} and a gap of {gap_mm} mm")
    distance = (thickness_mm + gap_mm) / slice_spacing_mm
    centres = thick_slice_centres(num_slices, distance, shift=shift_mm / slice_spacing_mm)
    return centres, thickness_mm / slice_spacing_mm
