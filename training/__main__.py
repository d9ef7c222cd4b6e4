"""``python -m training``: list, check, smoke, ablate, fit, resume, baseline, evaluate, attention, ..., export."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, MRTranslateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.config import TrainingConfig
    from training.data.bids import Scan
    from training.data.cache import CachedScan
    from training.distributed import Processes
    from training.evaluation import Route, RouteScore
    from training.measures import Measures


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output (head, less) has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MRTranslateError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("training: stopped; resume continues a run from its last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train MRTranslate's components.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="every component, its system, when it is trained, whether it ships")
    listing.set_defaults(run=_list)
    check = commands.add_parser("check", help="read a configuration and say what it would train")
    check.add_argument("config", type=Path)
    check.set_defaults(run=_check)
    smoke = commands.add_parser("smoke", help="try every component on phantoms: its loss falls, its export loads")
    smoke.add_argument("components", nargs="*", metavar="COMPONENT", help="default: all")
    smoke.add_argument("--short", action="store_true", help="a quarter of the steps")
    smoke.add_argument("--threads", type=int, default=1, help="CPU threads")
    smoke.set_defaults(run=_smoke)
    fit = commands.add_parser("fit", help="start a run from a configuration")
    fit.add_argument("config", type=Path)
    fit.add_argument("--run", type=Path, required=True, dest="folder", help="folder of the new run")
    fit.add_argument(
        "--init", type=Path, nargs="+", metavar="RUN", help="begin with the weights of other runs, averaged"
    )
    fit.add_argument("--only", nargs="+", metavar="NETWORK", help="of --init, take these networks alone")
    fit.set_defaults(run=_fit)
    resume = commands.add_parser("resume", help="continue a run that was stopped")
    resume.add_argument("folder", type=Path)
    resume.set_defaults(run=_resume)
    ablate = commands.add_parser("ablate", help="the same training with one thing changed at a time, on phantoms")
    ablate.add_argument("config", type=Path, help="of training/configs/ablations")
    ablate.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the runs; resumes what is there"
    )
    ablate.add_argument(
        "--steps", type=int, metavar="N", help="a trial of the first seed: no stage longer than N, 2 or more"
    )
    ablate.add_argument("--threads", type=int, default=1, help="CPU threads")
    ablate.set_defaults(run=_ablate)
    baseline = commands.add_parser("baseline", help="judge a per-voxel gradient-boosted regression on the val split")
    baseline.add_argument("config", type=Path, help="configuration whose data section says which people to realign")
    baseline.add_argument("--json", type=Path, required=True, metavar="FILE", help="where to write the scores")
    baseline.set_defaults(run=_baseline)
    evaluate = commands.add_parser("evaluate", help="judge a model on the val split, through the library's pipeline")
    evaluate.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    evaluate.set_defaults(run=_evaluate)
    attention = commands.add_parser("attention", help="judge a model's attention map on the val split")
    attention.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    attention.set_defaults(run=_attention)
    uncertainty = commands.add_parser("uncertainty", help="calibrate a model's uncertainty map on the val split")
    uncertainty.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    uncertainty.add_argument("--write", action="store_true", help="put calibration and measures into the model's card")
    uncertainty.set_defaults(run=_uncertainty)
    flicker = commands.add_parser("flicker", help="judge a run's remedies for slices that jump on the val split")
    flicker.add_argument("folder", type=Path)
    flicker.set_defaults(run=_flicker)
    limits = commands.add_parser("limits", help="derive a model's limits of robustness on the val split")
    limits.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    limits.add_argument("--write", action="store_true", help="put them into the model's card")
    limits.set_defaults(run=_limits)
    resolution = commands.add_parser(
        "super-resolution", help="judge what a low-resolution target gains a model on the val split"
    )
    resolution.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
    resolution.add_argument("--write", action="store_true", help="put the measures into the model's card")
    resolution.set_defaults(run=_super_resolution)
    branch = commands.add_parser("branch", help="give a model a run's super-resolution branch, judged on the val split")
    branch.add_argument("folder", type=Path)
    branch.set_defaults(run=_branch)
    export = commands.add_parser("export", help="write a run as a model bundle, judged on the val split")
    export.add_argument("folder", type=Path)
    export.add_argument("--output", type=Path, required=True, help="folder of the bundle; its name is the model's")
    export.add_argument("--hardware", required=True, metavar="WORDS", help="what it was trained on, for the card")
    export.add_argument("--model-version", default="0.1.0", metavar="X.Y.Z")
    export.add_argument("--baseline", type=Path, metavar="FILE", help="scores that the baseline command wrote")
    export.add_argument("--reported-routes", action="store_true", help="measure 7 routes instead of all 28")
    export.add_argument(
        "--predecessor", metavar="MODEL", help="the installed model that this one replaces, for its card"
    )
    export.add_argument("--command", metavar="WORDS", help="that trained it, if it was more than one fit")
    export.add_argument("--replace", action="store_true", help="take the place of an existing bundle")
    export.set_defaults(run=_export)
    specialise = commands.add_parser(
        "specialise",
        help="give a model a run's generator for the routes on which it is better, judged on the val split",
    )
    specialise.add_argument("folder", type=Path)
    specialise.add_argument(
        "--mean-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN|MODEL",
        help="average its generator with those of other runs and model folders, what it began with for example",
    )
    specialise.add_argument("--baseline", type=Path, metavar="FILE", help="scores that the baseline command wrote")
    specialise.add_argument(
        "--routes",
        nargs="+",
        metavar="ROUTE",
        help="T1w+T2w>FLAIR for example; default: those from the configuration's source_sets where nothing is lost",
    )
    specialise.set_defaults(run=_specialise)
    for command in (branch, specialise):
        command.add_argument("--model", metavar="NAME|FOLDER", help="default: the shipped model")
        command.add_argument("--output", type=Path, required=True, help="folder of the bundle, named like the model")
        command.add_argument("--hardware", required=True, metavar="WORDS", help="what it was trained on, for the card")
        command.add_argument("--model-version", required=True, metavar="X.Y.Z", help="of the bundle")
        command.add_argument("--command", metavar="WORDS", help="that trained it, if it was more than one fit")
        command.add_argument("--replace", action="store_true", help="take the place of an existing bundle")
    for command in (export, specialise):
        command.add_argument(
            "--level",
            nargs=2,
            action="append",
            type=Contrast,
            metavar=("TARGET", "SOURCE"),
            help="tell how bright a target is from a source and the result as a whole: FLAIR T2w; repeatable",
        )
    judges = (baseline, evaluate, attention, uncertainty, flicker, limits, resolution)
    for command in (fit, resume, *judges, branch, export, specialise):
        command.add_argument("--data", type=Path, required=True, help="the open data (holds participants.tsv)")
        command.add_argument("--threads", type=int, default=1, help="CPU threads")
    for command in (fit, resume):
        command.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


def _list(options: argparse.Namespace) -> None:
    from training.components import component_table

    print(component_table())


def _check(options: argparse.Namespace) -> None:
    from training.components import describe
    from training.config import read_config
    from training.fitness import refuse_unfit

    config = read_config(options.config)
    print(describe(config, refuse_unfit(config, where=str(options.config))))


def _smoke(options: argparse.Namespace) -> None:
    import tempfile

    import torch

    from training.smoke import SmokeResult, run_smoke

    torch.set_num_threads(options.threads)

    def report(result: SmokeResult) -> None:
        print(f"{result.name}: {result.first:.4f} -> {result.last:.4f} in {result.seconds:.0f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="mrtranslate-smoke-") as folder:
        share = 0.25 if options.short else 1.0
        run_smoke(Path(folder), names=tuple(options.components), share_of_steps=share, report=report)


def _ablate(options: argparse.Namespace) -> None:
    import torch

    from training.ablation import Cell, ablation_table, read_ablation, run_ablation

    torch.set_num_threads(options.threads)
    if options.steps is not None and options.steps < 2:
        raise UsageError(f"--steps must be 2 or more, got {options.steps}: a refine stage needs one for the teacher")
    config = read_ablation(options.config)

    def report(cell: Cell) -> None:
        print(
            f"{cell.variant}, seed {cell.seed}: brain {cell.brain:.2f} dB, perturbed {cell.perturbed:.2f}", flush=True
        )

    print(ablation_table(run_ablation(config, options.folder, report=report, num_steps=options.steps)))


def _fit(options: argparse.Namespace) -> None:
    from training.config import read_config

    config = read_config(options.config)
    _refuse_unfit(options, config)
    if options.folder.exists():
        raise UsageError(f"{options.folder}: exists already; resume it or name another folder")
    _train(options, config, _scans(options.data), resume=False)


def _resume(options: argparse.Namespace) -> None:
    from training.checkpoint import load_checkpoint

    _train(options, load_checkpoint(options.folder).config, _scans(options.data), resume=True)


def _refuse_unfit(options: argparse.Namespace, config: TrainingConfig) -> None:
    """Refuse parts that do not fit, or a device that does not exist, now: before the data are prepared for minutes."""
    from MRTranslateLib.inference.device import choose_execution
    from training.fitness import refuse_unfit

    choose_execution(options.device, threads=options.threads)
    refuse_unfit(config, where=str(options.config))


def _train(options: argparse.Namespace, config: TrainingConfig, scans: list[Scan], *, resume: bool) -> None:
    import torch

    from training.data.cache import fingerprint
    from training.data.views import scans_in_views
    from training.distributed import join_processes
    from training.engine import Run
    from training.evaluation import REPORTED_ROUTES, flat_table, predict_slices, score_routes
    from training.warm_start import start_from

    torch.set_num_threads(options.threads)
    processes, device = join_processes(options.device)
    train, val = _prepared(scans, "train", config.data.realign), _prepared(scans, "val", ())
    train, val = scans_in_views(train, config.data.views), scans_in_views(val, config.data.views[:1])
    data = fingerprint(scan for scan in scans if scan.split == "train")
    run = Run(config, train, options.folder, data_fingerprint=data, device=device, processes=processes)
    if resume:
        run.resume()
    else:
        if options.init is not None:
            start_from(run, *options.init, only=options.only)
        _begin(options, processes)
    run.fit(
        lambda generator: flat_table(
            score_routes(
                lambda scan, route, indices: predict_slices(generator, scan, route, indices),
                val,
                REPORTED_ROUTES,
                every=8,
            )
        )
    )


def _begin(options: argparse.Namespace, processes: Processes) -> None:
    """Make the run's folder, once nothing is left that could be refused and every process has seen that it is new."""
    processes.wait()
    if processes.is_first:
        options.folder.mkdir(parents=True)
        shutil.copyfile(options.config, options.folder / "config.yaml")
    processes.wait()


