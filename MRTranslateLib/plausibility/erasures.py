"""Lesions that a source shows and the synthetic image does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.plausibility.counterpart import explained_share
from MRTranslateLib.plausibility.mirrored import departure_from_mirror, minus_mirror, without_unevenness
from MRTranslateLib.plausibility.report import Sign
from MRTranslateLib.plausibility.standing_out import Region, regions_standing_out

Image = NDArray[np.float32]

LESION_SIGN: Mapping[Contrast, Sign] = {
    Contrast.T1W: "dark",
    Contrast.T1W_GD: "dark",
    Contrast.T2W: "bright",
    Contrast.PDW: "bright",
    Contrast.FLAIR: "bright",
}
"""How water-rich lesions show; an enhancing rim is no lesion that other contrasts must show, and is not sought."""
MIN_DEPARTURE = 0.09
"""Height of the smoothed departure from the mirrored half of the source. Chosen: lesions planted in the white matter of
development phantoms mostly had 0.1 to 0.35, sulci of real people that differ between the sides often 0.08."""
FLUID: Mapping[Contrast, float] = {Contrast.T1W: 0.15, Contrast.T1W_GD: 0.15, Contrast.FLAIR: 0.2}
"""Below this (median of the region) it is fluid: wider sulci or a larger ventricle on one side, not a lesion.
Necrosis is brighter in both."""
MAX_FOLLOWED = 0.35
"""If the synthetic image's difference between the halves explains more of the source's, it shows the structure."""
MAX_SHOWN_INSIDE, MAX_SHOWN_AROUND = 0.065, 0.085
"""If the synthetic image itself departs so far from its mirrored half, in the region (75th percentile) or in and around
it (95th), it shows something. Chosen on development phantoms: shown lesions mostly had more, erased ones less."""
MIN_SOURCE_DIFFERENCE, MAX_SYNTHETIC_DIFFERENCE = 0.08, 0.05
"""Mean difference between the halves over a region: a source shows a lesion, the synthetic image nothing."""
MIDLINE_VOXELS = 3
SURROUNDINGS_VOXELS = 3


@dataclass(frozen=True, eq=False)
class Erasure:
    """A region, the source that shows it, how, and how many times the least departure it has there."""

    region: Region
    contrast: Contrast
    sign: Sign
    score: float


def find_erasures(synthetic: Image, sources: Mapping[Contrast, Image], brain: NDArray[np.bool_]) -> list[Erasure]:
    """Regions of a symmetric grid where a source alone departs from its mirrored half, as lesions do."""
    synthetic_flat = without_unevenness(synthetic, brain)
    shown, synthetic_difference = (
        np.abs(departure_from_mirror(synthetic_flat, brain)),
        minus_mirror(synthetic_flat, brain),
    )
    found = []
    for contrast, source in sources.items():
        factor = 1 if LESION_SIGN[contrast] == "bright" else -1
        flat = without_unevenness(source, brain)
        departure, difference = factor * departure_from_mirror(flat, brain), factor * minus_mirror(flat, brain)
        middle = brain.shape[0] // 2
        departure[middle - MIDLINE_VOXELS : middle + MIDLINE_VOXELS + 1] = 0  # it would be its own mirror image
        for region in regions_standing_out(departure, difference, MIN_DEPARTURE):
            around = region.grown(SURROUNDINGS_VOXELS) & brain
            if (
                np.percentile(shown[region.mask], 75) <= MAX_SHOWN_INSIDE
                and np.percentile(shown[around], 95) <= MAX_SHOWN_AROUND
                and not _is_fluid(region, sources)
                and explained_share(difference, [synthetic_difference], region.mask, around) <= MAX_FOLLOWED
            ):
                found.append(Erasure(region, contrast, LESION_SIGN[contrast], region.height / MIN_DEPARTURE))
    return found


def _is_fluid(region: Region, sources: Mapping[Contrast, Image]) -> bool:
    return any(
        contrast in FLUID and float(np.median(source[region.mask])) < FLUID[contrast]
        for contrast, source in sources.items()
    )


def erasure_behind(
    region: Region, score: float, synthetic: Image, sources: Mapping[Contrast, Image], brain: NDArray[np.bool_]
) -> Erasure | None:
    """Ordinary tissue in place of a lesion looks like a hallucination, as the sources let expect something else.

    Args:
        region: Where the synthetic image is not what the sources let expect.
        score: Of that.
        synthetic: On a symmetric grid, as the others.
        sources: At least one.
        brain: The brain.

    Returns:
        The erasure, if a source departs from its mirrored half as lesions do and the synthetic image does not at all.
    """

    def difference(image: Image) -> float:
        return float(minus_mirror(without_unevenness(image, brain), brain)[region.mask].mean())

    if abs(difference(synthetic)) > MAX_SYNTHETIC_DIFFERENCE:
        return None
    strength = {
        contrast: difference(source) * (1 if LESION_SIGN[contrast] == "bright" else -1)
        for contrast, source in sources.items()
    }
    best = max(strength, key=lambda contrast: strength[contrast])
    return Erasure(region, best, LESION_SIGN[best], score) if strength[best] >= MIN_SOURCE_DIFFERENCE else None
