"""What is to be done with a case, seen what earlier runs have left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.outcome import CaseFailure, CaseOutcome
from MRTranslateLib.batch.record import CaseRecord, input_files, read_record
from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.batch.table import CaseRow
from MRTranslateLib.batch.work import CaseWork
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import shown
from MRTranslateLib.provenance import sidecar_path
from MRTranslateLib.worker.translate import TranslateParameters

MAX_BEGUN = 3
"""A case during which the computer or the process ended this often is not begun again unasked."""


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """What a run does.

    Attributes:
        folder: Of the results.
        settings: The same for all cases.
        options: Further parameters of each translation: model, device, threads.
        retry_failed: Begin failed cases again.
        overwrite: Make again what was made otherwise, or from other files.
    """

    folder: Path
    settings: BatchSettings
    options: Mapping[str, Any]
    retry_failed: bool = False
    overwrite: bool = False

    def of(self, case: Case) -> CaseRow | CaseWork:
        """The row of a case with which there is nothing to do, or its work."""
        problem = case.problem(self.settings.sources)
        if problem:
            return CaseRow(case_id=case.case_id, state="incomplete", problem=problem)
        files = input_files(case, self.settings.sources)
        try:
            _refuse_unwritable_names(files)
            record = read_record(self.folder, case.case_id)
            stale = "" if record is None else self._stale(record, files)
        except InputError as error:
            return _failed(case, str(error), error.exit_code)
        if record is None:
            return self._work(case, overwrite=self.overwrite)
        if record.state == "done":
            return self._of_done(case, record, stale)
        if record.state == "failed":
            if record.failure is not None and not stale and not self.retry_failed:
                return CaseRow(case_id=case.case_id, state="failed", failure=record.failure)
            return self._work(case, overwrite=self.overwrite or record.owns_outputs)
        if record.num_begun >= MAX_BEGUN and not self.retry_failed:
            reason = (
                f"the computer or the process ended {record.num_begun} times while this case was under way, perhaps "
            )
            return _failed(case, f"{reason}because memory ran out: --retry-failed begins it again", 1)
        return self._work(case, overwrite=self.overwrite or record.owns_outputs)

    def done(self, case_id: str, outcome: CaseOutcome | None, *, is_new: bool = False) -> CaseRow:
        """The row of a case that has its result."""
        names = self.outputs(case_id)
        result, report = names["output"], names.get("report", "")
        return CaseRow(case_id=case_id, state="done", is_new=is_new, result=result, report=report, outcome=outcome)

    def outputs(self, case_id: str) -> dict[str, str]:
        """Names of a case's files in the folder, by parameter of the translation; as BIDS names derivatives."""
        names = {"output": ("synthetic", ".nii.gz")}
        if self.settings.attention:
            names["attention"] = ("attention", ".nii.gz")
        if self.settings.uncertainty:
            names["uncertainty"] = ("uncertainty", ".nii.gz")
        if self.settings.report:
            names["report"] = ("report", ".html")
        return {parameter: self._name(case_id, word, extension) for parameter, (word, extension) in names.items()}

    def preview(self, case_id: str) -> str:
        """Name of a case's picture in the folder."""
        return self._name(case_id, "preview", ".png")

    def all_files(self, case_id: str) -> list[str]:
        """As :meth:`outputs`, with the sidecars."""
        names = self.outputs(case_id)
        images = [name for parameter, name in names.items() if parameter != "report"]
        return [*names.values(), *(sidecar_path(Path(name)).as_posix() for name in images)]

    def _name(self, case_id: str, word: str, extension: str) -> str:
        *entities, suffix = self.settings.target.bids_suffix.split("_")
        return f"{case_id}/{'_'.join((case_id, *entities, f'desc-{word}', suffix))}{extension}"

    def _of_done(self, case: Case, record: CaseRecord, stale: str) -> CaseRow | CaseWork:
        altered = record.altered_outputs(self.folder)
        if (stale or altered) and not self.overwrite:
            what = f"{stale} since the result was made" if stale else f"{altered[0]} was altered since it was made"
            remedy = "allow overwriting (--overwrite) to make it again"
            return _failed(case, f"{what}: {remedy}", UsageError.exit_code)
        if stale or altered or record.gone_outputs(self.folder):
            return self._work(case, overwrite=True)
        return self.done(case.case_id, record.outcome)

    def _stale(self, record: CaseRecord, files: Mapping[str, Path]) -> str:
        """What is no longer as it was when a case was begun; empty if nothing."""
        if record.settings_sha256 != self.settings.sha256:
            return "the settings have changed"
        role = record.changed_input(files)
        return "" if role is None else f"the {role} has changed"

    def _work(self, case: Case, *, overwrite: bool) -> CaseWork:
        settings = self.settings
        files = input_files(case, settings.sources)
        outputs = {name: str(self.folder / path) for name, path in self.outputs(case.case_id).items()}
        parameters: dict[str, Any] = {**outputs, **self.options}
        measures = settings.attention or settings.uncertainty or settings.report  # else translate takes no lesion mask
        translation = TranslateParameters(
            sources={contrast.value: str(files[contrast.value].absolute()) for contrast in settings.sources},
            target=settings.target.value,
            brain_mask=_text(case.brain_mask),
            lesion_mask=_text(case.lesion_mask) if measures else None,
            low_resolution=_text(case.low_resolution),
            checks=settings.checks,
            registration=settings.registration,
            bias_correction=settings.bias_correction,
            precision=settings.precision,
            overwrite=overwrite,
            **parameters,
        )
        return CaseWork(
            case_id=case.case_id,
            translation=translation,
            preview=str(self.folder / self.preview(case.case_id)),
            reference=_text(case.only(settings.target)),
            lesion_mask=_text(case.lesion_mask),
        )


def _refuse_unwritable_names(files: Mapping[str, Path]) -> None:
    """Refuse a name that no record can hold."""
    for role, path in files.items():
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise InputError(f"the name of the {role}, {shown(path)}, is not UTF-8: rename it") from None


def _failed(case: Case, reason: str, exit_code: int) -> CaseRow:
    return CaseRow(case_id=case.case_id, state="failed", failure=CaseFailure(reason=reason, exit_code=exit_code))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())  # a cluster's workers have other working folders
