"""``mrtranslate rerun``: repeat a run from its sidecar and compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from MRTranslateLib.cli.report import say_event, shown_progress
from MRTranslateLib.cli.translate import add_output_options
from MRTranslateLib.files import shown


def add_rerun_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``rerun`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "rerun",
        help="repeat a run from its sidecar and say whether the result is the same",
        description="Repeat a translation from the .json beside its result. Exit code 0 if every voxel is the same, "
        "1 if not, or if the result beside the sidecar was altered since.",
        allow_abbrev=False,
    )
    parser.add_argument("sidecar", type=Path, metavar="FILE.json")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the new result here")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="default: that of the run, where it was or installed")
    add_output_options(parser)
    parser.set_defaults(run=run_rerun)


def run_rerun(options: argparse.Namespace) -> int:
    """Repeat, compare, and say so; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.rerun.rerun`.
    """
    from MRTranslateLib.rerun import rerun  # brings SimpleITK, which --help can do without

    with shown_progress(options.progress) as progress:
        repeated = rerun(
            options.sidecar,
            output=options.output,
            model=options.model,
            overwrite=options.overwrite,
            progress=progress,
        )
    if options.progress == "json":
        altered = [str(path) for path in repeated.altered]
        say_event("result", identical=repeated.identical, differences=repeated.differences, altered=altered)
    else:
        if repeated.identical:
            print("identical: every voxel is the same")
        for path in repeated.altered:
            print(f"different: {shown(path)} is not what the run wrote; it was altered, replaced or damaged since")
        if not (repeated.identical or repeated.altered):
            print("different: the results are not the same")
        for text in repeated.differences:
            print(f"note: {text}")
    return 0 if repeated.identical else 1
