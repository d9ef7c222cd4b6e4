"""Stage 5 of METHODS 4.2: system C's super-resolution branch and its difference-projection discriminator.

The generator (and student) in front of it stay as they are. Each step draws one degradation for all slices: an in-plane
ratio by cropping k-space, or thick slices, which is what clinics acquire (ours). A conditioned branch is told what the
same degradation hides of the sources (ours).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.k_space import along_axis, k_space_enlarge
from MRTranslateLib.networks.low_resolution_target import LowResolutionTarget, hidden_details
from MRTranslateLib.networks.super_resolution import SuperResolved
from training.batch import Pairs, StepBatch
from training.config import SuperResolutionStageConfig
from training.data.degradation import k_space_downsample, through_plane_matrix
from training.data.misalignment import draw_misalignment
from training.losses import relativistic_average
from training.losses.adversarial import sum_over_scales
from training.losses.distinction import DISTINCTION_WEIGHT, distinction_loss, infinite_ratio_difference
from training.losses.feature_matching import feature_matching
from training.losses.supervised import importance, supervised_terms
from training.stages.corrected import with_corrected_targets
from training.stages.delivered import delivered
from training.stages.stage import Stage, StageContext, make_optimizer, minimize, set_learning_rate, values_of

FINEST_SPACING_MM = 1.0
"""Of the slices in the cache."""


THICK_SLICES_START: Literal["acquired", "synthetic"] = "acquired"
"""To what the branch learns to add details where slices are thick; the model card says it (``thick_slices_start``).

