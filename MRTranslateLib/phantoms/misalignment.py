"""Move what an image shows by a known rigid motion, as a patient who moved between two scans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from MRTranslateLib.volume import Volume


@dataclass(frozen=True, eq=False)
class Misaligned:
    """A moved volume and the motion.

    Attributes:
        volume: float32 on the grid of the original; 0 where the original showed nothing.
        original_to_moved: Shape ``(4, 4)``, RAS+ mm: where a landmark of the original lies in ``volume``.
    """

    volume: Volume
    original_to_moved: NDArray[np.float64]


def misalign(
    volume: Volume,
    *,
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    translation_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Misaligned:
    """Turn the content of a volume about the centre of its grid, then shift it; linear interpolation.

    Args:
        volume: What to move; its grid stays.
        rotation_deg: Turn about the R, A and S axis, in this order, right-handed.
        translation_mm: Shift to the right, the front and the top.
    """
    centre = volume.affine[:3, :3] @ ((np.array(volume.shape) - 1) / 2) + volume.affine[:3, 3]
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    motion[:3, 3] = centre + translation_mm - motion[:3, :3] @ centre
    # For every voxel of the result, the voxel of the original that moved there.
    back = np.linalg.inv(volume.affine) @ np.linalg.inv(motion) @ volume.affine
    moved = ndimage.affine_transform(volume.array.astype(np.float32), back[:3, :3], back[:3, 3], order=1)
    return Misaligned(Volume(moved, volume.affine), motion)