def _baseline(options: argparse.Namespace) -> None:
    from training.baseline import baseline_scores
    from training.config import read_config
    from training.evaluation import write_scores

    scans = _scans(options.data)
    train = _prepared(scans, "train", read_config(options.config).data.realign)
    scores = baseline_scores(train, _prepared(scans, "val", ()))
    write_scores(options.json, scores)
    _print_scores(scores)


def _evaluate(options: argparse.Namespace) -> None:
    from MRTranslateLib.models.store import ModelStore
    from training.evaluation import score_routes
    from training.export import all_routes, library_predict

    bundle = ModelStore().find(options.model)
    val = _prepared(_scans(options.data), "val", ())
    _print_scores(score_routes(library_predict(bundle, threads=options.threads), val, all_routes()))


def _attention(options: argparse.Namespace) -> None:
    from MRTranslateLib.cli.card_text import render_attention_quality
    from MRTranslateLib.models.store import ModelStore
    from training.calibration import judge_attention
    from training.evaluation import REPORTED_ROUTES

    bundle = ModelStore().find(options.model)
    bundle.card.require_attention()
    val = _prepared(_scans(options.data), "val", ())
    evidence = judge_attention(bundle, val, REPORTED_ROUTES, threads=options.threads)
    print(evidence.calibration.statement)
    print(render_attention_quality(evidence.quality))


