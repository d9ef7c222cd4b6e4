"""Score a synthetic volume as ``translate`` writes it against a real scan in its own units."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from MRTranslateLib.errors import InputError
from MRTranslateLib.io import read_mask, read_volume
from MRTranslateLib.metrics.regions import Report, check_grid, evaluate_regions
from MRTranslateLib.preprocessing.brain_mask import check_mask_values, stripped_outline
from MRTranslateLib.preprocessing.guard import check_intensities
from MRTranslateLib.preprocessing.normalization import (
    BRAIN_PERCENTILE,
    SYNTHETIC_UNITS,
    IntensityScale,
    brain_scale,
    normalize,
)
from MRTranslateLib.volume import Volume, to_canonical

PLAUSIBLE_SYNTHETIC_SCALE = (0.2, 5.0)
"""A synthetic whose brain percentile is outside these multiples of ``SYNTHETIC_UNITS`` is hardly in our units."""


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
        brain_mask: Nonzero is brain; None takes where a skull-stripped reference is above 0, or, where the reference
            shows the skull, the brain that the synthetic shows.
        lesion_mask: Integer labels, 0 is no lesion; None when there is none.

    Raises:
        InputError: If the grids differ, a mask is empty, neither volume is skull-stripped and there is no brain mask,
            or a volume holds no usable intensities.
    """
    synthetic, reference = to_canonical(synthetic), to_canonical(reference)
    notes: list[str] = []
    check_grid("synthetic", synthetic, reference)
    if brain_mask is None:
        brain_mask, notes = _brain_of(reference, synthetic)
    brain_mask = to_canonical(brain_mask)
    check_mask_values(brain_mask)
    check_grid("brain mask", brain_mask, reference)
    scale = brain_scale(reference, brain_mask)
    notes += check_intensities(reference, brain_mask, "the reference")
    true = reference.with_array(normalize(reference.array, scale))
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


def _brain_of(reference: Volume, synthetic: Volume) -> tuple[Volume, list[str]]:
    """The brain as one of the two shows it, and what to note of it."""
    if stripped_outline(reference) is not None:
        return reference.with_array(reference.array > 0), []
    outline = stripped_outline(synthetic)
    if outline is None:
        raise InputError(
            "neither the reference nor the synthetic volume looks skull-stripped, so where the brain is cannot be "
            "told: give a brain mask"
        )
    return synthetic.with_array(outline), [
        "the reference shows the skull: measured in the brain of the synthetic volume"
    ]
