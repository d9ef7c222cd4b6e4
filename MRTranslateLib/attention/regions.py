"""The attention map region by region: of the lesion where a mask is given, else of eight parts of the brain."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.attention.report import RegionAttention
from MRTranslateLib.lesion_rim import RIM_MM, lesion_surroundings
from MRTranslateLib.volume import Volume

SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
"""Words for what lies below and above the brain's centre, along R, A and S."""


def attention_regions(
    attention: Volume, brain: NDArray[np.bool_], lesion: NDArray[np.integer] | None
) -> tuple[RegionAttention, ...]:
    """Measure the map per region.

    Args:
        attention: 0..1, 0 outside the brain.
        brain: Its brain, not empty.
        lesion: Integer labels on the same grid, 0 is none; None without a mask. What lies outside the brain is left
            out.

    Returns:
        The brain, then the regions that are not empty.
    """
    regions = {"brain": brain}
    regions |= _octants(attention, brain) if lesion is None else _lesion_regions(lesion * brain, brain, attention)
    return tuple(_measured(name, attention, region) for name, region in regions.items() if region.any())


def _lesion_regions(
    labels: NDArray[np.integer], brain: NDArray[np.bool_], grid: Volume
) -> dict[str, NDArray[np.bool_]]:
    lesion = labels != 0
    if not lesion.any():
        return {}
    regions = {"lesion": lesion}
    names = np.unique(labels[lesion])
    if len(names) > 1:
        regions |= {f"lesion label {label}": labels == label for label in names}
    rim, healthy = lesion_surroundings(lesion, brain, grid.spacing_mm)
    return regions | {f"rim of {RIM_MM:g} mm": rim, "healthy remainder": healthy}


def _octants(grid: Volume, brain: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Eight parts, divided at the brain's centre of mass along the patient's axes, whatever those of the array."""
    index = np.ogrid[tuple(slice(length) for length in brain.shape)]
    beyond = []
    for axis in range(3):
        position = sum(step * along for step, along in zip(grid.affine[axis, :3], index, strict=True))
        beyond.append(position > position[brain].mean())
    octants = {}
    for sides in product((0, 1), repeat=3):
        name = " ".join(names[side] for names, side in zip(SIDES, sides, strict=True))
        octants[name] = brain & np.logical_and.reduce(
            [where == side for where, side in zip(beyond, sides, strict=True)]
        )
    return octants


def _measured(name: str, attention: Volume, region: NDArray[np.bool_]) -> RegionAttention:
    values = attention.array[region]
    return RegionAttention(
        name=name,
        volume_ml=round(values.size * attention.voxel_volume_ml, 3),
        mean=round(float(values.mean()), 4),
        percentile_95=round(float(np.percentile(values, 95)), 4),
    )