def _uncertainty(options: argparse.Namespace) -> None:
    from MRTranslateLib.cli.card_text import render_low_resolution_uncertainty, render_uncertainty_quality
    from MRTranslateLib.models.store import ModelStore
    from training.evaluation import REPORTED_ROUTES
    from training.low_resolution_uncertainty import judge_every_uncertainty
    from training.uncertainty_calibration import write_uncertainty

    bundle = ModelStore().find(options.model)
    val = _prepared(_scans(options.data), "val", ())
    evidence = judge_every_uncertainty(bundle, val, REPORTED_ROUTES, threads=options.threads)
    if options.write:
        write_uncertainty(bundle, evidence)
    for table in evidence.calibrations:
        print(table.statement)
    print(render_uncertainty_quality(evidence.quality))
    if evidence.low_resolution:
        print(render_low_resolution_uncertainty(evidence.low_resolution))


def _flicker(options: argparse.Namespace) -> None:
    import torch

    from training.checkpoint import load_checkpoint
    from training.evaluation import REPORTED_ROUTES, score_routes
    from training.flicker import remedies

    torch.set_num_threads(options.threads)
    ways = remedies(load_checkpoint(options.folder), where=str(options.folder))
    val = _prepared(_scans(options.data), "val", ())
    for name, predict in ways.items():
        print(name)
        _print_scores(score_routes(predict, val, REPORTED_ROUTES))


