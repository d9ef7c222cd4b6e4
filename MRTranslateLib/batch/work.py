"""One case's work, the same in this process, in a worker and on a cluster: translate, draw, measure."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from MRTranslateLib.failures import explain
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker.translate import TranslateParameters, run_translate

if TYPE_CHECKING:
    from MRTranslateLib.batch.outcome import CaseOutcome
    from MRTranslateLib.metrics.regions import Report

TRANSLATED = 0.9
"""Share of the progress before a result is drawn and measured."""


class CaseWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done.

    Attributes:
        case_id: Whose.
        translation: From which files to which.
        preview: File to draw a slice of the result into.
        reference: The real target, to measure the result; None where it was not acquired.
        lesion_mask: To measure it in lesions too; None without.
    """

    case_id: str
    translation: TranslateParameters
    preview: str
    reference: str | None = None
    lesion_mask: str | None = None


def run_case(work: CaseWork, progress: Progress) -> CaseOutcome:
    """Translate one case, draw a slice of it and, where there is a reference, measure the result.

    A reference that cannot be used costs the scores, not the result, and so with the picture.

    Raises:
        MRTranslateError: As ``translate``.
    """
    from MRTranslateLib.batch.outcome import CaseOutcome  # brings scipy; a worker answers before

    began = time.perf_counter()
    made = run_translate(work.translation, progress.part(0.0, TRANSLATED))
    problem = _draw(work)
    scores, not_measured = _measured(work)
    return CaseOutcome(
        warnings=(*made.warnings, *made.fallbacks, *problem),
        seconds=round(time.perf_counter() - began, 1),
        scores=scores,
        not_measured=not_measured,
        preview=None if problem else f"{work.case_id}/{Path(work.preview).name}",
    )


def _draw(work: CaseWork) -> tuple[str, ...]:
    """Write the picture; a sentence if that was not possible."""
    from MRTranslateLib.batch.preview import write_preview

    contrast, source = next(iter(work.translation.sources.items()))
    try:
        write_preview(
            Path(work.preview),
            source=(contrast, Path(source)),
            synthetic=(work.translation.target, Path(work.translation.output)),
            reference=None if work.reference is None else Path(work.reference),
        )
    except Exception as error:
        return (f"no picture for the overview: {explain(error)}",)
    return ()


def _measured(work: CaseWork) -> tuple[Report | None, str | None]:
    """Scores against the reference, and why there are none although there is one."""
    if work.reference is None:
        return None, None
    from MRTranslateLib.metrics.files import evaluate_files

    masks = {"brain_mask": work.translation.brain_mask, "lesion_mask": work.lesion_mask}
    given = {name: None if path is None else Path(path) for name, path in masks.items()}
    try:
        return evaluate_files(Path(work.translation.output), Path(work.reference), **given), None
    except Exception as error:  # memory may be too short for it; the result is there
        return None, str(explain(error))
