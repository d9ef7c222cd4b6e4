"""The plausibility checks as a part of a translation: on the working grid, where sources and result lie together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.plausibility.discrepancies import find_discrepancies
from MRTranslateLib.plausibility.report import ChecksRecord
from MRTranslateLib.plausibility.statement import STATEMENT
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import from_slices


def findings_of(slices: NDArray[np.float32], *, prepared: Prepared, target: Contrast) -> ChecksRecord:
    """Check a translation against what it was made from.

    Args:
        slices: The translated slices of ``prepared``, ``(len(prepared.indices), H, W)``, 0..1.
        prepared: What was translated.
        target: Contrast that the slices show.
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
    return ChecksRecord(findings=find_discrepancies(synthetic, target, sources, brain, affine), statement=STATEMENT)
