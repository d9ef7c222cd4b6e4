"""``python -m training``: fit, resume, evaluate, baseline, export."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from MRTranslateLib.errors import InputError, MRTranslateError, UsageError

DATA_HELP = "folder of the open data (holds participants.tsv)"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except MRTranslateError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; resume continues from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train MRTranslate's components.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="start a run from a configuration")
    fit.add_argument("config", type=Path)
    fit.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    fit.add_argument("--run", type=Path, required=True, dest="folder", help="folder of the new run")
    fit.set_defaults(run=_fit)
    resume = commands.add_parser("resume", help="continue a run that was stopped")
    resume.add_argument("folder", type=Path)
    resume.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    resume.set_defaults(run=_resume)
    for command in (fit, resume):
        command.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
        command.add_argument("--threads", type=int, default=1, help="CPU threads")
    baseline = commands.add_parser("baseline", help="judge a per-voxel gradient-boosted regression on the val split")
    baseline.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    baseline.add_argument("--json", type=Path, required=True, help="table to write")
    baseline.set_defaults(run=_baseline)
    return parser


def _fit(options: argparse.Namespace) -> None:
    from training.config import read_config

    config = read_config(options.config)
    if options.folder.exists():
        raise UsageError(f"{options.folder}: exists already; resume it or name another folder")
    options.folder.mkdir(parents=True)
    shutil.copyfile(options.config, options.folder / "config.yaml")
    _train(options, config, resume=False)


def _resume(options: argparse.Namespace) -> None:
    from training.checkpoint import load_checkpoint

    _train(options, load_checkpoint(options.folder).config, resume=True)


def _train(options: argparse.Namespace, config: object, *, resume: bool) -> None:
    import torch

    from training.config import TrainingConfig
    from training.data.bids import read_scans
    from training.data.cache import fingerprint, load_or_prepare
    from training.engine import SupervisedRun
    from training.evaluation import REPORTED_ROUTES, predict_slices, quality_table

    assert isinstance(config, TrainingConfig)
    torch.set_num_threads(options.threads)
    scans = [scan for scan in read_scans(options.data) if scan.one_grid]
    train = [scan for scan in scans if scan.split == "train"]
    val = [scan for scan in scans if scan.split == "val"]
    if not train or not val:
        raise InputError(f"{options.data}: needs people on both splits, has {len(train)} train and {len(val)} val")
    cache = _cache_folder()
    train_scans = load_or_prepare(train, cache, realign=config.data.realign)
    val_scans = load_or_prepare(val, cache, realign=())
    run = SupervisedRun(config, train_scans, options.folder, data_fingerprint=fingerprint(train), device=options.device)
    if resume:
        run.resume()
    run.fit(
        lambda generator: quality_table(
            lambda scan, route, indices: predict_slices(generator, scan, route, indices),
            val_scans,
            REPORTED_ROUTES,
            every=8,
        )
    )


def _baseline(options: argparse.Namespace) -> None:
    import json

    from MRTranslateLib.files import write_text_atomic
    from training.baseline import baseline_quality
    from training.data.bids import read_scans
    from training.data.cache import load_or_prepare

    scans = [scan for scan in read_scans(options.data) if scan.one_grid]
    train, val = ([scan for scan in scans if scan.split == split] for split in ("train", "val"))
    table = baseline_quality(
        load_or_prepare(train, _cache_folder(), realign=()), load_or_prepare(val, _cache_folder(), realign=())
    )
    write_text_atomic(options.json, json.dumps(table, indent=1) + "\n", overwrite=True)
    for name, value in table.items():
        print(f"{name:40s} {value:6.2f} dB")


def _cache_folder() -> Path:
    """Prepared scans are kept here; delete the folder to prepare them again."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "mrtranslate" / "training"


if __name__ == "__main__":
    sys.exit(main())
