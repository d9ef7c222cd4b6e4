"""The grid on which the network works: the output's axial slices, at an in-plane resolution the network has seen.

A 2.5D network wants neighbouring slices at the distance of its training (1 mm). Where the output's slices lie further
apart, the sources are interpolated between them, but only the output's own slices are translated; where they lie
closer, neighbours are taken some slices away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.volume import Volume


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """Where the sources are sampled.

    Attributes:
        grid: Canonical axes; its array is a placeholder.
        translate_every: Every so many slices of ``grid`` one is translated; they coincide with the output's slices.
        neighbour_stride: Distance of a network's neighbouring slices, in slices of ``grid``.
        resampled_in_plane: Whether the in-plane voxel size differs from the output's.
    """

    grid: Volume
    translate_every: int
    neighbour_stride: int
    resampled_in_plane: bool

    @property
    def slices_voxel_size_mm(self) -> tuple[float, float, float]:
        """Of arrays ``(S, H, W)`` on ``grid``: superior, anterior, right."""
        right, anterior, superior = self.grid.spacing_mm
        return superior, anterior, right


def working_grid(
    canonical: Volume, *, in_plane_range_mm: tuple[float, float], neighbour_spacing_mm: float
) -> WorkingGrid:
    """Plan the sampling for an output grid in canonical axes.

    Args:
        canonical: The output grid.
        in_plane_range_mm: Voxel sizes that are used as they are; others are resampled to ``neighbour_spacing_mm``.
        neighbour_spacing_mm: Distance of neighbouring slices in the network's training.
    """
    *in_plane, slice_spacing = canonical.spacing_mm
    low, high = in_plane_range_mm
    keep = all(low <= spacing <= high for spacing in in_plane)
    scale, shape = np.ones(3), list(canonical.shape)
    if not keep:
        for axis, spacing in enumerate(in_plane):
            scale[axis] = neighbour_spacing_mm / spacing
            shape[axis] = max(math.ceil(shape[axis] / scale[axis]), 1)
    subdivisions = max(round(slice_spacing / neighbour_spacing_mm), 1)
    scale[2] = 1 / subdivisions
    shape[2] = (shape[2] - 1) * subdivisions + 1
    stride = max(round(neighbour_spacing_mm * subdivisions / slice_spacing), 1)
    affine = canonical.affine @ np.diag([*scale, 1.0])
    # Voxel edges, not centres, coincide in plane: the field of view stays where it is.
    corner = np.array([*(0.5 * (scale[:2] - 1)), 0.0, 1.0])
    affine[:, 3] = canonical.affine @ corner
    placeholder = np.broadcast_to(np.uint8(0), tuple(shape))
    return WorkingGrid(Volume(placeholder, affine), subdivisions, stride, not keep)


def brain_box(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice, slice]:
    """The smallest box that holds a non-empty mask and ``margin`` voxels around it, within the array."""
    box = []
    for axis in range(3):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(int(occupied[0]) - margin, 0), min(int(occupied[-1]) + 1 + margin, mask.shape[axis])))
    return box[0], box[1], box[2]
