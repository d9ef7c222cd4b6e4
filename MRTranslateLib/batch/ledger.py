"""What becomes of each case: noted on disk before it begins and when it has ended, and told to the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from MRTranslateLib import provenance
from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.outcome import CaseEnd, CaseFailure, CaseOutcome
from MRTranslateLib.batch.plan import BatchPlan
from MRTranslateLib.batch.record import (
    RECORDS_FOLDER,
    CaseRecord,
    input_files,
    read_record,
    size_of,
    stamps,
    write_record,
)
from MRTranslateLib.batch.table import CaseRow
from MRTranslateLib.batch.work import CaseWork
from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.files import reason, shown


class Ledger:
    """The cases of one run; any thread may begin one."""

    def __init__(
        self,
        plan: BatchPlan,
        cases: Iterable[Case],
        *,
        counts_deaths: bool,
        on_case: Callable[[CaseRow], None] | None,
    ) -> None:
        """Nothing is begun.

        Args:
            plan: Of the run.
            cases: All of them, in order.
            counts_deaths: Whether a case that is begun without an end may have taken the run down.
            on_case: Told of every case as its end is known.
        """
        self._plan, self._cases, self._on_case = plan, {case.case_id: case for case in cases}, on_case
        self._counts_deaths = counts_deaths
        self._known: dict[str, CaseRow] = {}
        self._works: dict[str, CaseWork] = {}
        self._begun: dict[str, CaseRecord] = {}  # records of the cases under way

    @property
    def rows(self) -> tuple[CaseRow, ...]:
        """Every case as far as it is known, in order."""
        return tuple(self._known.get(case_id) or CaseRow(case_id=case_id, state="pending") for case_id in self._cases)

    def open_works(self) -> list[CaseWork]:
        """The work that is to be done; cases with which there is nothing to do are told of."""
        for case in self._cases.values():
            planned = self._plan.of(case)
            if isinstance(planned, CaseRow):
                self._tell(planned)
            else:
                self._works[case.case_id] = planned
        return list(self._works.values())

    def begin(self, case_id: str) -> None:
        """Leave a note before the work.

        Raises:
            InputError: If a file of the case cannot be read.
            MRTranslateError: If the disk is full.
        """
        folder = self._plan.folder
        former = read_record(folder, case_id)
        num_begun = former.num_begun if former is not None and former.state == "running" else 0
        record = CaseRecord(
            case_id=case_id,
            state="running",
            settings_sha256=self._plan.settings.sha256,
            inputs=stamps(input_files(self._cases[case_id], self._plan.settings.sources)),
            owns_outputs=self._works[case_id].translation.overwrite or not self._is_taken(case_id),
            num_begun=num_begun + self._counts_deaths,
            program=provenance.program_version(),
        )
        for name in (RECORDS_FOLDER, case_id):
            _make_folder(folder / name)
        write_record(folder, record)
        self._begun[case_id] = record

    def end(self, case_id: str, end: CaseEnd) -> None:
        """Note how a case ended.

        Raises:
            MRTranslateError: If the disk is full.
        """
        folder = self._plan.folder
        if isinstance(end, CaseOutcome):
            sizes = {name: size_of(folder / name) for name in self._plan.all_files(case_id)}
            lost = next((name for name, size in sizes.items() if size is None), None)
            if lost is None:
                self._record(case_id, state="done", outcome=end, outputs=sizes)
                self._tell(self._plan.done(case_id, end, is_new=True))
                return
            reason_why = f"{shown(folder / lost)} was written and is not there: check the disk, then --retry-failed"
            end = CaseFailure(reason=reason_why, exit_code=MRTranslateError.exit_code)
        self._record(case_id, state="failed", failure=end)
        self._remove_empty_folder(case_id)
        self._tell(CaseRow(case_id=case_id, state="failed", is_new=True, failure=end))

    def give_up(self) -> None:
        """Note that what is still under way when the run stops has not taken the process down."""
        for record in self._begun.values():
            num_begun = record.num_begun - self._counts_deaths
            with contextlib.suppress(MRTranslateError):  # why the run stops is told already
                write_record(self._plan.folder, msgspec.structs.replace(record, num_begun=num_begun))
            self._remove_empty_folder(record.case_id)

    def _record(self, case_id: str, **how: Any) -> None:
        """A case that could not even be begun has no record to keep."""
        record = self._begun.pop(case_id, None)
        if record is not None:
            write_record(self._plan.folder, msgspec.structs.replace(record, num_begun=0, **how))

    def _is_taken(self, case_id: str) -> bool:
        """Whether there is a file under the name of an output."""
        return any(size_of(self._plan.folder / name) is not None for name in self._plan.all_files(case_id))

    def _remove_empty_folder(self, case_id: str) -> None:
        with contextlib.suppress(OSError):  # not empty where a former result is kept
            (self._plan.folder / case_id).rmdir()

    def _tell(self, row: CaseRow) -> None:
        self._known[row.case_id] = row
        if self._on_case is not None:
            self._on_case(row)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise MRTranslateError(f"cannot make the folder {shown(folder)}: {reason(error)}") from error
