"""Values on a regular grid in space, read between grid points; and smooth random fields of that form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FIELD_HALF_WIDTH_MM = 136.0
"""Random fields cover the cube from minus to plus this, which holds a head centred near the origin."""
CUBIC_SPLINE_VARIANCE = 151 / 315
"""Mean over position of the sum of squares of the cubic B-spline weights, per axis."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """A scalar function of position, known at regular points and linear in between.

    Attributes:
        values: Shape ``(I, J, K)``, any real dtype.
        origin_mm: Position of ``values[0, 0, 0]``.
        step_mm: Distance between neighbours, the same along all axes.
        outside: Value beyond the lattice; None repeats the value at its border.
    """

    values: NDArray[Any]
    origin_mm: NDArray[np.float64]
    step_mm: float
    outside: float | None = None

    def sample(self, points_mm: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Values at ``points_mm``, shape ``(3, n)``; returns ``(n,)``."""
        indices = (points_mm - self.origin_mm[:, None].astype(np.float32)) / np.float32(self.step_mm)
        result: NDArray[np.float32] = ndimage.map_coordinates(
            self.values, indices, output=np.float32, order=1, prefilter=False, **self._boundary()
        )
        return result

    def sample_grid(self, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values at all voxels of a grid, whose ``affine`` maps indices to mm; returns ``shape``."""
        matrix = affine[:3, :3] / self.step_mm
        offset = (affine[:3, 3] - self.origin_mm) / self.step_mm
        result: NDArray[np.float32] = ndimage.affine_transform(
            self.values, matrix, offset, shape, np.float32, order=1, prefilter=False, **self._boundary()
        )
        return result

    def _boundary(self) -> dict[str, Any]:
        return {"mode": "nearest"} if self.outside is None else {"mode": "constant", "cval": self.outside}


def add_up(arrays: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Sum of one or more arrays of one shape."""
    first, *others = arrays
    total = first.copy()
    for array in others:
        total += array
    return total


def random_field(rng: np.random.Generator, *, scale_mm: float, step_mm: float) -> Lattice:
    """A smooth Gaussian random field of zero mean and unit variance.

    Cubic B-splines on control points with independent normal weights, so that the field belongs to space and not to
    the grid that later samples it.

    Args:
        rng: Source of chance.
        scale_mm: Distance of the control points: about the size of the hills.
        step_mm: Step of the lattice; a third of ``scale_mm`` or less draws the hills well.
    """
    positions = np.arange(-FIELD_HALF_WIDTH_MM, FIELD_HALF_WIDTH_MM + step_mm, step_mm)
    num_controls = int(np.ceil(2 * FIELD_HALF_WIDTH_MM / scale_mm)) + 5
    knots = -FIELD_HALF_WIDTH_MM + (np.arange(num_controls) - 2) * scale_mm
    basis = _cubic_spline((positions[:, None] - knots) / scale_mm).astype(np.float32)
    weights = rng.standard_normal((num_controls,) * 3, dtype=np.float32)
    for _ in range(3):  # each pass expands the last axis and brings the next one there
        weights = np.moveaxis(weights @ basis.T, -1, 0)
    weights /= np.float32(CUBIC_SPLINE_VARIANCE**1.5)
    return Lattice(np.ascontiguousarray(weights), np.full(3, positions[0]), step_mm)


def _cubic_spline(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.abs(distance)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far)