def _limits(options: argparse.Namespace) -> None:
    from MRTranslateLib.cli.card_text import render_limits
    from MRTranslateLib.models.store import ModelStore
    from training.evaluation import REPORTED_ROUTES
    from training.limits import derive_limits, write_limits

    bundle = ModelStore().find(options.model)
    val = _prepared(_scans(options.data), "val", ())
    limits = derive_limits(bundle, val, REPORTED_ROUTES, threads=options.threads)
    if options.write:
        write_limits(bundle, limits)
    print(render_limits(limits))


def _super_resolution(options: argparse.Namespace) -> None:
    from MRTranslateLib.cli.card_text import render_super_resolution_quality
    from MRTranslateLib.models.store import ModelStore
    from training.super_resolution_quality import judge_super_resolution, write_super_resolution

    bundle = ModelStore().find(options.model)
    bundle.card.require_super_resolution()
    val = _prepared(_scans(options.data), "val", ())
    rows = judge_super_resolution(bundle, val, threads=options.threads)
    if options.write:
        write_super_resolution(bundle, rows)
    print(render_super_resolution_quality(rows))


def _branch(options: argparse.Namespace) -> None:
    import tempfile

    from MRTranslateLib.cli.card_text import render_low_resolution_uncertainty, render_super_resolution_quality
    from MRTranslateLib.models.bundle import rewrite_card
    from MRTranslateLib.models.store import ModelStore
    from training.checkpoint import load_checkpoint
    from training.low_resolution_uncertainty import judge_low_resolution_uncertainty
    from training.resolution_branch import add_super_resolution
    from training.super_resolution_quality import judge_super_resolution

    checkpoint, bundle = load_checkpoint(options.folder), ModelStore().find(options.model)
    _refuse_unfit_model_folder(options, bundle.card.name)
    val = _prepared(_scans(options.data), "val", ())
    command = options.command or _fit_command(checkpoint.config)
    shared = {"version": options.model_version, "command": command, "hardware": options.hardware}
    with tempfile.TemporaryDirectory(prefix="mrtranslate-branch-") as folder:
        trial = add_super_resolution(bundle, checkpoint, Path(folder) / bundle.card.name, **shared)
        rows = judge_super_resolution(trial, val, threads=options.threads)
        print(render_super_resolution_quality(rows))
        intervals = judge_low_resolution_uncertainty(trial, val, threads=options.threads)
        print(render_low_resolution_uncertainty(intervals))
    finer = add_super_resolution(bundle, checkpoint, options.output, replace=options.replace, **shared)
    rewrite_card(finer, super_resolution_quality=rows, low_resolution_uncertainty=intervals)


