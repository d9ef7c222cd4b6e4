"""``mrtranslate batch``: many cases with one call."""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from MRTranslateLib.cli.report import say_event, shown_progress
from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.cli.translate import TARGET_HELP, add_execution_options, add_preparation_options
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.files import shown

if TYPE_CHECKING:
    from MRTranslateLib.batch.run import BatchResult
    from MRTranslateLib.batch.table import CaseRow

NUM_SHOWN = 20
"""Cases without a result that are listed; the table has them all."""


def add_batch_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``batch`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "batch",
        help="translate a folder or a list of cases",
        description="Translate many cases. A case that fails costs none of the others; a run that was stopped goes on "
        "when it is started again with the same folders. Where the real target is there, results are measured against "
        "it. cases.csv in OUTPUT says what became of each case, and why one has no result. Research use only.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="a folder of scans named by their contrast (sub-01_T1w.nii.gz as in BIDS, BraTS-00001-t1n.nii.gz, or "
        "case/t1.nii.gz), or a case list: a .csv with the columns case, T1w, T2w, ..., and if wanted brain_mask, "
        "lesion_mask, low_resolution; its cells are files or DICOM folders, relative to the list",
    )
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="folder for the results; created, or continued")
    parser.add_argument("--sources", required=True, metavar="A,B", help="contrasts to translate from, e.g. T1w,T2w")
    parser.add_argument("--target", required=True, metavar="CONTRAST", help=TARGET_HELP)
    parser.add_argument("--list", action="store_true", help="only say what was found and what is missing")
    parser.add_argument("--attention", action="store_true", help="also write attention maps")
    parser.add_argument("--uncertainty", action="store_true", help="also write uncertainty maps")
    parser.add_argument("--checks", action="store_true", help="check results against their sources")
    parser.add_argument("--report", action="store_true", help="also write a page for each case")
    add_preparation_options(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="cases at once, each in a process of its own; 0: in this process (default: %(default)s)",
    )
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster that sees the same files")
    parser.add_argument("--retry-failed", action="store_true", help="begin failed cases again")
    add_execution_options(parser)
    parser.set_defaults(run=run_batch)


def run_batch(options: argparse.Namespace) -> int:
    """Run, or only list, and say what became of the cases; returns 0 if every case has a result, else 1.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.batch.run.batch_run`.
    """
    sources = [parse_contrast(name) for name in options.sources.split(",")]
    from MRTranslateLib.batch.run import batch_run, cases_of  # brings SimpleITK, which --help can do without

    if options.list:
        return _list(options, sources)
    as_json = options.progress == "json"
    try:
        with shown_progress(options.progress) as progress:
            result = batch_run(
                cases_of(options.input, output=options.output),
                options.output,
                sources=sources,
                target=options.target,
                attention=options.attention,
                uncertainty=options.uncertainty,
                checks=options.checks,
                report=options.report,
                model=options.model,
                device=options.device,
                precision=options.precision,
                threads=options.threads,
                registration=options.registration,
                bias_correction=options.bias_correction,
                workers=options.workers,
                scheduler=options.scheduler,
                retry_failed=options.retry_failed,
                overwrite=options.overwrite,
                progress=progress,
                on_case=_say_case if as_json else None,
            )
    except KeyboardInterrupt:
        raise CancelledError(
            f"cancelled; finished cases are kept in {shown(options.output)}: the same command goes on from there"
        ) from None
    _say_result(result, as_json=as_json)
    return 0 if result.count("done") == len(result.rows) else 1


def _list(options: argparse.Namespace, sources: list[Contrast]) -> int:
    """What a run would find; nothing is written."""
    from MRTranslateLib.batch.run import cases_of
    from MRTranslateLib.preprocessing.guard import check_request

    target = parse_contrast(options.target)
    check_request(sources, target)
    cases = cases_of(options.input, output=options.output)
    rows = [("case", "contrasts", f"{'+'.join(sources)} > {target}")]
    for case in cases:
        there = " ".join(contrast for contrast in Contrast if case.files.get(contrast))
        measured = " and measured" if case.only(target) else ""
        rows.append((case.case_id, there, case.problem(sources) or f"can be made{measured}"))
    num_complete = sum(not case.problem(sources) for case in cases)
    print(f"{render_table(rows, 'lll')}\n{num_complete} of {len(cases)} cases have what it takes")
    return 0 if num_complete == len(cases) else 1


def _say_case(row: CaseRow) -> None:
    say_event("case", case=row.case_id, state=row.state, is_new=row.is_new, result=row.result, reason=row.reason)


def _say_result(result: BatchResult, *, as_json: bool) -> None:
    counts = {state: result.count(state) for state in ("done", "failed", "incomplete")}
    num_new = sum(row.state == "done" and row.is_new for row in result.rows)
    if as_json:
        say_event("result", table=str(result.table), num_new=num_new, **counts)
        return
    without = [row for row in result.rows if row.state != "done"]
    for row in without[:NUM_SHOWN]:
        print(f"{row.case_id} {row.state}: {row.reason}")
    if len(without) > NUM_SHOWN:
        print(f"and {len(without) - NUM_SHOWN} more")
    earlier = f", {counts['done'] - num_new} of them before this run" if counts["done"] > num_new else ""
    others = "".join(f", {counts[state]} {state}" for state in ("failed", "incomplete") if counts[state])
    if counts["failed"]:
        print("what stood in the way of failed cases may be gone: --retry-failed begins them again")
    print(f"{counts['done']} of {len(result.rows)} cases have a result{earlier}{others}")
    scores = [row.outcome.scores.brain.psnr for row in result.rows if row.outcome and row.outcome.scores]
    finite = [psnr for psnr in scores if psnr is not None]
    if finite:
        print(f"against {len(scores)} real scans: brain PSNR {min(finite):.1f} to {max(finite):.1f} dB, ", end="")
        print(f"median {median(finite):.1f}")
    print(f"table written to {result.table} (results are SYNTHETIC, not for diagnostic use)")
