"""Job ``batch``: a folder or a list of cases, each worked on in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from MRTranslateLib.progress import Progress


class BatchParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As :func:`MRTranslateLib.batch.run.batch_run` takes them.

    Attributes:
        cases: Folder that holds the scans, or case list.
        output: Folder for the results.
        sources: Contrasts to translate from, in order.
        target: Contrast to make.
        attention: Make attention maps too.
        uncertainty: Make uncertainty maps too.
        checks: Check results against their sources.
        report: Write a page for each case.
        model: Name or folder, None for the shipped one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: Of the network.
        threads: CPU threads of each network, None for as many as the workers can share.
        registration: Which sources to register onto the first.
        bias_correction: Run N4 first.
        workers: Cases at once; 0 for none beside this process.
        scheduler: Address of a Dask scheduler, instead of ``workers``.
        retry_failed: Begin failed cases again.
        overwrite: Make again what was made otherwise.
    """

    cases: str
    output: str
    sources: tuple[str, ...]
    target: str
    attention: bool = False
    uncertainty: bool = False
    checks: bool = False
    report: bool = False
    model: str | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    registration: Literal["auto", "always", "never"] = "auto"
    bias_correction: bool = False
    workers: int = 1
    scheduler: str | None = None
    retry_failed: bool = False
    overwrite: bool = False


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        table: The CSV file.
        columns: Its columns.
        rows: Its cells.
    """

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def run_batch(parameters: BatchParameters, progress: Progress) -> BatchOutcome:
    """Work through the cases.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.batch.run.batch_run`.
    """
    # SimpleITK comes with the first job that needs it: the worker answers before.
    from MRTranslateLib.batch.run import batch_run
    from MRTranslateLib.batch.table import COLUMNS, cells_of

    result = batch_run(
        Path(parameters.cases),
        parameters.output,
        sources=parameters.sources,
        target=parameters.target,
        attention=parameters.attention,
        uncertainty=parameters.uncertainty,
        checks=parameters.checks,
        report=parameters.report,
        model=parameters.model,
        device=parameters.device,
        precision=parameters.precision,
        threads=parameters.threads,
        registration=parameters.registration,
        bias_correction=parameters.bias_correction,
        workers=parameters.workers,
        scheduler=parameters.scheduler,
        retry_failed=parameters.retry_failed,
        overwrite=parameters.overwrite,
        progress=progress,
    )
    cells = [cells_of(row) for row in result.rows]
    rows = tuple(tuple(row.get(column, "") for column in COLUMNS) for row in cells)
    return BatchOutcome(table=str(result.table), columns=COLUMNS, rows=rows)