def _export(options: argparse.Namespace) -> None:
    import torch

    from MRTranslateLib.models.card import Predecessor
    from MRTranslateLib.models.store import ModelStore
    from training.checkpoint import load_checkpoint
    from training.evaluation import REPORTED_ROUTES, predict_slices, read_scores, score_routes
    from training.export import (
        all_routes,
        export_bundle,
        has_student,
        library_predict,
        quality_rows,
        routes_not_worse,
        shipped_generator,
    )
    from training.levels import fit_levels
    from training.measures import measure

    checkpoint = load_checkpoint(options.folder)
    baseline = [] if options.baseline is None else read_scores(options.baseline)
    scans = _scans(options.data)
    val = _prepared(scans, "val", ())
    command = options.command or _fit_command(checkpoint.config)
    former = None
    if options.predecessor is not None:
        card = ModelStore().find(options.predecessor).card
        former = Predecessor(name=card.name, version=card.version, quality=card.quality)
    shared: dict[str, Any] = {"version": options.model_version, "command": command, "hardware": options.hardware}
    if options.level:
        torch.set_num_threads(options.threads)
        predict = partial(predict_slices, shipped_generator(checkpoint, with_student=False))
        shared["levels"] = fit_levels(_prepared(scans, "train", ()), options.level, predict)
    bundle = export_bundle(checkpoint, options.output, replace=options.replace, **shared)
    routes = REPORTED_ROUTES if options.reported_routes else all_routes()
    scores, refined = score_routes(library_predict(bundle, threads=options.threads), val, routes), None
    if has_student(bundle.card):
        bundle = export_bundle(checkpoint, options.output, refined_routes=(), replace=True, **shared)
        plain = score_routes(library_predict(bundle, threads=options.threads), val, routes)
        refined = routes_not_worse(scores, plain)
        scores = [after if after.route in refined else before for after, before in zip(scores, plain, strict=True)]
        bundle = export_bundle(checkpoint, options.output, refined_routes=refined, replace=True, **shared)
    measured = measure(bundle, val, REPORTED_ROUTES, threads=options.threads)
    export_bundle(
        checkpoint,
        options.output,
        quality=quality_rows(scores, baseline),
        attention=measured.attention,
        uncertainty=measured.uncertainty,
        limits=measured.limits,
        super_resolution=measured.super_resolution,
        predecessor=former,
        refined_routes=refined,
        replace=True,
        **shared,
    )
    _print_scores(scores)
    _print_measures(measured)


def _specialise(options: argparse.Namespace) -> None:
    import tempfile

    import torch

    from MRTranslateLib.models.bundle import rewrite_card
    from MRTranslateLib.models.store import ModelStore
    from training.checkpoint import load_checkpoint
    from training.evaluation import REPORTED_ROUTES, predict_slices, read_scores, route_from_name, score_routes
    from training.export import library_predict, quality_rows, routes_not_worse
    from training.levels import fit_levels
    from training.measures import measure
    from training.specialise import (
        add_specialist,
        joined_generator,
        learned_routes,
        mean_generator,
        routes_of_targets,
    )

    checkpoint, bundle = load_checkpoint(options.folder), ModelStore().find(options.model)
    baseline = [] if options.baseline is None else read_scores(options.baseline)
    scans = _scans(options.data)
    val = _prepared(scans, "val", ())
    command = options.command or _fit_command(checkpoint.config)
    shared: dict[str, Any] = {"version": options.model_version, "command": command, "hardware": options.hardware}
    generator = mean_generator(checkpoint, [options.folder, *options.mean_with])
    _refuse_unfit_model_folder(options, bundle.card.name)
    with tempfile.TemporaryDirectory(prefix="mrtranslate-specialise-") as folder:
        trial_folder = Path(folder) / bundle.card.name
        chosen = tuple(route_from_name(name) for name in options.routes or ())
        if not chosen:  # before any new level, which would count for or against the specialist
            routes = learned_routes(checkpoint)
            trial = add_specialist(bundle, generator, checkpoint, trial_folder, routes, **shared)
            before, after = (
                score_routes(library_predict(each, threads=options.threads), val, routes) for each in (bundle, trial)
            )
            chosen = routes_not_worse(after, before)
            if not chosen:
                raise UsageError(f"{options.folder}: loses something on every route; choose by --routes")
        changed: tuple[Route, ...] = ()
        if options.level:
            torch.set_num_threads(options.threads)
            predict = partial(predict_slices, joined_generator(bundle, generator, chosen))
            shared["levels"] = fit_levels(_prepared(scans, "train", ()), options.level, predict)
            changed = routes_of_targets(bundle.card.quality, [model.target for model in shared["levels"]])
        trial = add_specialist(bundle, generator, checkpoint, trial_folder, chosen, replace=True, **shared)
        judged = tuple(dict.fromkeys((*chosen, *changed)))
        scores = score_routes(library_predict(trial, threads=options.threads), val, judged)
        measured = measure(trial, val, REPORTED_ROUTES, threads=options.threads)
    special = add_specialist(
        bundle,
        generator,
        checkpoint,
        options.output,
        chosen,
        quality=quality_rows(scores, baseline),
        replace=options.replace,
        **shared,
    )
    rewrite_card(special, **measured.on_card(special))
    _print_scores(scores)
    _print_measures(measured)


