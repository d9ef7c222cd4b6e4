"""Lesions that a source shows and the synthetic image does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.plausibility.counterpart import explained_share
from MRTranslateLib.plausibility.expectation import unexplained
from MRTranslateLib.plausibility.mirrored import (
    departure_from_mirror,
    minus_mirror,
    without_unevenness,
)
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
MIN_DEPARTURE = 0.05
"""Height of a smoothed peak of either kind of evidence that is looked at."""
MIN_STRENGTH_DEEP, MIN_STRENGTH_SUPERFICIAL = 0.11, 0.30
"""Of both kinds of evidence together, mean over the region. Folds and sulci differ between the halves and blur the
relation of contrasts, hence the second beside the surface: there real scans had up to 0.27 where nothing had vanished,
deep erased lesions of development phantoms mostly 0.11 to 0.6."""
SUPERFICIAL_VOXELS, DEEP_VOXELS = 4.0, 8.0
"""Mean distance from the surface of the brain, 8 and 16 mm; the strength needed falls linearly in between."""
FLUID: Mapping[Contrast, float] = {Contrast.T1W: 0.15, Contrast.T1W_GD: 0.15, Contrast.FLAIR: 0.2}
"""Below this (median of the region) it is fluid: wider sulci or a larger ventricle on one side, not a lesion.
Necrosis is brighter in both."""
MAX_FOLLOWED = 0.5
"""If the synthetic image's difference between the halves explains more of the source's, it shows the structure."""
MAX_SHOWN_INSIDE, MAX_SHOWN_AROUND = 0.085, 0.1
"""If the synthetic image itself departs so far from its mirrored half, in the region (75th percentile) or around it
(95th; a necrosis may look like tissue, but the oedema around it does not), it shows something. Chosen on development
phantoms: shown lesions mostly had more, erased ones less."""
MIN_SOURCE_DIFFERENCE, MAX_SYNTHETIC_DIFFERENCE = 0.08, 0.05
"""Mean difference between the halves over a region: a source shows a lesion, the synthetic image nothing."""
MIDLINE_VOXELS = 3
SURROUNDINGS_VOXELS = 3


@dataclass(frozen=True, eq=False)
class Erasure:
    """A region, the source that shows it, how, and how many times the evidence needed there it has."""

    region: Region
    contrast: Contrast
    sign: Sign
    score: float


def find_erasures(
    synthetic: Image, target: Contrast, sources: Mapping[Contrast, Image], brain: NDArray[np.bool_]
) -> list[Erasure]:
    """Regions of a symmetric grid where a source shows a lesion and the synthetic image does not.

    A lesion makes a source depart from its own mirrored half, and, as the synthetic image lacks it, from what the
    synthetic image lets expect (as :func:`unexplained` has it, the other way round). Each kind of evidence alone is
    common in health: halves differ, and one contrast does not tell all that another shows. Regions are sought in both,
    and judged by their sum. Where the target itself is among the sources, acquired at low resolution, and does not show
    the lesion of another source either, nothing has vanished.

    Source:
        Proposal.
    """
    synthetic_difference = minus_mirror(without_unevenness(synthetic, brain), brain)
    shown = _Shown.by(synthetic, brain)
    acquired = _Shown.by(sources[target], brain) if target in sources else None
    depth = ndimage.distance_transform_edt(brain)
    found = []
    for contrast, source in sources.items():
        evidence = _evidence(source, synthetic, brain, LESION_SIGN[contrast])
        for region in evidence.candidates():
            around = region.grown(SURROUNDINGS_VOXELS) & brain
            score = evidence.strength(region) / _strength_needed(float(depth[region.mask].mean()))
            if (
                score >= 1
                and not shown.shows(region.mask, around)
                and (acquired is None or contrast == target or acquired.shows(region.mask, around))
                and not _is_fluid(region, sources)
                and explained_share(evidence.difference, [synthetic_difference], region.mask, around) <= MAX_FOLLOWED
            ):
                found.append(Erasure(region, contrast, LESION_SIGN[contrast], score))
    return found


@dataclass(frozen=True, eq=False)
class _Shown:
    """How far an image departs from its own mirrored half, absolute."""

    departure: Image

    @classmethod
    def by(cls, image: Image, brain: NDArray[np.bool_]) -> _Shown:
        return cls(np.abs(departure_from_mirror(without_unevenness(image, brain), brain)))

    def shows(self, inside: NDArray[np.bool_], around: NDArray[np.bool_]) -> bool:
        """Whether the image has anything of its own in a region or, without it, around."""
        return bool(
            np.percentile(self.departure[inside], 75) > MAX_SHOWN_INSIDE
            or np.percentile(self.departure[around & ~inside], 95) > MAX_SHOWN_AROUND
        )


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Maps of one source, positive where it is as lesions are.

    Attributes:
        departure: From its mirrored half.
        difference: To its mirrored half.
        beyond: What the synthetic image leaves unexplained, beyond the same on the other side.
        unexplained: All of that.
    """

    departure: Image
    difference: Image
    beyond: Image
    unexplained: Image

    def candidates(self) -> list[Region]:
        """Regions of either kind of evidence, which may overlap."""
        return [
            *regions_standing_out(self.departure, self.difference, MIN_DEPARTURE),
            *regions_standing_out(self.beyond, self.unexplained, MIN_DEPARTURE),
        ]

    def strength(self, region: Region) -> float:
        """Of both kinds in a region."""
        return float((self.departure + self.beyond)[region.mask].mean())


def _evidence(source: Image, synthetic: Image, brain: NDArray[np.bool_], sign: Sign) -> _Evidence:
    factor = np.float32(1 if sign == "bright" else -1)
    flat = without_unevenness(source, brain)
    departure, residual = factor * departure_from_mirror(flat, brain), factor * unexplained(source, [synthetic], brain)
    middle = brain.shape[0] // 2
    departure[middle - MIDLINE_VOXELS : middle + MIDLINE_VOXELS + 1] = 0  # it would be its own mirror image
    return _Evidence(
        departure,
        factor * minus_mirror(flat, brain),
        departure_from_mirror(residual, brain, around_zero=True),
        residual,
    )


def _strength_needed(depth_voxels: float) -> float:
    share = np.clip((depth_voxels - SUPERFICIAL_VOXELS) / (DEEP_VOXELS - SUPERFICIAL_VOXELS), 0, 1)
    return float(MIN_STRENGTH_SUPERFICIAL + (MIN_STRENGTH_DEEP - MIN_STRENGTH_SUPERFICIAL) * share)


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
