"""Structures of the synthetic image without counterpart in any source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.plausibility.counterpart import explained_share
from MRTranslateLib.plausibility.expectation import typical_size, unexplained
from MRTranslateLib.plausibility.mirrored import beyond_mirror, without_unevenness
from MRTranslateLib.plausibility.report import Sign
from MRTranslateLib.plausibility.standing_out import Region, regions_standing_out

Image = NDArray[np.float32]

MIN_DEPARTURE = 0.065
"""Height of the smoothed departure: less than half of 0.15, the faintest structure that must be found."""
MIN_CONTRAST = 0.12
"""Mean of what the sources leave unexplained within half height, which is about 0.8 of the peak: 0.15 there."""
MIN_DEPTH_VOXELS = 2.0
"""Mean distance from the surface of the brain, 4 mm: a rim along the surface has less, a ball of 1 ml that touches it
6 mm. Rims are partial volume and uneven brightness."""
MAX_EXPLAINED, MAX_EXPLAINED_BESIDE_LESION = 0.35, 0.15
"""More than this share explained by the sources in and around the region is a counterpart; the second where a source
departs from its own mirrored half by more than ``SOURCE_DEPARTURE``."""
SOURCE_DEPARTURE = 0.08
"""In or around the region, 95th percentile. Chosen on development phantoms, as the shares above."""
STRONG_SCORE, STRONG_FACTOR = 3.0, 1.5
"""What departs from the other half so many times as far as needed may be explained to so many times that share: a
border of tissue within the region takes part in both. On real scans a laxer share lists fluid spaces in the middle."""
MIDLINE_VOXELS = 4
"""So close to the plane of symmetry, 8 mm, a structure would excuse itself."""
MIDLINE_SIZES = 2.0
"""There it must stand out from so many times the residual's usual size in such tissue."""
SURROUNDINGS_VOXELS = 3


@dataclass(frozen=True, eq=False)
class Hallucination:
    """A region, whether it is bright or dark, and how many times the least departure it has."""

    region: Region
    sign: Sign
    score: float


def find_hallucinations(synthetic: Image, sources: Sequence[Image], brain: NDArray[np.bool_]) -> list[Hallucination]:
    """Regions of a symmetric grid where the synthetic image shows what no source does."""
    residual = unexplained(synthetic, sources, brain)
    departure = _departure(residual, sources, brain)
    source_departures = [np.abs(beyond_mirror(without_unevenness(source, brain), brain)) for source in sources]
    depth = ndimage.distance_transform_edt(brain)
    found = []
    signs: tuple[tuple[Sign, int], ...] = (("bright", 1), ("dark", -1))
    for sign, factor in signs:
        for region in regions_standing_out(factor * departure, factor * residual, MIN_DEPARTURE):
            around = region.grown(SURROUNDINGS_VOXELS) & brain
            beside = max(float(np.percentile(away[around], 95)) for away in source_departures) > SOURCE_DEPARTURE
            score = region.height / MIN_DEPARTURE
            is_strong = score >= STRONG_SCORE and abs(region.peak[0] - brain.shape[0] // 2) > MIDLINE_VOXELS
            allowed = MAX_EXPLAINED_BESIDE_LESION if beside else MAX_EXPLAINED
            if (
                depth[region.mask].mean() >= MIN_DEPTH_VOXELS
                and factor * residual[region.mask].mean() >= MIN_CONTRAST
                and explained_share(residual, sources, region.mask, around)
                <= allowed * (STRONG_FACTOR if is_strong else 1)
            ):
                found.append(Hallucination(region, sign, score))
    return found


def _departure(residual: Image, sources: Sequence[Image], brain: NDArray[np.bool_]) -> Image:
    """Beyond what is also unexplained on the other side; beside the middle, beyond what is usual in such tissue."""
    departure = beyond_mirror(residual, brain, around_zero=True)
    usual = MIDLINE_SIZES * typical_size(residual, sources, brain)
    alone = np.sign(residual) * np.maximum(np.abs(residual) - usual, 0)
    middle = residual.shape[0] // 2
    strip = slice(middle - MIDLINE_VOXELS, middle + MIDLINE_VOXELS + 1)
    departure[strip] = alone[strip]
    return departure
