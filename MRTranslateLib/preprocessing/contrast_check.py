"""Does a volume look like its label? A simple detector for swapped files; it warns and never refuses.

Three ratios say how fluid and cortex stand against the rest. The thresholds keep a distance from all 78 volumes of the
open data, so that right labels are hardly ever doubted (none of them is); the price is that some swaps pass. Doubted
there: T1w called T2w 22 of 22, T2w called T1w 17 of 19, T2w called FLAIR 17 of 19, FLAIR called T2w 20 of 22, FLAIR
called T1w 9 of 22, T1w called FLAIR 3 of 22. T1w and T1wGd are not told apart, and PDw, of which the open data have
none, is never doubted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.volume import Volume

GRID_MM = 2.0
CENTRE_RADIUS_MM = 30.0
"""Around the mask's centroid lie the ventricles and deep tissue."""
RIM_MM, DEEP_MM = (3.0, 8.0), (15.0, 30.0)
"""Depth under the mask's surface: mostly cortex, and mostly white matter."""
FLUID_BRIGHT, NO_DARK_FLUID = 2.2, 0.38
"""T2w is brighter than the first (other contrasts rarely) and its darkest centre stays above the second."""
FLUID_DARK, FLUID_FLAT = 0.36, 1.4
"""No T2w of the open data is below these (0.42 and 1.49)."""
CORTEX_BRIGHT, CORTEX_DARK = 1.05, 0.80
"""T1w cortex reaches at most 0.96 of the deep tissue in the open data, FLAIR cortex at least 0.84."""


@dataclass(frozen=True)
class ContrastFeatures:
    """Ratios of intensities in the brain.

    Attributes:
        dark: 2nd percentile over median of the brain's centre; low where fluid is dark (T1w, FLAIR).
        bright: 98th percentile over median of the brain's centre; high where fluid is bright (T2w).
        cortex: Median of the rim over median of the deep tissue; below 1 on T1w.
    """

    dark: float
    bright: float
    cortex: float


def contrast_features(volume: Volume, brain_mask: Volume) -> ContrastFeatures | None:
    """Measure on about every 2 mm; None if the mask is too small or too thin to have a rim and a centre.

    Args:
        volume: Finite values.
        brain_mask: Nonzero is brain; on the grid of ``volume``.
    """
    steps = [max(1, round(GRID_MM / mm)) for mm in volume.spacing_mm]
    every = tuple(slice(None, None, step) for step in steps)
    spacing = np.array(volume.spacing_mm) * steps
    values, brain = volume.array[every].astype(np.float64), brain_mask.array[every] != 0
    depth = ndimage.distance_transform_edt(np.pad(brain, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    positions = np.argwhere(brain) * spacing
    rim = values[(depth > RIM_MM[0]) & (depth < RIM_MM[1])]
    deep = values[(depth > DEEP_MM[0]) & (depth < DEEP_MM[1])]
    if rim.size < 100 or deep.size < 100:
        return None
    near = np.linalg.norm(positions - positions.mean(axis=0), axis=1) < CENTRE_RADIUS_MM
    dark, middle, bright = np.percentile(values[brain][near], (2, 50, 98))
    level = float(np.median(deep))
    if middle <= 0 or level <= 0:
        return None
    return ContrastFeatures(float(dark / middle), float(bright / middle), float(np.median(rim) / level))


def likely_contrasts(volume: Volume, brain_mask: Volume) -> frozenset[Contrast]:
    """The contrasts this volume may be; all of them where nothing can be said. Arguments as above."""
    features = contrast_features(volume, brain_mask)
    return frozenset(Contrast) if features is None else _compatible(features)


def _compatible(features: ContrastFeatures) -> frozenset[Contrast]:
    unlikely: set[Contrast] = set()
    if features.bright > FLUID_BRIGHT and features.dark > NO_DARK_FLUID:
        unlikely |= {Contrast.T1W, Contrast.T1W_GD, Contrast.FLAIR}
    if features.dark < FLUID_DARK or features.bright < FLUID_FLAT:
        unlikely |= {Contrast.T2W}
    if features.cortex > CORTEX_BRIGHT:
        unlikely |= {Contrast.T1W, Contrast.T1W_GD}
    if features.cortex < CORTEX_DARK:
        unlikely |= {Contrast.FLAIR}
    return frozenset(set(Contrast) - unlikely)


def check_contrast(volume: Volume, brain_mask: Volume, label: Contrast, name: str) -> list[str]:
    """Warn if ``volume`` looks unlike ``label``; ``name`` is how the message calls the volume."""
    likely = likely_contrasts(volume, brain_mask)
    if label in likely:
        return []
    alternatives = " or ".join(contrast for contrast in Contrast if contrast in likely)
    return [f"{name} is labelled {label} but looks more like {alternatives}; check that the files are not swapped"]
