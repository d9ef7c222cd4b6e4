"""The report as a part of a translation: from what the run made to the text of a page or of a JSON file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import UsageError
from MRTranslateLib.files import json_text, shown
from MRTranslateLib.inference.low_resolution import AcquiredSlices
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS
from MRTranslateLib.provenance import FileRecord, Provenance
from MRTranslateLib.translation_report.build import translation_report
from MRTranslateLib.translation_report.images import Images
from MRTranslateLib.volume import Volume, to_canonical

FORMATS = (".html", ".json")


def require_report_format(path: Path) -> None:
    """Refuse a report that is neither a page nor JSON.

    Raises:
        UsageError: If the name ends otherwise.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"cannot write a report to {shown(path)}: give a name that ends in .html or .json")


def report_text(
    path: Path, record: Provenance, card: ModelCard, images: Images, *, lesion_mask: FileRecord | None
) -> str:
    """What to write into the file: a page for ``.html``, else JSON.

    Args:
        path: Its name.
        record: How the result was made.
        card: Of the model.
        images: What was made.
        lesion_mask: Where its lesion mask came from; None without.
    """
    report = translation_report(record, card, images, lesion_mask=lesion_mask)
    if path.suffix.lower() == ".json":
        return json_text(report)
    from MRTranslateLib.translation_report.page import render_html
    from MRTranslateLib.translation_report.pictures import pictures

    return render_html(report, pictures(report, images))


def report_images(
    prepared: Prepared,
    first: Volume,
    result: Volume,
    *,
    attention: Volume | None,
    half_width: Volume | None,
    lesion: NDArray[np.integer] | None,
    acquired: AcquiredSlices | None = None,
) -> Images:
    """What a run has made, on the canonical form of the first source's grid.

    Args:
        prepared: The sources as the network saw them.
        first: The first source.
        result: On its grid, 1000 is the 99.5th percentile of the brain.
        attention: On its grid; None without.
        half_width: On its grid, in the unit of the result; None without.
        lesion: Labels on its grid; None without.
        acquired: The target as it was acquired at low resolution; None without.
    """
    volume = to_canonical(result)
    sources = {
        contrast: to_canonical(values_on_output_grid(slices[prepared.indices], prepared, first))
        for contrast, slices in prepared.slices.items()
    }
    return Images(
        brain=prepared.brain.volume.with_array(prepared.brain.volume.array != 0),
        result=volume.with_array(volume.array / np.float32(SYNTHETIC_UNITS)),
        sources=sources,
        low_resolution=None
        if acquired is None
        else to_canonical(values_on_output_grid(acquired.values[prepared.indices], prepared, first)),
        attention=None if attention is None else to_canonical(attention),
        half_width=None if half_width is None else to_canonical(half_width),
        lesion=None if lesion is None else to_canonical(Volume(lesion, first.affine)),
    )
