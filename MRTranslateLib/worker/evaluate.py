"""Job ``evaluate``: the metrics of a synthetic volume against the real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from MRTranslateLib.progress import Progress

if TYPE_CHECKING:
    from MRTranslateLib.metrics.regions import Report


class EvaluateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files as :func:`MRTranslateLib.metrics.files.evaluate_files` takes them."""

    synthetic: str
    reference: str
    brain_mask: str | None = None
    lesion_mask: str | None = None


def evaluate(parameters: EvaluateParameters, progress: Progress) -> Report:
    """Measure.

    Raises:
        InputError: As :func:`MRTranslateLib.metrics.files.evaluate_volumes`.
    """
    from MRTranslateLib.metrics.files import evaluate_files

    progress.step("evaluate", 0.0)
    return evaluate_files(
        Path(parameters.synthetic),
        Path(parameters.reference),
        brain_mask=None if parameters.brain_mask is None else Path(parameters.brain_mask),
        lesion_mask=None if parameters.lesion_mask is None else Path(parameters.lesion_mask),
    )
