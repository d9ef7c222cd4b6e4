"""``mrtranslate evaluate``: the metrics of a synthetic volume against the real one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.files import json_text, refuse_unfit_output, write_text_atomic

if TYPE_CHECKING:
    from MRTranslateLib.metrics.regions import RegionScores, Report

COLUMNS = ("region", "voxels", "PSNR dB", "SSIM", "NMAE", "NRMSE", "bias")


def add_evaluate_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``evaluate`` to the command line; its handler is ``run`` in the parsed arguments."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a synthetic volume against a real one",
        description="Measure a synthetic volume against the real one: PSNR, 3D SSIM, NMAE, NRMSE and bias in the "
        "brain, in the lesion and its labels, and in the brain around it. Research use only.",
    )
    parser.add_argument("--synthetic", type=Path, required=True, metavar="FILE", help="as translate wrote it")
    parser.add_argument("--reference", type=Path, required=True, metavar="FILE", help="the real contrast, same grid")
    parser.add_argument(
        "--brain-mask",
        type=Path,
        metavar="FILE",
        help="nonzero is brain (default: where a skull-stripped reference is above 0, else the synthetic's brain)",
    )
    parser.add_argument("--lesion-mask", type=Path, metavar="FILE", help="integer labels, 0 is no lesion")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here; must not exist yet")
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Write the JSON file if asked, print the table; returns the exit code.

    Raises:
        UsageError: If the JSON file exists or cannot be written.
        InputError: As :func:`MRTranslateLib.metrics.files.evaluate_volumes`.
    """
    from MRTranslateLib.metrics.files import evaluate_files  # brings scipy and SimpleITK, which --help can do without

    if arguments.json is not None:
        refuse_unfit_output(arguments.json)  # before the work
    report = evaluate_files(
        arguments.synthetic,
        arguments.reference,
        brain_mask=arguments.brain_mask,
        lesion_mask=arguments.lesion_mask,
    )
    if arguments.json is not None:
        write_text_atomic(arguments.json, json_text(report))
    print(render_report(report))
    return 0


def render_report(report: Report) -> str:
    """The report as a plain table with its notes, without a newline at the end."""
    regions = {"brain": report.brain, "lesion": report.lesion}
    regions |= {f"  label {label}": scores for label, scores in sorted(report.lesion_labels.items())}
    regions["healthy"] = report.healthy
    rows = [COLUMNS, *(_row(name, scores) for name, scores in regions.items() if scores is not None)]
    flicker = "undefined" if report.flicker is None else f"{report.flicker:.2f}"
    return "\n".join(
        [
            render_table(rows, "lrrrrrr"),
            f"slice-to-slice flicker in the brain: {flicker} (1 is ideal)",
            *(f"note: {note}" for note in report.notes),
        ]
    )


def _row(name: str, scores: RegionScores) -> tuple[str, ...]:
    psnr = "inf" if scores.psnr is None else f"{scores.psnr:.2f}"
    nrmse = "-" if scores.nrmse is None else f"{scores.nrmse:.3f}"
    return (
        name,
        str(scores.num_voxels),
        psnr,
        f"{scores.ssim:.4f}",
        f"{scores.nmae:.4f}",
        nrmse,
        f"{scores.bias:+.4f}",
    )
