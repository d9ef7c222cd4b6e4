"""Score a synthetic volume as ``translate`` writes it against a real scan in its own units."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from MRTranslateLib.errors import InputError
from MRTranslateLib.io import read_mask, read_volume
from MRTranslateLib.metrics.regions import Report, evaluate_regions
from MRTranslateLib.preprocessing.normalization import (
    BRAIN_PERCENTILE,
    SYNTHETIC_UNITS,
    IntensityScale,
    brain_scale,
    normalize,
)
from MRTranslateLib.volume import Volume, same_grid

PLAUSIBLE_SYNTHETIC_SCALE = (0.2, 5.0)
"""A synthetic whose brain percentile is outside these multiples of ``SYNTHETIC_UNITS`` is hardly in our units."""
STRIPPED_FRACTION = 0.7
"""A stripped brain fills less of its grid than this, however tightly it is cropped (an ellipsoid fills 0.52)."""


def evaluate_files(
    synthetic: Path, reference: Path, *, brain_mask: Path | None = None, lesion_mask: Path | None = None
) -> Report:
    """Read the files and :func:`evaluate_volumes` them; formats as :func:`MRTranslateLib.io.read_volume`."""
    return evaluate_volumes(
        read_volume(synthetic),
        read_volume(reference),
        brain_mask=None if brain_mask is None else read_mask(brain_mask),
        lesion_mask=None if lesion_mask is None else read_mask(lesion_mask),
    )


def evaluate_volumes(
    synthetic: Volume, reference: Volume, *, brain_mask: Volume | None = None, lesion_mask: Volume | None = None
) -> Report:
    """Measure a synthetic volume against the real one, both brought to 0..1 and clipped there.

    The synthetic is divided by ``SYNTHETIC_UNITS`` and never by a statistic of its own: its absolute level is part
    of what is judged. The reference is divided by the 99.5th percentile of its brain (METHODS.md 5.1).

    Args:
        synthetic: In the units ``translate`` writes: 1000 is the 99.5th percentile of the target's brain.
        reference: The real target contrast in any units, on the same grid.
        brain_mask: Nonzero is brain; None takes the voxels where the reference is above 0, which is right for a
            skull-stripped reference only.
        lesion_mask: Integer labels, 0 is no lesion; None when there is none.

    Raises:
        InputError: If the grids differ, a mask is empty, or a volume holds no usable intensities.
    """
    notes: list[str] = []
    if brain_mask is None:
        brain_mask = reference.with_array(reference.array > 0)
        if brain_mask.array.mean() > STRIPPED_FRACTION:
            notes.append("the reference does not look skull-stripped, so air and skull count too: give a brain mask")
    if not same_grid(brain_mask, reference):
        raise InputError(
            f"the brain mask {brain_mask.shape} lies on another grid than the reference {reference.shape}: "
            "resample it to the reference's grid first"
        )
    true = reference.with_array(normalize(reference.array, brain_scale(reference, brain_mask)))
    test = synthetic.with_array(normalize(synthetic.array, IntensityScale(SYNTHETIC_UNITS)))
    report = evaluate_regions(test, true, brain_mask, lesion_mask)
    level = float(np.percentile(synthetic.array[brain_mask.array != 0], BRAIN_PERCENTILE))
    low, high = (factor * SYNTHETIC_UNITS for factor in PLAUSIBLE_SYNTHETIC_SCALE)
    if not low <= level <= high:
        notes.append(
            f"the synthetic's brain reaches {level:g} where about {SYNTHETIC_UNITS:g} is expected: "
            "was it written by mrtranslate translate?"
        )
    return msgspec.structs.replace(report, notes=(*notes, *report.notes))
