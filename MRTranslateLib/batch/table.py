"""The table of a batch: each case, whether it has a result, how good it is, or why there is none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from MRTranslateLib.batch.outcome import CaseFailure, CaseOutcome

TABLE_FILE = "cases.csv"
REGIONS = ("brain", "lesion")
METRICS = ("psnr", "ssim", "nmae", "nrmse", "bias")
COLUMNS = (
    "case",
    "state",
    "reason",
    "exit_code",
    "result",
    "seconds",
    "warnings",
    *(f"{region}_{metric}" for region in REGIONS for metric in METRICS),
    "not_measured",
)

State = Literal["done", "failed", "incomplete", "pending"]


@dataclass(frozen=True, kw_only=True)
class CaseRow:
    """A case at the end of a run.

    Attributes:
        case_id: Whose.
        state: ``done``: there is a result; ``failed``: there is none, or none that is up to date; ``incomplete``: files
            are missing or ambiguous; ``pending``: its turn has not come.
        is_new: Whether this run found that out.
        result: The synthetic volume, relative to the batch's folder; empty unless there is one.
        report: Its page, likewise.
        outcome: Of a case that is done.
        failure: Of one that failed.
        problem: Of one that is incomplete.
    """

    case_id: str
    state: State
    is_new: bool = False
    result: str = ""
    report: str = ""
    outcome: CaseOutcome | None = None
    failure: CaseFailure | None = None
    problem: str = ""

    @property
    def reason(self) -> str:
        """Why there is no result; empty where there is one, or nobody has tried."""
        return self.problem if self.failure is None else self.failure.reason


def table_text(rows: Iterable[CaseRow]) -> str:
    """The table as CSV (RFC 4180 with line feeds): scores in the units of ``mrtranslate evaluate``, PSNR in dB."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells_of(row) for row in rows)
    return text.getvalue()


def cells_of(row: CaseRow) -> dict[str, str]:
    """A row's cells by column; columns of which there is nothing to say are left out."""
    cells = {"case": row.case_id, "state": row.state, "reason": row.reason, "result": row.result}
    if row.failure is not None:
        cells["exit_code"] = str(row.failure.exit_code)
    if row.outcome is None:
        return cells
    cells |= {"seconds": f"{row.outcome.seconds:g}", "warnings": " ".join(row.outcome.warnings)}
    cells["not_measured"] = row.outcome.not_measured or ""
    for region in REGIONS:
        scores = None if row.outcome.scores is None else getattr(row.outcome.scores, region)
        if scores is not None:
            cells |= {f"{region}_{metric}": _number(getattr(scores, metric)) for metric in METRICS}
    return cells


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
