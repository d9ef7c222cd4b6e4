"""Where changes are measured: the brain, each lesion label, the rim around the lesion, the healthy remainder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.lesion_rim import RIM_MM, lesion_surroundings

BRAIN, LESION, RIM, HEALTHY = "brain", "lesion", "rim", "healthy"
TITLES = {BRAIN: "brain", LESION: "lesion", RIM: f"{RIM_MM:g} mm rim of the lesion", HEALTHY: "healthy remainder"}


def region_masks(
    brain: NDArray[np.bool_], labels: NDArray[np.integer] | None, spacing_mm: tuple[float, float, float]
) -> dict[str, NDArray[np.bool_]]:
    """The regions by name, none empty: ``brain``; with a lesion also ``lesion``, ``label N``, ``rim``, ``healthy``.

    The healthy remainder is the brain without lesion and without rim.

    Args:
        brain: Any three axes.
        labels: Same shape, 0 is no lesion; None where there is no lesion mask. What lies outside the brain is left out.
        spacing_mm: Voxel size along the axes.

    Raises:
        InputError: If the lesion mask holds no lesion inside the brain.
    """
    regions = {BRAIN: brain}
    if labels is None:
        return regions
    inside = np.where(brain, labels, 0)
    lesion = inside != 0
    if not lesion.any():
        raise InputError("the lesion mask holds no lesion inside the brain: leave it out, or check both masks")
    rim, healthy = lesion_surroundings(lesion, brain, spacing_mm)
    regions[LESION] = lesion
    regions |= {f"label {label}": inside == label for label in np.unique(inside[lesion])}
    regions |= {RIM: rim, HEALTHY: healthy}
    return {name: mask for name, mask in regions.items() if mask.any()}


def region_title(name: str) -> str:
    """A region's name in words."""
    return TITLES.get(name, f"lesion {name}")
