"""The 3-D refiner behind a translation that stays as it is (METHODS 9.4, a proposal).

Every step translates blocks of neighbouring slices, each slice by itself as inference does, and teaches the refiner to
bring the blocks nearer to the real ones, in level and in what changes from slice to slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from MRTranslateLib.networks.generator import SourceSlices
from training.batch import Pairs, StepBatch
from training.config import VolumeRefineStageConfig
from training.losses.masked_error import masked_absolute_error
from training.losses.slice_change import slice_change_error
from training.stages.delivered import delivered
from training.stages.stage import Stage, StageContext, make_optimizer, minimize, set_learning_rate, values_of

TYPICAL_BRAIN_SLICES = 140
"""Of 1 mm. A batch knows the height of its middle slice only; over a block the error of a neighbour's is below 0.01."""


class VolumeRefineStage(Stage):
    """Trains the refiner alone."""

    def __init__(self, settings: VolumeRefineStageConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        self.trained = ("volume_refiner",)
        self.refiner = context.processes.wrap(context.networks["volume_refiner"])
        self.optimizer = make_optimizer(context.networks["volume_refiner"].parameters(), settings.optimizer)
        self.num_neighbours = settings.num_slices + context.generator.num_neighbours - 1

    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """See :meth:`training.stages.stage.Stage.step`."""
        del random
        set_learning_rate(self.optimizer, step, self.settings.optimizer)
        pairs = batch.pairs()
        blocks = self._blocks(batch)
        translated = torch.stack([self._translated(block) for block in blocks], dim=2)
        brain, truth = self._truth(batch, pairs)
        translated = translated * brain
        reach = self.context.generator.num_neighbours // 2
        kept = slice(reach, reach + self.settings.num_slices)
        sources = batch.stacks[pairs.rows, :, kept]
        with self.context.autocast():
            refined = self.refiner(translated, sources, pairs.availability, pairs.target_code, brain).float()
        losses = {
            "absolute_error": masked_absolute_error(refined, truth, brain),
            "slice_change": self.settings.slice_change * slice_change_error(refined, truth, brain),
        }
        before = float(slice_change_error(translated, truth, brain))
        loss = minimize(losses, [self.optimizer], self.settings.optimizer.gradient_clip_norm)
        return {"loss": loss, **values_of(losses), "slice_change_before": self.settings.slice_change * before}

    def _blocks(self, batch: StepBatch) -> list[StepBatch]:
        """The batch once for each slice of the block, with that slice in the middle."""
        seen, count = self.context.generator.num_neighbours, self.settings.num_slices
        given = batch.slices.availability[:, :, None, None, None]
        blocks = []
        for first in range(count):
            images = batch.stacks[:, :, first : first + seen] * given
            height = (batch.slices.height + (first - count // 2) / TYPICAL_BRAIN_SLICES).clamp(0, 1)
            slices = SourceSlices(images, batch.slices.availability, height)
            blocks.append(replace(batch, slices=slices, truth=batch.stacks[:, :, first + seen // 2]))
        return blocks

    def _translated(self, block: StepBatch) -> Tensor:
        return delivered(self.context, block, block.pairs())

    def _truth(self, batch: StepBatch, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Brain and real target ``(P, 1, S, H, W)``; the brain of a neighbour is where anything was acquired."""
        reach = self.context.generator.num_neighbours // 2
        stacks = batch.stacks[:, :, reach : reach + self.settings.num_slices]
        brain = (stacks > 0).any(dim=1).to(stacks)[pairs.rows][:, None]
        return brain, stacks[pairs.rows, pairs.channels][:, None] * brain

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`training.stages.stage.Stage.state_dict`."""
        return {"volume_refiner": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["volume_refiner"])
