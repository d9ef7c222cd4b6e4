"""``mrtranslate demo``: the main job on a phantom, from end to end."""

from __future__ import annotations

import argparse
from pathlib import Path

from MRTranslateLib.cli.evaluate import render_report
from MRTranslateLib.cli.report import say_event, say_warnings, shown_progress
from MRTranslateLib.cli.translate import add_output_options


def add_demo_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "demo",
        help="translate a phantom and compare with the truth",
        description="Make a phantom with a glioma, translate its T1w and T2w to FLAIR, measure the result against its "
        "own FLAIR, and draw a picture. Needs no data.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="OUTPUT_FOLDER")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    add_output_options(parser)
    parser.set_defaults(run=run_demo_command)


def run_demo_command(options: argparse.Namespace) -> int:
    """Run the demo, print its metrics and files; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.demo.run_demo`.
    """
    from MRTranslateLib.demo import run_demo  # brings SimpleITK, which --help can do without

    with shown_progress(options.progress) as progress:
        result = run_demo(options.folder, model=options.model, overwrite=options.overwrite, progress=progress)
    as_json = options.progress == "json"
    say_warnings(result.translation.warnings, as_json=as_json)
    if as_json:
        say_event("result", files=[str(path) for path in result.files])
        return 0
    print(f"SYNTHETIC {result.translation.provenance.target} of a phantom, against the phantom's own:")
    print(render_report(result.report))
    print("written:", *(f"  {path}" for path in result.files), sep="\n")
    return 0
