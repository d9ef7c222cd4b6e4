"""The images of which a report is made, all on one grid whose axes point right, anterior and superior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.volume import Volume

MARGIN_MM = 10.0
"""Around the brain in the pictures; holds the letters of orientation."""


@dataclass(frozen=True, eq=False)
class Images:
    """One translation on the canonical form of the result's grid.

    Attributes:
        brain: bool, not empty.
        result: 0..1, 0 outside the brain.
        sources: The same, in the order given.
        attention: 0..1; None without a map.
        half_width: Of the uncertainty's interval, in the unit of the result; None without a map.
        lesion: Labels, 0 is none; None without a mask.
        low_resolution: The target as it was acquired, interpolated, as the sources; 0 where it was not acquired. None
            without.
    """

    brain: Volume
    result: Volume
    sources: dict[Contrast, Volume]
    attention: Volume | None
    half_width: Volume | None
    lesion: Volume | None
    low_resolution: Volume | None = None

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """Centre of mass of the brain, RAS mm."""
        centre: NDArray[np.float64] = (self.brain.affine @ [*self.centre_voxel, 1.0])[:3]
        return centre

    @property
    def centre_voxel(self) -> NDArray[np.float64]:
        """The same in voxels."""
        return np.array([np.average(np.arange(n), weights=self._counts(axis)) for axis, n in enumerate(self.shape)])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along R, A, S."""
        return self.brain.shape

    @property
    def window(self) -> tuple[slice, slice]:
        """The part along R and A that the pictures show."""
        sides = []
        for axis in (0, 1):
            occupied = np.flatnonzero(self._counts(axis))
            margin = round(MARGIN_MM / self.brain.spacing_mm[axis])
            sides.append(slice(max(int(occupied[0]) - margin, 0), int(occupied[-1]) + 1 + margin))
        return sides[0], sides[1]

    def voxel(self, position_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        """Where a point in RAS mm lies, in voxels."""
        voxel: NDArray[np.float64] = (np.linalg.inv(self.brain.affine) @ [*position_mm, 1.0])[:3]
        return voxel

    def _counts(self, axis: int) -> NDArray[np.intp]:
        """Voxels of brain per plane across an axis."""
        counts: NDArray[np.intp] = self.brain.array.sum(axis=tuple(other for other in range(3) if other != axis))
        return counts
