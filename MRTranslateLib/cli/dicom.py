"""``mrtranslate dicom export``: a result as a DICOM series in the study of its source."""

from __future__ import annotations

import argparse
from pathlib import Path

from MRTranslateLib.cli.report import say_event, say_warnings
from MRTranslateLib.dicom.export import SERIES_NUMBER, export_dicom
from MRTranslateLib.files import shown


def add_dicom_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``dicom`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser("dicom", help="write results as DICOM")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser(
        "export",
        help="write a result as a DICOM series into the study of its source",
        description="Write a result as a new DICOM series of MR images that say in every slice that they are synthetic "
        "and how they were made, in the study and space of an acquired series. Not for diagnostic use.",
        allow_abbrev=False,
    )
    action.add_argument("result", type=Path, metavar="RESULT", help="as translate wrote it, with its .json beside it")
    action.add_argument(
        "--series",
        type=Path,
        metavar="FOLDER",
        help="acquired DICOM series of the same person, whose patient, study and space the result joins "
        "(default: the first source, if that was a DICOM folder)",
    )
    action.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
    action.add_argument("--attention", type=Path, metavar="FILE", help="also write this attention map of the result")
    action.add_argument(
        "--uncertainty", type=Path, metavar="FILE", help="also write this uncertainty map of the result"
    )
    action.add_argument(
        "--series-number",
        type=int,
        default=SERIES_NUMBER,
        metavar="N",
        help="300 or more; maps have the next ones (default: %(default)s)",
    )
    action.add_argument("--json", action="store_true", help="say what was written as JSON lines")
    action.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> int:
    """Export, and say what was written; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.dicom.export.export_dicom`.
    """
    done = export_dicom(
        options.result,
        output=options.output,
        series=options.series,
        attention=options.attention,
        uncertainty=options.uncertainty,
        series_number=options.series_number,
    )
    say_warnings(done.warnings, as_json=options.json)
    if options.json:
        say_event("result", files=[str(path) for path in done.files], series_uid=done.series_uid)
    else:
        print(f"{len(done.files)} DICOM files in {shown(options.output)}; Series Instance UID {done.series_uid}")
    return 0
