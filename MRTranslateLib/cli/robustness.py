"""``mrtranslate robustness``: how a translation changes when its sources are worse."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MRTranslateLib.cli.report import say_event, say_warnings, shown_progress
from MRTranslateLib.cli.translate import TARGET_HELP, add_execution_options, add_preparation_options, parse_sources
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.files import shown
from MRTranslateLib.robustness.catalogue import DEFAULT_PERTURBATIONS
from MRTranslateLib.robustness.plan import DEFAULT_SEED, TRACKS, Track, parse_levels

if TYPE_CHECKING:
    from MRTranslateLib.robustness.run import RobustnessResult

BOTH = "both"


def add_robustness_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``robustness`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "robustness",
        help="measure how a translation changes when its sources are worse",
        description="Add artefacts of rising strength to the sources, translate again, and report what changes, as "
        "JSON and as one HTML page. A run that was stopped goes on when it is started again with the same folder. "
        "Research use only.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--source", action="append", required=True, metavar="CONTRAST=FILE", help="as for translate; repeat for more"
    )
    parser.add_argument("--target", required=True, metavar="CONTRAST", help=TARGET_HELP)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="created, or continued")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="the real target contrast, to measure errors")
    parser.add_argument("--lesion-mask", type=Path, metavar="FILE", help="integer labels, 0 is no lesion")
    parser.add_argument("--brain-mask", type=Path, metavar="FILE", help="nonzero is brain; else found automatically")
    parser.add_argument(
        "--perturbations",
        default=",".join(DEFAULT_PERTURBATIONS),
        metavar="A,B",
        help="names, or all that the sources allow: all (default: %(default)s)",
    )
    parser.add_argument("--levels", default="1-5", metavar="LEVELS", help="such as 1-5 or 1,3,5 (default: %(default)s)")
    parser.add_argument(
        "--track",
        choices=(*TRACKS, BOTH),
        default=TRACKS[0],
        help="normalise a perturbed source as the clean one (clean) or by its own brain (own)",
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="of all chance")
    parser.add_argument("--adversarial", action="store_true", help="also search for a worst case within bounds")
    parser.add_argument(
        "--volumes",
        action="store_true",
        help="also write the synthetic volume of every cell: int16, 18 MB at 240 x 240 x 155 before compression",
    )
    add_preparation_options(parser)
    add_execution_options(parser)
    parser.set_defaults(run=run_robustness)


def run_robustness(options: argparse.Namespace) -> int:
    """Run, write the report, and say the verdict; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.robustness.run.robustness_run`.
    """
    sources = parse_sources(options.source)
    as_json = options.progress == "json"
    levels = parse_levels(options.levels)
    tracks: tuple[Track, ...] = TRACKS if options.track == BOTH else (options.track,)
    # torch comes with the run; --help does without.
    from MRTranslateLib.robustness.adversarial import AdversarialSettings
    from MRTranslateLib.robustness.plan import RobustnessPlan, all_perturbations
    from MRTranslateLib.robustness.run import robustness_run

    names = all_perturbations(len(sources)) if options.perturbations == "all" else options.perturbations.split(",")
    plan = RobustnessPlan(perturbations=tuple(names), levels=levels, tracks=tracks, seed=options.seed)
    try:
        with shown_progress(options.progress) as progress:
            result = robustness_run(
                sources,
                options.target,
                output=options.output,
                plan=plan,
                reference=options.reference,
                lesion_mask=options.lesion_mask,
                brain_mask=options.brain_mask,
                adversarial=AdversarialSettings() if options.adversarial else None,
                keep_volumes=options.volumes,
                model=options.model,
                device=options.device,
                precision=options.precision,
                threads=options.threads,
                registration=options.registration,
                bias_correction=options.bias_correction,
                overwrite=options.overwrite,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise CancelledError(
            f"cancelled; finished cells are kept in {shown(options.output)}: the same command goes on from there"
        ) from None
    _say_result(result, as_json=as_json)
    return 0


def _say_result(result: RobustnessResult, *, as_json: bool) -> None:
    say_warnings(result.report.warnings, as_json=as_json)
    verdict = result.report.verdict
    if as_json:
        say_event(
            "result",
            json=str(result.json_path),
            html=str(result.html_path),
            within_limits=verdict.within_limits,
            verdict=verdict.sentences,
            num_resumed=result.num_resumed,
        )
        return
    if result.num_resumed:
        print(f"{result.num_resumed} of {len(result.report.cells)} cells were there from an earlier run")
    for sentence in verdict.sentences:
        print(sentence)
    print(f"report written to {result.html_path} and {result.json_path} (not for diagnostic use)")
