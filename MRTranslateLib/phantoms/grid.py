"""Where the voxels of a phantom lie: the like of a BraTS volume, thick slices, oblique slabs, small ones for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

BRAIN_CENTRE_MM = np.array([0.0, -17.0, 4.0])
"""Middle of the brain's box in the atlas, and so about the middle of every phantom."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape and affine of a volume without its values.

    Attributes:
        shape: Number of voxels along i, j, k.
        affine: Shape ``(4, 4)``, voxel index to RAS+ mm.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k in mm."""
        i, j, k = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    def points_mm(self) -> NDArray[np.float32]:
        """Positions of all voxel centres in C order, shape ``(3, n)``."""
        i, j, k = (np.arange(count, dtype=np.float32) for count in self.shape)
        matrix = self.affine.astype(np.float32)
        points = np.empty((3, *self.shape), dtype=np.float32)
        for axis in range(3):
            along_i, along_j, along_k, origin = matrix[axis]
            points[axis] = (along_i * i + origin)[:, None, None] + (along_j * j)[:, None] + along_k * k
        return points.reshape(3, -1)

    def crop(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """The part of the grid that begins at voxel ``start``."""
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ start
        return Grid(shape, affine)

    def refine(self, factors: tuple[int, int, int]) -> Grid:
        """The grid that cuts each voxel into ``factors`` parts along i, j, k and covers the same space."""
        i, j, k = (int(count * factor) for count, factor in zip(self.shape, factors, strict=True))
        affine = self.affine.copy()
        affine[:3, :3] /= factors
        affine[:3, 3] -= affine[:3, :3] @ (np.array(factors) - 1) / 2
        return Grid((i, j, k), affine)


def brain_grid(
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    field_of_view_mm: tuple[float, float, float] = (240.0, 240.0, 155.0),
) -> Grid:
    """A grid around the brain; as it stands, 240 x 240 x 155 voxels of 1 mm with i to the left and j to the back.

    Args:
        spacing_mm: Voxel size along i, j, k.
        rotation_deg: Turn about the R, A and S axis, in this order, for an oblique grid.
        field_of_view_mm: Extent along i, j, k, rounded to whole voxels.

    Raises:
        ValueError: If a spacing is not positive or the field of view holds no voxel.
    """
    spacing = np.array(spacing_mm, dtype=np.float64)
    if not (spacing > 0).all():
        raise ValueError(f"spacing must be positive, got {spacing_mm}")
    i, j, k = (int(count) for count in np.rint(np.array(field_of_view_mm) / spacing))
    if min(i, j, k) < 1:
        raise ValueError(f"a field of view of {field_of_view_mm} mm holds no voxel of {spacing_mm} mm")
    affine = np.eye(4)
    turn: NDArray[np.float64] = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag(spacing * [-1, -1, 1])
    affine[:3, 3] = BRAIN_CENTRE_MM - affine[:3, :3] @ ((np.array([i, j, k]) - 1) / 2)
    return Grid((i, j, k), affine)
