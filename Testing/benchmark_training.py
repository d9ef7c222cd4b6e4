"""How fast training runs: slices per second, share of the time spent waiting for data, and peak memory, per stage.

    python Testing/benchmark_training.py [--config FILE] [--steps 10] [--device cpu] [--threads 1] [--stages KIND ...]

Phantoms lie in memory, so no disk is measured. Networks, slices and batch size are those of the configuration; the
stages are one of each kind: the generator alone, with label correction, against discriminators, under attack,
refinement and super-resolution. A kind that the configuration has no stage of is left out. Drawing and augmenting a
batch counts as waiting: a step that has it at 0.30 could be 1.4 times as fast with batches drawn ahead. Seconds of
processor are what a step costs on a machine that is busy with other things too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from training.config import GeneratorStageConfig, RefineStageConfig, StageConfig, TrainingConfig, read_config
from training.data.cache import CachedScan
from training.data.phantom_scans import phantom_scans
from training.engine import Run
from training.fitness import refuse_unfit

CONFIG = Path(__file__).parents[1] / "training" / "configs" / "united_laptop.yaml"
NUM_PEOPLE, FIRST_SEED = 4, 700
WARM_UP_STEPS = 2
"""Not counted: memory is allotted and kernels are chosen."""
KINDS = ("plain", "label_correction", "adversarial", "attack", "refine", "super_resolution")


@dataclass(frozen=True)
class Speed:
    """One row: slices per second, processor seconds per step, waiting as a share of the time, peak GiB if known."""

    kind: str
    slices_per_s: float
    processor_s: float
    waiting_share: float
    peak_gib: float | None


def kind_of(stage: StageConfig) -> str:
    """The most expensive switch of a stage."""
    if isinstance(stage, GeneratorStageConfig):
        switches = [name for name in ("attack", "adversarial", "label_correction") if getattr(stage, name) is not None]
        return switches[0] if switches else "plain"
    return "refine" if isinstance(stage, RefineStageConfig) else "super_resolution"


def stages_by_kind(config: TrainingConfig) -> dict[str, StageConfig]:
    """The first stage of each kind, with both networks of a refinement at work from the first step."""
    found: dict[str, StageConfig] = {}
    for stage in config.stages:
        if isinstance(stage, RefineStageConfig):
            stage = msgspec.structs.replace(stage, teacher_steps=0)
        if isinstance(stage, GeneratorStageConfig) and stage.label_correction is not None:
            correction = msgspec.structs.replace(stage.label_correction, start_step=0)
            stage = msgspec.structs.replace(stage, label_correction=correction)
        found.setdefault(kind_of(stage), stage)
    return {kind: found[kind] for kind in KINDS if kind in found}


def measure(kind: str, run: Run, num_steps: int) -> Speed:
    """Time the steps of a run whose only stage is of this kind."""
    waiting = 0.0
    drawn: Callable[..., object] = run.draw

    def timed(*arguments: int) -> object:
        nonlocal waiting
        started = time.perf_counter()
        try:
            return drawn(*arguments)
        finally:
            _finish(run.device)
            waiting += time.perf_counter() - started

    run.draw = timed  # type: ignore[method-assign, assignment]
    for _ in range(WARM_UP_STEPS):
        run.train_step()
    _finish(run.device)
    _reset_peak(run.device)
    waiting, started, processor = 0.0, time.perf_counter(), time.process_time()
    for _ in range(num_steps):
        run.train_step()
    _finish(run.device)
    took, processor = time.perf_counter() - started, time.process_time() - processor
    slices = run.stage_config.optimizer.batch_size * num_steps
    return Speed(kind, slices / took, processor / num_steps, waiting / took, _peak_gib(run.device))


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no Linux, or not allowed: the peak is then that of all stages so far
        return


def _peak_gib(device: torch.device) -> float | None:
    """Of the device's tensors, or of the whole process on the CPU, where Linux tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return kib / 2**20


def benchmark(
    config: TrainingConfig, scans: list[CachedScan], kinds: list[str], num_steps: int, device: str
) -> list[Speed]:
    """One row for each kind that the configuration has."""
    rows = []
    for kind, stage in stages_by_kind(config).items():
        if kind not in kinds:
            continue
        alone = msgspec.structs.replace(config, stages=(stage,))
        with tempfile.TemporaryDirectory(prefix="mrtranslate-benchmark-") as folder:
            run = Run(alone, scans, Path(folder), data_fingerprint="none", device=device)
            rows.append(measure(kind, run, num_steps))
        print(_line(rows[-1], stage), flush=True)
    return rows


def _line(row: Speed, stage: StageConfig) -> str:
    peak = "" if row.peak_gib is None else f"{row.peak_gib:.2f}"
    return (
        f"| {row.kind} | {stage.optimizer.batch_size} | {row.slices_per_s:.1f} | {row.processor_s:.2f} | "
        f"{row.waiting_share:.2f} | {peak} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--steps", type=int, default=10, help="per stage, after 2 that are not counted")
    parser.add_argument("--spacing-mm", type=float, default=1.5, help="of the phantoms; smaller ones fill the slices")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = read_config(arguments.config)
    refuse_unfit(config, where=str(arguments.config))
    scans = phantom_scans(NUM_PEOPLE, spacing_mm=arguments.spacing_mm, first_seed=FIRST_SEED)
    where = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else f"CPU, {arguments.threads} threads"
    print(f"{config.name}, {config.precision}, slices of {' x '.join(map(str, config.data.crop_voxels))}, on {where}")
    print(
        "| stage | batch | slices/s | processor s/step | share waiting for data | peak memory, GiB |\n"
        "|---|---|---|---|---|---|"
    )
    benchmark(config, scans, arguments.stages, arguments.steps, arguments.device)


if __name__ == "__main__":
    main()