The synthetic volume as the same thick slices would have shown it needs the translation of 10 to 20 neighbouring slices
per trained one, several times the cost of the step. So the branch is told none, compares in plane alone, and begins
with the acquired slices themselves; the synthetic slice guides it. Weights mean one or the other: never change this for
a run that has begun."""


def stack_reach(thickness_mm: float) -> int:
    """Neighbours on each side that thick slices, interpolated at the middle one, depend on.

    They reach on, but what lies beyond two thick slices counts less than a tenth.
    """
    return math.ceil(2.5 * thickness_mm / FINEST_SPACING_MM) + 1


class SuperResolutionStage(Stage):
    """Trains the branch on what a low-resolution scan of the target would have shown."""

    def __init__(self, settings: SuperResolutionStageConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        self.trained = ("super_resolution",)
        self.plain_branch = context.networks["super_resolution"]
        self.branch = context.processes.wrap(self.plain_branch)
        self.optimizer = make_optimizer(self.plain_branch.parameters(), settings.optimizer)
        self.judge: nn.Module = nn.Identity()
        self.has_judge = False
        if settings.adversarial > 0 or settings.feature_matching > 0:
            self.plain_judge = context.networks["difference_projection"]
            self.judge, self.has_judge = context.processes.wrap(self.plain_judge), True
            self.judge_optimizer = make_optimizer(self.plain_judge.parameters(), settings.optimizer)
        self.num_neighbours = max((2 * stack_reach(size) + 1 for size in settings.slice_thickness_mm), default=1)

    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """See :meth:`training.stages.stage.Stage.step`."""
        pairs = batch.pairs()
        low_resolution = self._acquire(batch, pairs, random)
        synthetic = delivered(self.context, batch, pairs)
        set_learning_rate(self.optimizer, step, self.settings.optimizer)
        with self.context.autocast():
            resolved: SuperResolved = self.branch(low_resolution, synthetic, pairs.sources)
        predicted = resolved.prediction.float() * pairs.brain
        truth = self._target(pairs) * pairs.brain
        difference = infinite_ratio_difference(truth, synthetic * pairs.brain)
        weights = self.context.config.losses
        # Whatever the sources are, the thick slices of the target show its lesions.
        counted = importance(pairs.brain, pairs.lesion, torch.ones_like(pairs.availability), weights)
        losses = supervised_terms(predicted, truth, pairs.brain, counted, weights)
        losses["distinction"] = (
            self.settings.distinction / DISTINCTION_WEIGHT * distinction_loss(resolved.distinction, difference)
        )
        measured: dict[str, float] = {}
        if self.has_judge:
            if step % self.settings.discriminator_every_steps == 0:
                measured = self._judge_step(truth, predicted.detach(), difference, step)
            losses |= self._convincing(truth, predicted, difference, step)
        loss = minimize(losses, [self.optimizer], self.settings.optimizer.gradient_clip_norm)
        return {"loss": loss, **values_of(losses), **measured}

    def _target(self, pairs: Pairs) -> Tensor:
        """What the branch is to make: the target as it was scanned, or in the frame of its sources."""
        return with_corrected_targets(self.context, pairs).truth if self.settings.corrected_target else pairs.truth

    def _acquire(self, batch: StepBatch, pairs: Pairs, random: torch.Generator) -> LowResolutionTarget:
        """What a low-resolution scan shows of each wanted contrast; ratio or thickness drawn for the whole batch."""
        settings = self.settings
        choices = len(settings.ratios) + len(settings.slice_thickness_mm)
        chosen = int(torch.randint(choices, (1,), generator=random))
        if chosen < len(settings.ratios):
            return self._with_large_pixels(pairs, settings.ratios[chosen], random)
        return self._with_thick_slices(batch, pairs, settings.slice_thickness_mm[chosen - len(settings.ratios)], random)

    def _with_large_pixels(self, pairs: Pairs, ratio: int, random: torch.Generator) -> LowResolutionTarget:
        images = k_space_downsample(self._moved(pairs.truth, random), ratio)
        size = pairs.truth.shape[-2], pairs.truth.shape[-1]
        shown, share = (
            k_space_enlarge(k_space_downsample(each, ratio), size) for each in (pairs.sources, _brain_of(pairs.sources))
        )
        voxel_size = torch.tensor((1.0, float(ratio), float(ratio)), device=images.device).expand(len(images), 3)
        hidden = hidden_details(pairs.sources, shown, share)
        neighbours = images.expand(-1, self._neighbours(), -1, -1)
        return self._told(LowResolutionTarget(neighbours, voxel_size), hidden, pairs)

    def _with_thick_slices(
        self, batch: StepBatch, pairs: Pairs, thickness: float, random: torch.Generator
    ) -> LowResolutionTarget:
        stacks = self._moved(batch.stacks[pairs.rows, pairs.channels], random)  # (P, N, H, W)
        matrix = through_plane_matrix(
            stacks.shape[1],
            slice_spacing_mm=FINEST_SPACING_MM,
            thickness_mm=thickness,
            gap_mm=0.0,
            shift_mm=(float(torch.rand(1, generator=random)) - 0.5) * thickness,
        )
        middle, reach = stacks.shape[1] // 2, self._neighbours() // 2
        rows = matrix[middle - reach : middle + reach + 1]
        share = along_axis(_brain_of(batch.stacks)[:, 0], rows, 1)[pairs.rows]
        shown = along_axis(batch.source_stacks, rows[reach, None], 2)[pairs.rows, :, 0]
        voxel_size = torch.tensor((thickness / FINEST_SPACING_MM, 1.0, 1.0), device=stacks.device)
        hidden = hidden_details(pairs.sources, shown, share[:, reach, None])
        acquired = LowResolutionTarget(along_axis(stacks, rows, 1), voxel_size.expand(len(stacks), 3), share=share)
        return self._told(acquired, hidden, pairs)

    def _told(self, acquired: LowResolutionTarget, hidden: Tensor, pairs: Pairs) -> LowResolutionTarget:
        """With what a conditioned branch wants to know."""
        sizes = self.context.config.networks.super_resolution
        if sizes is None or not sizes.conditioned:
            return acquired
        return replace(acquired, hidden=hidden, target_code=pairs.target_code)

    def _moved(self, images: Tensor, random: torch.Generator) -> Tensor:
        """``(P, N, H, W)`` as they are scanned if the patient moved in between; neighbouring slices move alike."""
        settings = self.settings
        if settings.moved_affine_level == settings.moved_elastic_voxels == 0:
            return images
        motion = draw_misalignment(
            len(images),
            (images.shape[-2], images.shape[-1]),
            affine_level=settings.moved_affine_level,
            elastic_voxels=settings.moved_elastic_voxels,
            random=random,
            device=images.device,
        )
        return motion.move(images)

    def _neighbours(self) -> int:
        sizes = self.context.config.networks.super_resolution
        return 1 if sizes is None else sizes.num_neighbours

    def _judge_step(self, truth: Tensor, predicted: Tensor, difference: Tensor, step: int) -> dict[str, float]:
        set_learning_rate(self.judge_optimizer, step, self.settings.optimizer)
        real, synthetic = (self.judge(image, difference) for image in (truth, predicted))
        loss = sum_over_scales(relativistic_average.discriminator_loss, real.logits, synthetic.logits, None)
        clip = self.settings.optimizer.gradient_clip_norm
        return {"difference_projection": minimize({"loss": loss}, [self.judge_optimizer], clip)}

    def _convincing(self, truth: Tensor, predicted: Tensor, difference: Tensor, step: int) -> dict[str, Tensor]:
        """What the branch minimises to pass for real; the discriminator gets no step from it."""
        with torch.no_grad():
            real = self.plain_judge(truth, difference)
        synthetic = self.plain_judge(predicted, difference)
        fooled = sum_over_scales(relativistic_average.generator_loss, real.logits, synthetic.logits, None)
        weight = self.settings.adversarial if step >= self.settings.adversarial_start_step else 0.0
        return {
            "adversarial": weight * fooled,
            "feature_matching": self.settings.feature_matching * feature_matching(synthetic.features, real.features),
        }

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`training.stages.stage.Stage.state_dict`."""
        state = {"super_resolution": self.optimizer.state_dict()}
        if self.has_judge:
            state["difference_projection"] = self.judge_optimizer.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["super_resolution"])
        if self.has_judge:
            self.judge_optimizer.load_state_dict(state["difference_projection"])


def _brain_of(images: Tensor) -> Tensor:
    """``(B, 1, ..., H, W)``, 0/1: where any contrast of ``(B, 5, ..., H, W)`` shows any."""
    return (images > 0).any(dim=1, keepdim=True).to(images)
