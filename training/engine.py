"""A run: stage after stage, batches in, checkpoints and curves out; resumable at any step, by one process or more."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from MRTranslateLib.errors import InputError
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.networks.refined import RefinedGenerator, RefinedParameters
from training.batch import StepBatch, step_batch
from training.checkpoint import Checkpoint, current_commit, load_checkpoint, load_weights, save_checkpoint
from training.config import GeneratorStageConfig, RefineStageConfig, StageConfig, TrainingConfig
from training.data.augmentation import augment
from training.data.cache import CachedScan
from training.data.prefetch import Prefetcher
from training.data.sampler import SliceSampler, StoredBatch
from training.distributed import ALONE, Processes
from training.logs import append_row, draw_curves, draw_samples
from training.networks.averaging import average_into
from training.networks.build import AVERAGED, build_networks
from training.stages.build import build_stage
from training.stages.stage import DivergedError, Stage, StageContext
from training.voxel_stage import freeze_voxel_path, train_voxel_path

Validate = Callable[[Generator], dict[str, float]]
"""Quality of a generator on the validation split, by name."""
THREADS_BESIDE_A_GPU = 2
"""Each draws one of the next batches. One can feed a GPU already; the second hides a batch that comes late."""


@dataclass(frozen=True)
class BatchKey:
    """What decides a batch, beside the run's seed and data and the process.

    Attributes:
        step: Finished steps of the run.
        batch_size: Slices of all processes together.
        num_neighbours: Slices of each contrast.
    """

    step: int
    batch_size: int
    num_neighbours: int


class Run:
    """One run in one folder: ``checkpoint.pt``, a table per stage, ``validation.csv`` and pictures.

    Attributes:
        num_drawing_threads: Batches drawn ahead while a step computes, each by a thread; beside the CPU's own threads
            they would only get in the way.
    """

    def __init__(
        self,
        config: TrainingConfig,
        scans: list[CachedScan],
        folder: Path,
        *,
        data_fingerprint: str,
        device: str,
        processes: Processes = ALONE,
    ) -> None:
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self.data_fingerprint, self.processes = data_fingerprint, processes
        torch.manual_seed(config.seed)
        self.networks = build_networks(config).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        kept = {name: network for name, network in self.networks.items() if name in AVERAGED}
        self.averaged = nn.ModuleDict(copy.deepcopy(kept)).requires_grad_(False)
        self.context = StageContext(config, self.networks, self.device, processes)
        self.sampler = SliceSampler(scans, config.data, num_neighbours=self.generator.num_neighbours, seed=config.seed)
        self.num_drawing_threads = THREADS_BESIDE_A_GPU if self.device.type == "cuda" else 0
        self._ahead: Prefetcher[BatchKey, StoredBatch] | None = None
        self.stage: Stage | None = None
        self.step, self.seconds = 0, 0.0
        self.commit = current_commit()

    @property
    def generator(self) -> Generator:
        """The generator as it is trained."""
        return self.context.generator

    @property
    def result(self) -> Generator:
        """What the run has come to: the averaged generator, with the averaged student once that has been trained."""
        student_from = sum(
            stage.optimizer.num_steps for stage in self.config.stages[: _first_refine(self.config.stages)]
        )
        return deliverable(self.config, self.averaged, with_student=self.step > student_from)

    def resume(self) -> None:
        """Continue from the folder's checkpoint, as if the run had never stopped.

        Raises:
            InputError: If there is none, or it was made with other data or for networks of another architecture.
        """
        saved = load_checkpoint(self.folder)
        if saved.data_fingerprint != self.data_fingerprint:
            raise InputError(
                f"{self.folder}: was trained on data of fingerprint {saved.data_fingerprint}, these have "
                f"{self.data_fingerprint}; give the same data, or begin a new run with --init"
            )
        load_weights(self.networks, saved.networks, where=str(self.folder))
        load_weights(self.averaged, saved.averaged, where=str(self.folder))
        self.step, self.seconds = saved.step, saved.seconds
        self._freeze()
        if self.step < self.config.num_steps and self.stage_step > 0:
            self.stage = build_stage(self.stage_config, self.context)
            self.stage.load_state_dict(saved.stage)

    @property
    def stage_config(self) -> StageConfig:
        """The stage of the next step; the last one when all are done."""
        return self._place()[0]

    @property
    def stage_step(self) -> int:
        """Finished steps of that stage."""
        return self._place()[1]

    def _place(self) -> tuple[StageConfig, int]:
        left = self.step
        for stage in self.config.stages:
            if left < stage.optimizer.num_steps:
                return stage, left
            left -= stage.optimizer.num_steps
        last = self.config.stages[-1]
        return last, last.optimizer.num_steps

    def fit(self, validate: Validate | None = None) -> None:
        """Train to the last step.

        Raises:
            DivergedError: If a loss is not finite.
        """
        with self.drawing_ahead():
            self._fit(validate)

    @contextmanager
    def drawing_ahead(self) -> Iterator[None]:
        """Within it threads draw the next batches; none is left when training has ended, failed or been stopped."""
        if self.num_drawing_threads == 0:
            yield
            return
        with Prefetcher(self._draw_stored, self.num_drawing_threads) as self._ahead:
            try:
                yield
            finally:
                self._ahead = None

    def _fit(self, validate: Validate | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter() - self.seconds
        logged: list[dict[str, float]] = []
        if self.step == 0:
            self._learn_voxels()
        self._freeze()
        while self.step < self.config.num_steps:
            stage_config = self.stage_config
            if validate is not None and self.stage_step == 0 and _is_attacked(stage_config):
                self._begin_stage()
                self._validate(validate)  # what clean accuracy is held against while attacks grow
            logged.append(self.train_step())
            self.seconds = time.perf_counter() - started
            is_last = self.step == self.config.num_steps
            ends_stage = is_last or self.stage_config is not stage_config
            if ends_stage or self.step % self.config.log_every_steps == 0:
                self._log(stage_config.name, logged)
                logged = []
            # First: a stage may remember how good the run was, and a checkpoint holds what it remembers.
            if validate is not None and (is_last or self.step % self.config.validate_every_steps == 0):
                self._validate(validate)
            if ends_stage:
                self.stage = None
            if ends_stage or self.step % self.config.checkpoint_every_steps == 0:
                self.save()

    def train_step(self) -> dict[str, float]:
        """One step of the running stage; returns its losses and measurements."""
        config = self.stage_config
        stage = self._begin_stage() if self.stage is None else self.stage
        batch, random = self.draw(config.optimizer.batch_size)
        self._draw_ahead(config)
        try:
            measured = stage.step(batch, self.stage_step, random)
        except DivergedError as error:
            raise DivergedError(
                f"{self.folder}: at step {self.step}, {config.name}: {error}; the last good checkpoint is kept, resume "
                "with a lower peak_learning_rate"
            ) from None
        self._average(stage.trained, config.optimizer.ema_decay)
        self.step += 1
        return measured

    def _begin_stage(self) -> Stage:
        self.stage = build_stage(self.stage_config, self.context)
        return self.stage

    def draw(self, batch_size: int) -> tuple[StepBatch, torch.Generator]:
        """This process's part of the next step's batch, augmented, and the step's source of chance."""
        key = self._batch_key(self.step, batch_size)
        stored = self._draw_stored(key) if self._ahead is None else self._ahead.take(key)
        batch = stored.to(self.device)
        seed = (self.config.seed * 1_000_003 + self.step) * self.processes.count + self.processes.rank
        random = torch.Generator().manual_seed(seed)
        batch, source_images = augment(batch, self.config.augmentation, random)
        return step_batch(batch, source_images, self.generator.num_neighbours), random

    def _batch_key(self, step: int, batch_size: int) -> BatchKey:
        seen = self.generator.num_neighbours
        return BatchKey(step, batch_size, seen if self.stage is None else max(seen, self.stage.num_neighbours))

    def _draw_stored(self, key: BatchKey) -> StoredBatch:
        """This process's part of a batch; threads call it."""
        rows = range(self.processes.rank, key.batch_size, self.processes.count)
        pinned = self.device.type == "cuda"
        return self.sampler.draw_stored(
            key.step, key.batch_size, rows=rows, num_neighbours=key.num_neighbours, pinned=pinned
        )

    def _draw_ahead(self, config: StageConfig) -> None:
        """Begin to draw the next batches of this stage; the next stage may want others."""
        if self._ahead is None:
            return
        last = self.step + config.optimizer.num_steps - self.stage_step
        steps = range(self.step + 1, min(self.step + 1 + self.num_drawing_threads, last))
        self._ahead.begin(self._batch_key(step, config.optimizer.batch_size) for step in steps)

    def _learn_voxels(self) -> None:
        if self.config.voxel_stage.num_steps > 0:
            train_voxel_path(self.generator, self.sampler, self.config)
            self.averaged["generator"].load_state_dict(self.generator.state_dict())

    def _freeze(self) -> None:
        if self.config.voxel_stage.num_steps > 0 and self.config.voxel_stage.frozen_afterwards:
            freeze_voxel_path(self.generator)

    def _average(self, trained: tuple[str, ...], decay: float) -> None:
        decay = min(decay, (1 + self.stage_step) / (10 + self.stage_step))
        for name in trained:
            average_into(self.averaged[name], self.networks[name], decay)

    def _log(self, stage: str, rows: list[dict[str, float]]) -> None:
        names = {name for row in rows for name in row}
        means = {}
        for name in names:  # a term that only some steps have is averaged over those
            values = [row[name] for row in rows if name in row]
            means[name] = sum(values) / len(values)
        means = self.processes.mean(means)
        if self.processes.is_first:
            ordered = {"loss": means.pop("loss"), **dict(sorted(means.items()))}
            append_row(self.folder / f"{stage}.csv", {"step": self.step, "seconds": round(self.seconds), **ordered})

    def _validate(self, validate: Validate) -> None:
        clean_psnr = 0.0
        if self.processes.is_first:
            quality = validate(self.result)
            append_row(self.folder / "validation.csv", {"step": self.step, **quality})
            brain = [value for name, value in quality.items() if name.endswith("brain")]
            clean_psnr = sum(brain) / len(brain) if brain else math.nan
            draw_curves(self.folder)
            batch, _ = self.draw(min(4, len(self.sampler.scans)))
            draw_samples(self.folder / "samples.png", self.result, batch)
        clean_psnr = self.processes.told_by_first(clean_psnr)
        if self.stage is not None and not math.isnan(clean_psnr):
            self.stage.observe(clean_psnr)

    def save(self) -> None:
        """Write the checkpoint."""
        if self.processes.is_first:
            save_checkpoint(
                Checkpoint(
                    self.step,
                    {name: network.state_dict() for name, network in self.networks.items()},
                    {name: network.state_dict() for name, network in self.averaged.items()},
                    {} if self.stage is None else self.stage.state_dict(),
                    self.seconds,
                    self.config,
                    self.commit,
                    self.data_fingerprint,
                ),
                self.folder,
            )
        self.processes.wait()


def deliverable(config: TrainingConfig, averaged: nn.ModuleDict, *, with_student: bool) -> Generator:
    """The generator of a run, refined by the student if that is wanted and there is one; shares their weights."""
    generator = averaged["generator"]
    if not with_student or config.networks.student is None:
        if not isinstance(generator, Generator):
            raise TypeError("the network named generator is none")
        return generator
    parameters = RefinedParameters(
        architecture=config.generator.architecture,
        parameters=config.generator.parameters,
        student=config.networks.student,
    )
    refined = RefinedGenerator(parameters)
    refined.generator.load_state_dict(generator.state_dict())
    refined.student.load_state_dict(averaged["student"].state_dict())
    return refined.to(next(generator.parameters()).device)


def _is_attacked(stage: StageConfig) -> bool:
    return isinstance(stage, GeneratorStageConfig | RefineStageConfig) and stage.attack is not None


def _first_refine(stages: tuple[StageConfig, ...]) -> int:
    refining = (number for number, stage in enumerate(stages) if isinstance(stage, RefineStageConfig))
    return next(refining, len(stages))