def _refuse_unfit_model_folder(options: argparse.Namespace, name: str) -> None:
    """Now, not after an hour of measuring."""
    if options.output.name != name:
        raise UsageError(f"--output {options.output}: a bundle of model {name} lies in a folder of that name")
    if options.output.exists() and not options.replace:
        raise UsageError(f"--output {options.output}: exists and is kept; add --replace to take its place")


def _fit_command(config: TrainingConfig) -> str:
    return f"python -m training fit training/configs/{config.name}.yaml --data FOLDER --run FOLDER"


def _print_measures(measured: Measures) -> None:
    from MRTranslateLib.cli.card_text import (
        render_attention_quality,
        render_low_resolution_uncertainty,
        render_super_resolution_quality,
        render_uncertainty_quality,
    )

    if measured.attention is not None:
        print(render_attention_quality(measured.attention.quality))
    print(render_uncertainty_quality(measured.uncertainty.quality))
    if measured.uncertainty.low_resolution:
        print(render_low_resolution_uncertainty(measured.uncertainty.low_resolution))
    if measured.super_resolution:
        print(render_super_resolution_quality(measured.super_resolution))


def _scans(data: Path) -> list[Scan]:
    """The scans, at least one on each split."""
    from training.data.bids import read_scans

    scans = list(read_scans(data))
    missing = {"train", "val"} - {scan.split for scan in scans}
    if missing:
        raise InputError(f"{data}: nobody is on the {' and the '.join(sorted(missing))} split")
    return scans


def _prepared(scans: list[Scan], split: str, realign: tuple[str, ...]) -> list[CachedScan]:
    from training.data.cache import load_or_prepare

    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(base) if base else Path.home() / ".cache") / "mrtranslate" / "training"
    return load_or_prepare((scan for scan in scans if scan.split == split), folder, realign=realign)


def _print_scores(scores: Sequence[RouteScore]) -> None:
    from MRTranslateLib.cli.tables import render_table
    from training.evaluation import route_name

    rows = [("route", "people", "brain PSNR", "brain SSIM", "lesion PSNR", "flicker")]
    for score in scores:
        ssim = "" if score.brain_ssim is None else f"{score.brain_ssim:.3f}"
        lesion = "" if score.lesion_psnr is None else f"{score.lesion_psnr:.2f}"
        flicker = "" if score.flicker is None else f"{score.flicker:.2f}"
        rows.append((route_name(score.route), str(score.num_cases), f"{score.brain_psnr:.2f}", ssim, lesion, flicker))
    print(render_table(rows, "lrrrrr"))


if __name__ == "__main__":
    sys.exit(main())
