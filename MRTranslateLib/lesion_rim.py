"""The brain around a lesion: its rim, where a translation smears it or eats it away, and the healthy remainder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RIM_MM = 5.0
"""Width of the rim, by distance between centres of voxels."""


class Surroundings(NamedTuple):
    """Two parts of the brain, bool arrays of its shape; both may be empty."""

    rim: NDArray[np.bool_]
    healthy: NDArray[np.bool_]


def lesion_surroundings(
    lesion: NDArray[np.bool_], brain: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> Surroundings:
    """Divide the brain outside a lesion.

    Args:
        lesion: Not empty; any three axes.
        brain: Same shape.
        spacing_mm: Voxel size along the axes.
    """
    near = ndimage.distance_transform_edt(~lesion, sampling=spacing_mm) <= RIM_MM
    return Surroundings(near & brain & ~lesion, brain & ~near)
