"""Brings a translated volume to the level that it and a source tell as a whole (see networks/level_model.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.level_model import LevelModel, LevelSigns
from MRTranslateLib.plausibility.mirrored import departure_from_mirror, without_unevenness
from MRTranslateLib.plausibility.symmetric_grid import symmetric_grid
from MRTranslateLib.preprocessing.normalization import BRAIN_PERCENTILE
from MRTranslateLib.volume import from_slices

Slices = NDArray[np.float32]

ASYMMETRY_PERCENTILE = 95.0
GAIN_RANGE = (0.5, 2.0)
"""A result is never changed by more: what would need it is not of a brain as the level's model knows them."""
MEDIAN_RANGE = (0.05, 0.95)
"""Nor is a result that is nearly black or nearly white."""


def level_signs(source: Slices, voxel_size_mm: tuple[float, float, float], result: Slices) -> LevelSigns:
    """Measure a source and a result.

    Args:
        source: ``(S, H, W)``, 0..1, zero outside the brain, not all zero.
        voxel_size_mm: Slice distance, height, width.
        result: ``(V,)``, 0..1, values of the brain's voxels as the generator made them; their median above 0.
    """
    volume = np.ascontiguousarray(from_slices(source))
    brain = volume > 0
    affine = np.diag([*reversed(voxel_size_mm), 1.0])
    grid = symmetric_grid(volume, brain, affine)
    share = grid.sample(brain.astype(np.float32), affine)
    inside = share > 0.5
    flat = without_unevenness(grid.sample_brain(volume, share, affine), inside)
    departure = np.abs(departure_from_mirror(flat, inside))
    asymmetry = float(np.percentile(departure[inside], ASYMMETRY_PERCENTILE)) if inside.any() else 0.0
    return LevelSigns(float(np.median(volume[brain])), asymmetry, brightest_sign(result))


def brightest_sign(result: Slices) -> float:
    """:attr:`LevelSigns.brightest` of a result, given as for :func:`level_signs`."""
    middle, brightest = np.percentile(result, (50, BRAIN_PERCENTILE))
    return math.log(brightest / middle)


@dataclass(frozen=True)
class LevelCurve:
    """Brings a result's median to a level; black stays black.

    What is brighter than the median, lesions above all, follows half as far: 1 is the target's brightest whatever the
    level, so the generator knows better how bright it is. On validation people the same gain for all values cost
    lesions 0.6 dB more and gained the brain nothing.

    Attributes:
        source: Contrast that told the level.
        median: Of the result as it is, above 0 and below 1.
        level: What it becomes, above 0.
    """

    source: Contrast
    median: float
    level: float

    def __call__(self, values: Slices) -> Slices:
        """The changed values, 0..1; ``values`` may exceed that range and are cut off."""
        gain = self.level / self.median
        slope = ((1 + gain) / 2 - self.level) / (1 - self.median)
        cut = np.clip(values, 0, 1)
        changed = np.minimum(cut, np.float32(self.median)) * np.float32(gain)
        changed += np.maximum(cut - np.float32(self.median), 0) * np.float32(slope)
        raised: Slices = np.clip(changed, 0, 1, out=changed)
        return raised


def level_curve(
    models: tuple[LevelModel, ...],
    target: Contrast,
    sources: Mapping[Contrast, Slices],
    voxel_size_mm: tuple[float, float, float],
    translated: Slices,
    tissue: NDArray[np.bool_],
) -> LevelCurve | None:
    """What a result is to be changed by.

    Args:
        models: Of the generator.
        target: Contrast of the result.
        sources: Whole volumes ``(S, H, W)``, 0..1, zero outside the brain.
        voxel_size_mm: Slice distance, height, width.
        translated: Slices of the result, evenly over the brain if they are not all.
        tissue: Same shape, the brain.

    Returns:
        None where no model speaks of the target, its source is not given, or there is nothing to measure.
    """
    model = next((model for model in models if model.target == target), None)
    if model is None or model.source not in sources or not sources[model.source].any() or not tissue.any():
        return None
    result = translated[tissue]
    median = float(np.median(result))
    if not MEDIAN_RANGE[0] <= median <= MEDIAN_RANGE[1]:
        return None
    signs = level_signs(sources[model.source], voxel_size_mm, result)
    lowest, highest = GAIN_RANGE
    gain = np.clip(model.level(signs) / median, lowest, highest)
    return LevelCurve(model.source, median, float(gain) * median)
