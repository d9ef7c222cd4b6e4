"""``mrtranslate translate``: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path

from msgspec import to_builtins

from MRTranslateLib.cli.attention_text import render_attention
from MRTranslateLib.cli.checks_text import render_checks
from MRTranslateLib.cli.report import say_event, say_warnings, shown_progress
from MRTranslateLib.cli.uncertainty_text import render_uncertainty
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.formats import WRITABLE_EXTENSIONS

TARGET_HELP = (
    f"one of {', '.join(contrast for contrast in Contrast if contrast != Contrast.PDW)}; {Contrast.PDW} only by a "
    "model of your own that makes it, see mrtranslate models list"
)


def add_translate_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``translate`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "translate",
        help="make a missing contrast from the acquired ones",
        description="Make a missing contrast from the acquired ones, on the grid of the first source. In the result "
        "1000 is the 99.5th percentile of the brain. Research use only.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--source",
        action="append",
        required=True,
        metavar="CONTRAST=FILE",
        help="an acquired contrast, e.g. T1w=t1.nii.gz (NIfTI, NRRD, MHA, or a DICOM folder); repeat for more",
    )
    parser.add_argument("--target", required=True, metavar="CONTRAST", help=TARGET_HELP)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"{', '.join(WRITABLE_EXTENSIONS)}; a sidecar .json is written beside",
    )
    parser.add_argument("--brain-mask", type=Path, metavar="FILE", help="nonzero is brain; else found automatically")
    parser.add_argument(
        "--attention",
        type=Path,
        metavar="FILE",
        help="also write an attention map, 0..1, high where the result is hard to believe; for models with a local "
        "discriminator",
    )
    parser.add_argument(
        "--lesion-mask",
        type=Path,
        metavar="FILE",
        help="integer labels, 0 is no lesion: measure attention map, uncertainty map and report in the lesion and "
        "around it",
    )
    parser.add_argument(
        "--uncertainty",
        type=Path,
        metavar="FILE",
        help="also write an uncertainty map: half the width of the 90 %% interval, in the units of the result; takes "
        "six further translations or more; with --low-resolution for models that were calibrated for it",
    )
    parser.add_argument(
        "--low-resolution",
        type=Path,
        metavar="FILE",
        help="the target as it was acquired, with thick slices or large pixels: sharpen it instead of making it up; "
        "for models with a super-resolution branch",
    )
    parser.add_argument(
        "--checks",
        action="store_true",
        help="look for structures that no source shows, and for those of a source that the result does not show; a "
        "low-resolution target counts as a source",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html|.json",
        help="also write what may be believed and where not: one page that needs no network, or the same as JSON; "
        "includes --checks",
    )
    add_preparation_options(parser)
    add_execution_options(parser)
    parser.set_defaults(run=run_translate)


def add_preparation_options(parser: argparse.ArgumentParser) -> None:
    """Options on the model and on what is done to its sources."""
    parser.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    parser.add_argument(
        "--registration",
        choices=("auto", "always", "never"),
        default="auto",
        help="rigid registration onto the first source; auto: of sources on another grid",
    )
    parser.add_argument("--bias-correction", action="store_true", help="run N4 on every source first")


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """Options on where the network runs and what is said meanwhile."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads; default: physical cores minus one")
    add_output_options(parser)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Options on progress and existing files."""
    parser.add_argument("--progress", choices=("bar", "json", "none"), default="bar")
    parser.add_argument("--overwrite", action="store_true", help="replace existing output files")


def run_translate(options: argparse.Namespace) -> int:
    """Translate, write, and say where; returns the exit code.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.inference.translate.translate`.
    """
    sources = parse_sources(options.source)
    as_json = options.progress == "json"
    from MRTranslateLib.inference.translate import translate  # brings SimpleITK, which --help can do without

    with shown_progress(options.progress) as progress:
        result = translate(
            sources,
            options.target,
            output=options.output,
            brain_mask=options.brain_mask,
            attention=False if options.attention is None else options.attention,
            lesion_mask=options.lesion_mask,
            uncertainty=False if options.uncertainty is None else options.uncertainty,
            low_resolution=options.low_resolution,
            checks=options.checks,
            report=options.report,
            model=options.model,
            device=options.device,
            precision=options.precision,
            threads=options.threads,
            registration=options.registration,
            bias_correction=options.bias_correction,
            overwrite=options.overwrite,
            progress=progress,
        )
    say_warnings((*result.warnings, *result.provenance.fallbacks), as_json=as_json)
    attention, uncertainty = result.provenance.attention, result.provenance.uncertainty
    checks = result.provenance.checks
    if as_json:
        made = (
            {} if attention is None else {"attention": attention.output.path, "report": to_builtins(attention.report)}
        )
        if uncertainty is not None:
            made |= {"uncertainty": uncertainty.output.path, "uncertainty_report": to_builtins(uncertainty.report)}
        if checks is not None:
            made |= {"checks": to_builtins(checks)}
        if options.report is not None:
            made |= {"report_file": str(options.report)}
        say_event("result", output=str(result.path), seconds=result.provenance.seconds, **made)
    else:
        print(f"SYNTHETIC {result.provenance.target} written to {result.path} (not for diagnostic use)")
        if attention is not None:
            print(f"\nAttention map written to {attention.output.path}\n{render_attention(attention.report)}")
        if uncertainty is not None:
            print(f"\nUncertainty map written to {uncertainty.output.path}\n{render_uncertainty(uncertainty.report)}")
        if checks is not None:
            print(f"\nChecks against the sources\n{render_checks(checks)}")
        if options.report is not None:
            print(f"\nReport written to {options.report}")
    return 0


def parse_sources(texts: list[str]) -> dict[Contrast, Path]:
    """``["T1w=t1.nii.gz", ...]`` by contrast, in the order given.

    Raises:
        UsageError: If one has no ``=``, names no contrast or no file, or a contrast comes twice.
    """
    sources: dict[Contrast, Path] = {}
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise UsageError(f"--source {text!r} is not CONTRAST=FILE, e.g. T1w=t1.nii.gz")
        contrast = parse_contrast(name)
        if contrast in sources:
            raise UsageError(f"--source {contrast} is given twice: {sources[contrast]} and {path}; give it once")
        sources[contrast] = Path(path)
    return sources
