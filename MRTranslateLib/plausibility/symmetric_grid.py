"""The grid on which images are compared: coarse, cubic, and upright about the plane between the brain's halves.

An array on it flipped along its first axis is the mirrored brain, whatever the orientation of the scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

STEP_MM = 2.0
"""Fine enough for 1 ml (a ball of 12 mm), coarse enough for a second or two of computing."""
COARSE_STEP_MM = 6.0
"""Where the plane of symmetry is sought."""
MAX_TILT_RAD, MAX_SHIFT_MM = 0.35, 15.0
MARGIN_MM = 6.0


@dataclass(frozen=True, eq=False)
class SymmetricGrid:
    """Cubic voxels of ``STEP_MM``; the middle of the first axis is the plane of symmetry.

    Attributes:
        shape: Number of voxels to the right, to the front and up, in the head's own directions.
        affine: Shape ``(4, 4)``, voxel index to RAS+ mm.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def sample(self, image: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
        """An image at the voxels of this grid, smoothed first to their size where its own are finer.

        Args:
            image: Shape ``(I, J, K)``.
            affine: Its voxel index to RAS+ mm.

        Returns:
            Of ``shape``, interpolated linearly, 0 outside the image.
        """
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        step = float(np.linalg.norm(self.affine[:3, 0]))
        # A voxel's width of w has the variance w^2 / 12; the filter brings the finer to that of the coarser.
        sigma = np.sqrt(np.maximum(step**2 - spacing**2, 0) / 12) / spacing
        smoothed = ndimage.gaussian_filter(image, sigma, truncate=3.0) if sigma.any() else image
        ijk = np.linalg.inv(affine) @ self.affine
        sampled: NDArray[np.float32] = ndimage.affine_transform(
            smoothed, ijk[:3, :3], ijk[:3, 3], self.shape, np.float32, order=1
        )
        return sampled

    def sample_brain(
        self, image: NDArray[np.float32], share: NDArray[np.float32], affine: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """An image that is 0 outside the brain: the mean over the brain's part of each voxel.

        Args:
            image: As for :meth:`sample`.
            share: The brain, sampled as 0 and 1: where it is more than half, the voxel counts.
            affine: As for :meth:`sample`.

        Returns:
            Of ``shape``, 0 where the brain is not.
        """
        mean = self.sample(image, affine) / np.maximum(share, np.float32(0.5)) * (share > 0.5)
        return mean.astype(np.float32)


def symmetric_grid(
    image: NDArray[np.float32], brain: NDArray[np.bool_], affine: NDArray[np.float64], step_mm: float = STEP_MM
) -> SymmetricGrid:
    """The grid over a brain, upright about the plane across which ``image`` correlates best with its mirror image.

    Args:
        image: Any contrast, 0 outside the brain.
        brain: Same shape, not empty.
        affine: Voxel index to RAS+ mm.
        step_mm: Size of the voxels.
    """
    inside = np.argwhere(brain)
    corners = np.array([inside.min(axis=0), inside.max(axis=0)])
    centre = (affine @ [*inside.mean(axis=0), 1.0])[:3]
    reach = [[i, j, k, 1] for i in corners[:, 0] for j in corners[:, 1] for k in corners[:, 2]]
    half = np.abs((np.array(reach) @ affine.T)[:, :3] - centre).max(axis=0) + MARGIN_MM
    coarse = _grid(centre, half, np.eye(3), COARSE_STEP_MM).sample(image, affine)
    tilt, shift = _symmetry(coarse)
    turn = np.asarray(Rotation.from_euler("yz", tilt).as_matrix())
    return _grid(centre + turn[:, 0] * shift, half, turn, step_mm)


def _grid(
    centre: NDArray[np.float64], half: NDArray[np.float64], turn: NDArray[np.float64], step_mm: float
) -> SymmetricGrid:
    i, j, k = (2 * int(np.ceil(length / step_mm)) + 1 for length in half)
    affine = np.eye(4)
    affine[:3, :3] = turn * step_mm
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array([i, j, k]) - 1) / 2)
    return SymmetricGrid((i, j, k), affine)


def _symmetry(coarse: NDArray[np.float32]) -> tuple[tuple[float, float], float]:
    """Rotations about the second and third axis in radians and shift along the first in mm, centre to plane."""
    smoothed = ndimage.gaussian_filter(coarse, 1.0)
    middle = (np.array(coarse.shape) - 1) / 2

    def unlikeness(parameters: NDArray[np.float64]) -> float:
        turn = np.asarray(Rotation.from_euler("yz", parameters[:2]).as_matrix())
        origin = middle + turn[:, 0] * (parameters[2] * MAX_SHIFT_MM / COARSE_STEP_MM) - turn @ middle
        upright = ndimage.affine_transform(smoothed, turn, origin, order=1)
        return -float((upright * upright[::-1]).sum() / max(np.square(upright).sum(), 1e-12))

    found = optimize.minimize(
        unlikeness,
        np.zeros(3),
        method="Nelder-Mead",
        options={
            "initial_simplex": [[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.3]],
            "maxfev": 120,
            "xatol": 1e-3,
            "fatol": 1e-6,
        },
    )
    roll, yaw, shift = found.x
    if max(abs(roll), abs(yaw)) > MAX_TILT_RAD or abs(shift) > 1:
        return (0.0, 0.0), 0.0
    return (float(roll), float(yaw)), float(shift) * MAX_SHIFT_MM
