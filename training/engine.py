"""The supervised stage: batches in, checkpoints and a curve out; resumable at any step."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.networks.generator import Generator, SourceSlices, build_generator
from training.checkpoint import Checkpoint, current_commit, load_checkpoint, save_checkpoint
from training.config import OptimizerConfig, TrainingConfig
from training.data.augmentation import augment
from training.data.cache import CachedScan
from training.data.sampler import SliceSampler
from training.losses.masked_error import masked_absolute_error, masked_squared_error
from training.losses.structural_similarity import structural_dissimilarity
from training.voxel_stage import freeze_voxel_path, train_voxel_path

Validate = Callable[[Generator], dict[str, float]]
"""Quality of a generator on the validation split, by name."""


class DivergedError(MRTranslateError):
    """The loss is no number any more; the last checkpoint is from before."""


class SupervisedRun:
    """One run in one folder: ``checkpoint.pt``, ``log.csv``, ``validation.csv``."""

    def __init__(
        self, config: TrainingConfig, scans: list[CachedScan], folder: Path, *, data_fingerprint: str, device: str
    ) -> None:
        self.config, self.folder, self.device = config, folder, torch.device(device)
        self.data_fingerprint = data_fingerprint
        torch.manual_seed(config.seed)
        self.generator = build_generator(config.generator.architecture, config.generator.parameters)
        self.generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.generator.parameters(),
            lr=config.optimizer.peak_learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.optimizer.weight_decay,
        )
        self.sampler = SliceSampler(scans, config.data, num_neighbours=self.generator.num_neighbours, seed=config.seed)
        self.step, self.seconds = 0, 0.0
        self.commit = current_commit()

    def resume(self) -> None:
        """Continue from the folder's checkpoint, as if the run had never stopped."""
        saved = load_checkpoint(self.folder)
        self.generator.load_state_dict(saved.generator)
        self.averaged.load_state_dict(saved.averaged)
        self.optimizer.load_state_dict(saved.optimizer)
        self.step, self.seconds = saved.step, saved.seconds

    def fit(self, validate: Validate | None = None) -> None:
        """Train to the last step.

        Raises:
            DivergedError: If the loss is not finite.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        started, logged = time.perf_counter() - self.seconds, {"loss": 0.0}
        num_steps = self.config.optimizer.num_steps
        if self.step == 0 and self.config.voxel_stage.num_steps > 0:
            train_voxel_path(self.generator, self.sampler, self.config)
            self.averaged.load_state_dict(self.generator.state_dict())
        if self.config.voxel_stage.num_steps > 0 and self.config.voxel_stage.frozen_afterwards:
            freeze_voxel_path(self.generator)
        while self.step < num_steps:
            losses = self.train_step()
            logged = {name: logged.get(name, 0.0) + value for name, value in losses.items()}
            self.seconds = time.perf_counter() - started
            if self.step % self.config.log_every_steps == 0:
                means = {name: value / self.config.log_every_steps for name, value in logged.items()}
                _append_row(self.folder / "log.csv", {"step": self.step, "seconds": round(self.seconds), **means})
                logged = {}
            last = self.step == num_steps
            if last or self.step % self.config.checkpoint_every_steps == 0:
                self.save()
            if validate is not None and (last or self.step % self.config.validate_every_steps == 0):
                quality = validate(self.averaged)
                _append_row(self.folder / "validation.csv", {"step": self.step, **quality})

    def train_step(self) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        settings = self.config.optimizer
        batch = self.sampler.draw(self.step, settings.batch_size)
        random = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        batch, source_images = augment(batch, self.config.augmentation, random)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        slices = SourceSlices(source_images, batch.availability, batch.height)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            predicted = self.generator.train_pred(slices, batch.target_code)
        wanted = batch.target_code.bool()
        truth = batch.images[:, :, self.generator.num_neighbours // 2][wanted]
        brain, lesion = (
            mask.expand(-1, len(Contrast), -1, -1)[wanted][:, None] for mask in (batch.brain, batch.lesion)
        )
        losses = self._losses(predicted.float()[wanted][:, None], truth[:, None], brain, lesion)
        total = torch.stack(list(losses.values())).sum()
        if not math.isfinite(total.item()):
            raise DivergedError(
                f"{self.folder}: the loss became {total.item()} at step {self.step}; the last good checkpoint is kept, "
                "resume with a lower peak_learning_rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.generator.parameters(), settings.gradient_clip_norm)
        self.optimizer.step()
        self.step += 1
        self._average()
        return {"loss": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def _losses(self, predicted: Tensor, truth: Tensor, brain: Tensor, lesion: Tensor) -> dict[str, Tensor]:
        weights = self.config.losses
        counted = brain * (1 + (weights.lesion - 1) * lesion)
        mean_error = ((predicted - truth) * brain).sum((2, 3), keepdim=True) / brain.sum((2, 3), keepdim=True).clamp(
            min=1
        )
        levelled = predicted - (1 - weights.level) * mean_error
        dissimilarity = structural_dissimilarity(predicted * brain, truth * brain, brain)
        return {
            "absolute_error": weights.absolute_error * masked_absolute_error(levelled, truth, counted),
            "squared_error": weights.squared_error * masked_squared_error(levelled, truth, counted),
            "structural_similarity": weights.structural_similarity * dissimilarity,
        }

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.optimizer.ema_decay, (1 + self.step) / (10 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            Checkpoint(
                self.step,
                self.generator.state_dict(),
                self.averaged.state_dict(),
                self.optimizer.state_dict(),
                self.seconds,
                self.config,
                self.commit,
                self.data_fingerprint,
            ),
            self.folder,
        )


def learning_rate(step: int, settings: OptimizerConfig) -> float:
    """Linear warm-up, then half a cosine to zero at the last step."""
    if step < settings.num_warmup_steps:
        return settings.peak_learning_rate * (step + 1) / settings.num_warmup_steps
    progress = (step - settings.num_warmup_steps) / (settings.num_steps - settings.num_warmup_steps)
    return settings.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _append_row(path: Path, row: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: round(value, 5) for name, value in row.items()})
