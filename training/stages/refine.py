"""Stage 4 of METHODS 4.2: system A's teacher and student behind the generator (METHODS 1.4, 1.5, 9.2)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.generator import SourceSlices
from MRTranslateLib.networks.refiner import Refinement
from training.batch import Pairs, StepBatch, middle_slices, truth_of
from training.config import RefineStageConfig
from training.losses.distillation import METHODS_WEIGHTS, WITHOUT_TEACHER, DistillationLoss, scale_gradient
from training.losses.folding import folding_penalty
from training.losses.masked_error import masked_absolute_error
from training.losses.registration import registration_loss
from training.monitors import FoldingMonitor, StudentMonitor
from training.networks.averaging import average_into
from training.networks.teacher import drop_targets
from training.stages.attack import Attack
from training.stages.corrected import with_corrected_targets
from training.stages.stage import Stage, StageContext, make_optimizer, minimize, set_learning_rate, values_of


class RefineStage(Stage):
    """Trains the teacher on the target, the student on teacher and target, and the generator a little, if at all."""

    def __init__(self, settings: RefineStageConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        self.plain_generator = context.generator
        moves_generator = settings.generator_learning_rate_share > 0
        self.trained = ("generator", "student") if moves_generator else ("student",)
        self.generator = context.processes.wrap(self.plain_generator) if moves_generator else self.plain_generator
        self.student = context.processes.wrap(context.networks["student"])
        self.teacher: nn.Module | None = None
        if settings.teacher != "none":
            plain = context.networks["teacher"]
            self.teacher = plain if settings.teacher_frozen else context.processes.wrap(plain)
        self.distillation = self._distillation()
        mine = [*context.networks["student"].parameters(), *self.distillation.parameters()]
        self.optimizers = {"student": make_optimizer(mine, settings.optimizer)}
        if self.teacher is not None and not settings.teacher_frozen:
            self.optimizers["teacher"] = make_optimizer(context.networks["teacher"].parameters(), settings.optimizer)
        if moves_generator:
            share = settings.generator_learning_rate_share
            self.optimizers["generator"] = make_optimizer(self.plain_generator.parameters(), settings.optimizer, share)
        self.attack = None if settings.attack is None else Attack(settings.attack, context)
        self.student_folding, self.teacher_folding = FoldingMonitor("student"), FoldingMonitor("teacher")
        self.student_monitor = StudentMonitor()
        self.averaged_teacher: nn.Module | None = None
        if self.teacher is not None and settings.teacher_average > 0:
            self.averaged_teacher = copy.deepcopy(context.networks["teacher"]).requires_grad_(False)

    def _distillation(self) -> DistillationLoss:
        networks = self.context.config.networks
        if networks.student is None:
            raise ValueError("a refine stage needs a student")
        body = networks.student.registration
        teacher = body if networks.teacher is None else networks.teacher.registration
        weights = WITHOUT_TEACHER if self.settings.teacher == "none" else METHODS_WEIGHTS
        loss = DistillationLoss(
            body.feature_widths, teacher.feature_widths, max_flow_voxels=body.max_flow_voxels, weights=weights
        )
        return loss.to(self.context.device)

    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """See :meth:`training.stages.stage.Stage.step`."""
        for optimizer in self.optimizers.values():
            set_learning_rate(optimizer, step, self.settings.optimizer)
        attacked = None if self.attack is None else self.attack.attacked(batch, step, random)
        slices = batch.slices if attacked is None else attacked
        pairs = batch.pairs()
        if self.settings.corrected_target:
            pairs = with_corrected_targets(self.context, pairs)
        learns_alone = self.teacher is not None and step < self.settings.teacher_steps
        reaches_generator = "generator" in self.optimizers and not learns_alone
        with torch.set_grad_enabled(reaches_generator), self.context.autocast():
            predicted = self.generator(slices, batch.target_code, truth_of(batch, random))
        synthetic = pairs.pick(predicted.float())
        losses: dict[str, Tensor] = {}
        teacher = self._taught(batch, pairs, synthetic.detach(), losses, random)
        if not learns_alone:
            share = self.settings.generator_gradient if reaches_generator else 0.0
            seen = self._seen_by_student(pairs, slices)
            student = self.student(scale_gradient(synthetic, share), *seen.condition)
            self.student_folding.observe(student.flow.detach(), pairs.brain)
            reference = student if teacher is None else teacher
            for name, term in self.distillation(student, reference, pairs.truth, pairs.brain).items():
                losses[f"student_{name}"] = term
            if self.settings.folding > 0:
                losses["student_folding"] = self.settings.folding * folding_penalty(student.flow, pairs.brain)
        optimizers = [optimizer for name, optimizer in self.optimizers.items() if name == "teacher" or not learns_alone]
        loss = minimize(losses, optimizers, self.settings.optimizer.gradient_clip_norm)
        if self.averaged_teacher is not None:
            average_into(self.averaged_teacher, self.context.networks["teacher"], self._teacher_share(step))
        measured = {"generator_error": float(masked_absolute_error(synthetic.detach(), pairs.truth, pairs.brain))}
        if not learns_alone:
            measured |= self._judge_student(student, measured["generator_error"], pairs, step)
        return {"loss": loss, **values_of(losses), **measured}

    def _seen_by_student(self, pairs: Pairs, slices: SourceSlices) -> Pairs:
        """With the sources that the generator saw, if so asked: in use there are no others."""
        if not self.settings.attacked_sources:
            return pairs
        return dataclasses.replace(pairs, sources=middle_slices(slices)[pairs.rows])

    def _teacher_share(self, step: int) -> float:
        """What the average keeps: little at first, so that it soon forgets the untrained teacher."""
        return min(self.settings.teacher_average, (1 + step) / (10 + step))

    def _judge_student(self, student: Refinement, generator_error: float, pairs: Pairs, step: int) -> dict[str, float]:
        """How far it is and how far it moves; at the stage's end, whether anything was distilled (METHODS 9.2)."""
        error = float(masked_absolute_error(student.image.detach(), pairs.truth, pairs.brain))
        moved = _mean_length(student.flow, pairs)
        self.student_monitor.observe(generator_error, error, moved)
        if step + 1 == self.settings.optimizer.num_steps:
            self.student_monitor.judge()
        return {"student_error": error, "student_flow_voxels": moved}

    def _taught(
        self, batch: StepBatch, pairs: Pairs, synthetic: Tensor, losses: dict[str, Tensor], random: torch.Generator
    ) -> Refinement | None:
        """What the student learns from, with the teacher's losses added; another's target in the shuffled control."""
        if self.teacher is None:
            return None
        target = pairs.truth
        if self.settings.teacher == "shuffled":
            target = others_targets(batch, pairs)
        seen = drop_targets(target, random)
        with torch.set_grad_enabled(not self.settings.teacher_frozen):
            taught: Refinement = self.teacher(synthetic, seen, *pairs.condition)
        if self.settings.teacher_frozen:
            return taught
        self.teacher_folding.observe(taught.flow.detach(), pairs.brain)
        for name, term in registration_loss(taught, target, pairs.brain).items():
            losses[f"teacher_{name}"] = term
        if self.settings.folding > 0:
            losses["teacher_folding"] = self.settings.folding * folding_penalty(taught.flow, pairs.brain)
        if self.averaged_teacher is None:
            return taught
        with torch.no_grad():
            steady: Refinement = self.averaged_teacher(synthetic, seen, *pairs.condition)
        return steady

    def observe(self, clean_psnr_db: float) -> None:
        """See :meth:`training.stages.stage.Stage.observe`."""
        if self.attack is not None:
            self.attack.observe(clean_psnr_db)

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`training.stages.stage.Stage.state_dict`."""
        state: dict[str, Any] = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        state["distillation"] = self.distillation.state_dict()
        if self.averaged_teacher is not None:
            state["averaged_teacher"] = self.averaged_teacher.state_dict()
        if self.attack is not None:
            state["attack"] = self.attack.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])
        self.distillation.load_state_dict(state["distillation"])
        if self.averaged_teacher is not None:
            self.averaged_teacher.load_state_dict(state["averaged_teacher"])
        if self.attack is not None:
            self.attack.load_state_dict(state["attack"])


@torch.no_grad()
def _mean_length(flow: Tensor, pairs: Pairs) -> float:
    """Of the displacement in the brain, in voxels: near zero for a student that learned nothing (METHODS 9.2)."""
    length = flow.square().sum(dim=1, keepdim=True).sqrt()
    return float((length * pairs.brain).sum() / pairs.brain.sum().clamp(min=1))


def others_targets(batch: StepBatch, pairs: Pairs) -> Tensor:
    """For each pair the same contrast of the next slice of the batch that shows any, ``(P, 1, H, W)``.

    A slice whose contrast nobody else in the batch has keeps its own: an empty target would teach nothing of shuffling.
    """
    shows = (batch.truth > 0).flatten(2).any(dim=2)
    chosen = []
    for row, channel in zip(pairs.rows.tolist(), pairs.channels.tolist(), strict=True):
        others = [(row + step) % len(shows) for step in range(1, len(shows))]
        chosen.append(next((other for other in others if shows[other, channel]), row))
    return batch.truth[torch.tensor(chosen, device=batch.truth.device), pairs.channels][:, None]
