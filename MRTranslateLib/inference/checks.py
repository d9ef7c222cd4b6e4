"""The plausibility checks as a part of a translation: on the working grid, where sources and result lie together."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.attention.regions import SIDES
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.low_resolution import AcquiredSlices
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.plausibility.discrepancies import find_discrepancies
from MRTranslateLib.plausibility.report import ChecksRecord, Finding
from MRTranslateLib.plausibility.sentences import place_in_words
from MRTranslateLib.plausibility.statement import STATEMENT
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import from_slices

CONTINUED_MM = 12.0
"""Beyond the end of an acquired target its last values stand in for it so far, about the depth of the searches'
surroundings: a step to 0 there would be taken for a structure."""


def findings_of(
    slices: NDArray[np.float32], *, prepared: Prepared, target: Contrast, acquired: AcquiredSlices | None = None
) -> ChecksRecord:
    """Check a translation against what it was made from.

    Args:
        slices: The translated slices of ``prepared``, ``(len(prepared.indices), H, W)``, 0..1.
        prepared: What was translated.
        target: Contrast that the slices show.
        acquired: The target as it was acquired at low resolution: counts as one more source where it shows anything.
    """
    first, last = int(prepared.indices[0]), int(prepared.indices[-1])
    every = prepared.grid.translate_every
    synthetic = np.zeros((*slices.shape[:0:-1], (last - first) // every + 1), np.float32)
    synthetic[:, :, (prepared.indices - first) // every] = from_slices(slices)
    sources = {contrast: from_slices(source[first : last + 1 : every]) for contrast, source in prepared.slices.items()}
    right, anterior, superior = prepared.box
    affine = prepared.grid.grid.affine.copy()
    affine[:3, 3] = (affine @ [right.start, anterior.start, superior.start + first, 1.0])[:3]
    affine[:3, 2] *= every
    inside = resample(prepared.brain.volume, prepared.grid.grid, interpolation="nearest").array[prepared.box]
    brain = inside[:, :, first : last + 1 : every] != 0
    if acquired is None:
        return ChecksRecord(findings=find_discrepancies(synthetic, target, sources, brain, affine), statement=STATEMENT)
    rows = slice(first, last + 1, every)
    values, covered = from_slices(acquired.values[rows]), from_slices(acquired.covered[rows])
    findings = _with_acquired(synthetic, target, sources, (values, covered), brain, affine)
    said = f"The low-resolution {target} counted as a source where it was acquired; it cannot show what is finer."
    return ChecksRecord(findings=findings, statement=f"{STATEMENT} {said}")


def _with_acquired(
    synthetic: NDArray[np.float32],
    target: Contrast,
    sources: Mapping[Contrast, NDArray[np.float32]],
    acquired: tuple[NDArray[np.float32], NDArray[np.bool_]],
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> tuple[Finding, ...]:
    """The findings with an acquired target (values and where there are any) among the sources, without it elsewhere."""
    values, covered = acquired
    away, nearest = ndimage.distance_transform_edt(
        ~covered, sampling=np.linalg.norm(affine[:3, :3], axis=0), return_indices=True
    )
    witness = np.where(away <= CONTINUED_MM, values[tuple(nearest)], np.float32(0)) * brain
    found = find_discrepancies(synthetic, target, {**sources, target: witness}, brain, affine)
    if not covered[brain].all():
        elsewhere = find_discrepancies(synthetic, target, sources, brain, affine)
        kept = [finding for finding in found if _is_in(covered, affine, finding)]
        kept += [finding for finding in elsewhere if not _is_in(covered, affine, finding)]
        found = tuple(sorted(kept, key=lambda finding: -finding.score))
    middle_mm = affine[:3, :3] @ np.argwhere(brain).mean(axis=0) + affine[:3, 3]
    return tuple(
        _of_acquired(finding, target, middle_mm) if finding.contrast == target else finding for finding in found
    )


def _is_in(region: NDArray[np.bool_], affine: NDArray[np.float64], finding: Finding) -> bool:
    index = np.rint(np.linalg.solve(affine, [*finding.center_ras_mm, 1.0])[:3]).astype(int)
    return bool(region[tuple(np.clip(index, 0, np.array(region.shape) - 1))])


def _of_acquired(finding: Finding, target: Contrast, middle_mm: NDArray[np.float64]) -> Finding:
    """What vanished although the acquired target shows it, in words that tell both images of one contrast apart."""
    beyond = np.array(finding.center_ras_mm) > middle_mm
    place = place_in_words(" ".join(names[int(side)] for names, side in zip(SIDES, beyond, strict=True)))
    told = (
        f"A {finding.sign} structure of {finding.volume_ml:.1f} ml that the acquired low-resolution {target} shows, "
        f"{place}, is not to be seen in the result: look at the acquired {target} there and do not rely on the result."
    )
    return msgspec.structs.replace(finding, sentence=told)
