"""One case's work, the same in this process, in a worker and on a cluster: translate, and measure the result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from MRTranslateLib.errors import InputError
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker.translate import TranslateParameters, run_translate

if TYPE_CHECKING:
    from MRTranslateLib.batch.outcome import CaseOutcome

TRANSLATED = 0.9
"""Share of the progress before a result is measured."""


class CaseWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done.

    Attributes:
        case_id: Whose.
        translation: From which files to which.
        reference: The real target, to measure the result; None where it was not acquired.
        lesion_mask: To measure it in lesions too; None without.
    """

    case_id: str
    translation: TranslateParameters
    reference: str | None = None
    lesion_mask: str | None = None


def run_case(work: CaseWork, progress: Progress) -> CaseOutcome:
    """Translate one case and, where there is a reference, measure the result.

    A reference that cannot be used costs the scores, not the result.

    Raises:
        MRTranslateError: As ``translate``.
    """
    # scipy and SimpleITK come with the first job: the worker, which knows this one too, answers before.
    from MRTranslateLib.batch.outcome import CaseOutcome
    from MRTranslateLib.metrics.files import evaluate_files

    began = time.perf_counter()
    through = TRANSLATED if work.reference is not None else 1.0
    made = run_translate(work.translation, progress.part(0.0, through))
    scores, not_measured = None, None
    if work.reference is not None:
        masks = {"brain_mask": work.translation.brain_mask, "lesion_mask": work.lesion_mask}
        given = {name: None if path is None else Path(path) for name, path in masks.items()}
        try:
            scores = evaluate_files(Path(made.output), Path(work.reference), **given)
        except InputError as error:
            not_measured = str(error)
    return CaseOutcome(
        warnings=(*made.warnings, *made.fallbacks),
        seconds=round(time.perf_counter() - began, 1),
        scores=scores,
        not_measured=not_measured,
    )
