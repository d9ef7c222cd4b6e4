"""How fast training runs: slices per second, share of the time spent waiting for data, and peak memory, per stage.

    python Testing/benchmark_training.py [--config FILE] [--steps 10] [--device cpu] [--threads 1] [--stages KIND ...]
    python Testing/benchmark_training.py --stages loader

Phantoms lie in memory, so no disk is measured. Networks, slices and batch size are those of the configuration; the
stages are one of each kind: the generator alone, with label correction, against discriminators, under attack,
refinement and super-resolution. A kind that the configuration has no stage of is left out. Waiting is the time until a
batch is there, augmented: beside a GPU threads draw it ahead, so that little more than augmenting is left. Seconds of
processor are what a step costs on a machine that is busy with other things too.

The loader alone, which ``loader`` stands for: slices of five contrasts with five neighbours, cut from whole heads in
memory. "Drawn" ends with 8 bits on the host, "drawn and converted" with 0..1 on the device; beside a GPU the host draws
and the GPU converts. "Feeds" is what one free core draws, from processor time: a GPU that takes no more steps a second
never waits for slices, and whoever owns none can compare with the steps per second that others report.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from MRTranslateLib.contrast import Contrast
from training.config import (
    DataConfig,
    GeneratorStageConfig,
    RefineStageConfig,
    StageConfig,
    TrainingConfig,
    read_config,
)
from training.data.cache import CachedScan
from training.data.phantom_scans import phantom_scans
from training.data.prefetch import Prefetcher
from training.data.sampler import SliceSampler, StoredBatch
from training.engine import Run
from training.fitness import refuse_unfit

CONFIG = Path(__file__).parents[1] / "training" / "configs" / "united_laptop.yaml"
NUM_PEOPLE, FIRST_SEED = 4, 700
WARM_UP_STEPS = 2
"""Not counted: memory is allotted and kernels are chosen."""
LOADER = "loader"
LOADER_CROPS = ((176, 144), (240, 240))
LOADER_THREADS = (0, 1, 2)
LOADER_BATCH, LOADER_NEIGHBOURS = 16, 5
LOADER_BATCHES, LOADER_REPEATS = 8, 9
"""Batches per timing; the median of the timings counts."""
HEAD = (160, 256, 256)
"""Slices, rows and columns of a head: larger than every crop, so that no margin is left empty, which is faster."""
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
    with run.drawing_ahead():
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


@dataclass(frozen=True)
class LoaderSpeed:
    """Slices per second drawn, and drawn and converted; processor seconds per drawn batch."""

    drawn_per_s: float
    converted_per_s: float
    processor_s: float


def benchmark_loader(device: torch.device) -> None:
    """Print the speed of the loader alone, one row for each crop and number of threads."""
    print(
        "| crop | threads that draw ahead | drawn, slices/s | drawn and converted, slices/s | processor ms/batch | "
        f"feeds, steps/s of {LOADER_BATCH} |\n|---|---|---|---|---|---|"
    )
    heads = [_head(seed) for seed in range(NUM_PEOPLE)]
    for crop in LOADER_CROPS:
        data = DataConfig(realign=(), crop_voxels=crop, lesion_fraction=0.25, source_count_weights=(0.45, 0.35, 0.2))
        sampler = SliceSampler(heads, data, num_neighbours=LOADER_NEIGHBOURS, seed=FIRST_SEED)
        for threads, speed in _loader_speeds(sampler, device).items():
            print(
                f"| {crop[0]} x {crop[1]} | {threads} | {speed.drawn_per_s:.0f} | {speed.converted_per_s:.0f} | "
                f"{1000 * speed.processor_s:.1f} | {1 / speed.processor_s:.0f} |",
                flush=True,
            )


def _head(seed: int) -> CachedScan:
    rng = np.random.default_rng(seed)
    images = {contrast: rng.integers(0, 256, HEAD, dtype=np.uint8) for contrast in Contrast}
    lesion = np.zeros(HEAD, np.uint8)
    lesion[70:90, 120:140, 120:140] = 1
    return CachedScan(f"head-{seed}", images, np.ones(HEAD, np.bool_), lesion, has_lesion_mask=True)


def _loader_speeds(sampler: SliceSampler, device: torch.device) -> dict[int, LoaderSpeed]:
    """Medians by number of threads; all are timed in turn, so that each sees the same load of the machine."""
    drawn: dict[int, list[tuple[float, float]]] = {threads: [] for threads in LOADER_THREADS}
    converted: dict[int, list[tuple[float, float]]] = {threads: [] for threads in LOADER_THREADS}
    for _ in range(LOADER_REPEATS + 1):  # the first allots memory
        for threads in LOADER_THREADS:
            drawn[threads].append(_time_loader(sampler, device, threads, convert=False))
            converted[threads].append(_time_loader(sampler, device, threads, convert=True))
    num_slices = LOADER_BATCHES * LOADER_BATCH
    speeds = {}
    for threads in LOADER_THREADS:
        took, processor = (statistics.median(values) for values in zip(*drawn[threads][1:], strict=True))
        both, _ = (statistics.median(values) for values in zip(*converted[threads][1:], strict=True))
        speeds[threads] = LoaderSpeed(num_slices / took, num_slices / both, processor / LOADER_BATCHES)
    return speeds


def _time_loader(sampler: SliceSampler, device: torch.device, threads: int, *, convert: bool) -> tuple[float, float]:
    """Seconds and processor seconds that some batches take."""

    def draw(step: int) -> StoredBatch:
        return sampler.draw_stored(step, LOADER_BATCH, pinned=device.type == "cuda")

    started, processor = time.perf_counter(), time.process_time()
    with Prefetcher(draw, max(threads, 1)) as ahead:
        for step in range(LOADER_BATCHES):
            if threads > 0:
                ahead.begin(range(step, min(step + threads + 1, LOADER_BATCHES)))
            batch = ahead.take(step)
            if convert:
                batch.to(device)
    _finish(device)
    return time.perf_counter() - started, time.process_time() - processor


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
    choices = [*KINDS, LOADER]
    parser.add_argument("--stages", nargs="+", choices=choices, default=choices, metavar="KIND")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if LOADER in arguments.stages:
        benchmark_loader(torch.device(arguments.device))
    if arguments.stages == [LOADER]:
        return
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
