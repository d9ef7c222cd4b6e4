"""Structures of a synthetic image that no source shows, and structures of a source that it does not show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.attention.regions import SIDES
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.plausibility.coverage import covered
from MRTranslateLib.plausibility.erasures import Erasure, erasure_behind, find_erasures
from MRTranslateLib.plausibility.hallucinations import Hallucination, find_hallucinations
from MRTranslateLib.plausibility.report import Finding, Kind, Sign
from MRTranslateLib.plausibility.sentences import sentence
from MRTranslateLib.plausibility.standing_out import Region
from MRTranslateLib.plausibility.symmetric_grid import SymmetricGrid, symmetric_grid

Image = NDArray[np.float32]

MIN_VOLUME_ML = 0.6
"""Of a region at half height; a structure of 1 ml has about that."""
BROAD_ML, MIN_BROAD_SCORE = 15.0, 2.0
"""What is larger than the first and fainter than the second is unevenness of brightness, not a structure."""
MAX_VOLUME_ML = 60.0
MAX_ERASED_SHARE = 0.5
"""Of what may be a hallucination; if an erased lesion takes more of it, both are that lesion."""


def find_discrepancies(
    synthetic: Image,
    target: Contrast,
    sources: Mapping[Contrast, Image],
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> tuple[Finding, ...]:
    """Compare a synthetic image with its sources.

    Args:
        synthetic: Shape ``(I, J, K)``; 1 is the 99.5th percentile of the brain, 0 outside.
        target: Contrast that it shows.
        sources: At least one, same shape and range.
        brain: Same shape, not empty.
        affine: Shape ``(4, 4)``, voxel index to RAS+ mm; oblique and anisotropic grids are fine.

    Returns:
        The most conspicuous first; empty when nothing stands out.

    Raises:
        ValueError: If shapes differ, there is no source, or the brain is empty.
    """
    shapes = {synthetic.shape, brain.shape, *(source.shape for source in sources.values())}
    if not sources or len(shapes) != 1 or not brain.any():
        raise ValueError(f"need sources and a non-empty brain of one shape, got {len(sources)} sources of {shapes}")
    grid = symmetric_grid(np.sum(list(sources.values()), axis=0, dtype=np.float32), brain, affine)
    share = grid.sample(brain.astype(np.float32), affine)

    def sampled(image: Image) -> Image:
        return grid.sample_brain(image * brain, share, affine)

    given = {contrast: sampled(source) for contrast, source in sources.items()}
    inside = covered(given.values(), share > 0.5)
    if not inside.any():
        return ()
    given = {contrast: source * inside for contrast, source in given.items()}
    findings = _findings(sampled(synthetic) * inside, given, inside, _Words(grid, inside, target))
    return tuple(sorted(findings, key=lambda finding: -finding.score))


def _findings(
    synthetic: Image, sources: Mapping[Contrast, Image], brain: NDArray[np.bool_], words: _Words
) -> list[Finding]:
    """Everything found on a symmetric grid, each place once."""
    findings = []
    erasures = [miss for miss in find_erasures(synthetic, words.target, sources, brain) if words.is_a_structure(miss)]
    erased = np.zeros_like(brain)
    for miss in erasures:
        erased |= miss.region.mask
    for hit in find_hallucinations(synthetic, list(sources.values()), brain):
        behind = erasure_behind(hit.region, hit.score, synthetic, sources, brain)
        if behind is not None and words.is_a_structure(behind):
            erasures.append(behind)
        elif words.is_a_structure(hit) and erased[hit.region.mask].mean() <= MAX_ERASED_SHARE:  # else tissue there
            findings.append(words.finding("hallucination", hit.region, hit.sign, hit.score, None))
    named: NDArray[np.bool_] = np.zeros_like(brain)
    for miss in sorted(erasures, key=lambda miss: -miss.score):
        if not (named & miss.region.mask).any():  # else another source shows the same
            findings.append(words.finding("erasure", miss.region, miss.sign, miss.score, miss.contrast))
        named |= miss.region.grown(2)
    return findings


class _Words:
    """Turns regions of a grid that are large enough into findings."""

    def __init__(self, grid: SymmetricGrid, brain: NDArray[np.bool_], target: Contrast) -> None:
        self.grid, self.target = grid, target
        self.middle_mm = grid.affine[:3, :3] @ np.argwhere(brain).mean(axis=0) + grid.affine[:3, 3]

    def is_a_structure(self, found: Erasure | Hallucination) -> bool:
        """Whether it is neither a sliver nor unevenness."""
        volume_ml = float(found.region.mask.sum()) * self.grid.voxel_ml
        distinct = volume_ml <= BROAD_ML or found.score >= MIN_BROAD_SCORE
        return distinct and MIN_VOLUME_ML <= volume_ml <= MAX_VOLUME_ML

    def finding(self, kind: Kind, region: Region, sign: Sign, score: float, contrast: Contrast | None) -> Finding:
        """One region in numbers and words."""
        indices = np.argwhere(region.mask)
        center_mm = self.grid.affine[:3, :3] @ indices.mean(axis=0) + self.grid.affine[:3, 3]
        right, anterior, superior = (round(float(value), 1) for value in center_mm)
        beyond = center_mm > self.middle_mm
        octant = " ".join(names[int(side)] for names, side in zip(SIDES, beyond, strict=True))
        volume_ml = round(len(indices) * self.grid.voxel_ml, 2)
        return Finding(
            kind=kind,
            center_ras_mm=(right, anterior, superior),
            volume_ml=volume_ml,
            contrast=contrast,
            sign=sign,
            score=round(score, 2),
            sentence=sentence(kind, sign, volume_ml, octant, target=self.target, contrast=contrast),
        )
