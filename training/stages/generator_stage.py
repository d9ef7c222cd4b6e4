"""Stages 1 to 3 of METHODS 4.2: the generator; label correction (C), discriminators (B) and attacker (A) are switches.

Order within a step: attack without gradients, prediction, label correction, discriminators, then all that reaches the
generator. One target for all: the corrected one, taken as given except by the correction's own loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from MRTranslateLib.networks.warp import warp
from training.batch import Pairs, StepBatch, truth_of
from training.config import GeneratorStageConfig, LabelCorrectionConfig
from training.data.misalignment import draw_misalignment
from training.data.warped_border import came_from_inside
from training.losses.consistency import consistency
from training.losses.label_correction import (
    METHODS_WEIGHTS,
    LabelCorrectionWeights,
    image_terms,
    known_flow_terms,
)
from training.losses.supervised import importance, supervised_terms
from training.monitors import FoldingMonitor, GaugeMonitor
from training.networks.label_correction import CorrectedTarget
from training.stages.adversary import Adversary
from training.stages.attack import Attack
from training.stages.correction_judge import CorrectionJudge
from training.stages.gauge import gauge_term
from training.stages.mean_flow import MeanFlow
from training.stages.stage import Stage, StageContext, make_optimizer, minimize, set_learning_rate, values_of

TRANSLATION_NOISE = 0.02
"""Standard deviation of the noise that a moved translation gets, 0..1 units."""


class GeneratorStage(Stage):
    """Trains the generator and what helps it."""

    def __init__(self, settings: GeneratorStageConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        self.trained = ("generator",)
        self.plain_generator = context.generator
        self.generator = context.processes.wrap(self.plain_generator)
        self.optimizers = {"generator": make_optimizer(self.plain_generator.parameters(), settings.optimizer)}
        correction = settings.label_correction
        if correction is not None:
            self.label_correction = context.processes.wrap(context.networks["label_correction"])
            if correction.learning_rate_share > 0:
                self.optimizers["label_correction"] = make_optimizer(
                    context.networks["label_correction"].parameters(),
                    settings.optimizer,
                    correction.learning_rate_share,
                )
        self.correction_judge: CorrectionJudge | None = None
        if correction is not None and correction.adversarial > 0:
            self.correction_judge = CorrectionJudge(correction, settings.optimizer, context)
        self.mean_flow: MeanFlow | None = None
        if correction is not None and correction.subtract_mean_flow:
            self.mean_flow = MeanFlow(context.processes)
        self.adversary: Adversary | None = None
        if settings.adversarial is not None:
            self.adversary = Adversary(settings.adversarial, settings.optimizer, context)
        self.attack = None if settings.attack is None else Attack(settings.attack, context)
        self.folding, self.gauge = FoldingMonitor("label correction"), GaugeMonitor("label correction")

    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """See :meth:`training.stages.stage.Stage.step`."""
        for optimizer in self.optimizers.values():
            set_learning_rate(optimizer, step, self.settings.optimizer)
        attacked = None if self.attack is None else self.attack.attacked(batch, step, random)
        slices = batch.slices if attacked is None else attacked
        with self.context.autocast():
            predicted = self.generator(slices, batch.target_code, truth_of(batch, random))
        pairs = batch.pairs()
        synthetic = pairs.pick(predicted.float())
        target, visible, losses, measured = self._corrected(pairs, synthetic, step, random)
        attention = None
        if self.adversary is not None:
            measured |= self.adversary.update(pairs, synthetic.detach(), target, step, random, visible)
            attention = self.adversary.attention(pairs, synthetic.detach(), target, step)
            losses |= self.adversary.generator_terms(pairs, synthetic, target, random, visible)
        if self.settings.gauge is not None:
            losses["gauge"] = gauge_term(self.settings.gauge, pairs, synthetic)
        weights = self.context.config.losses
        counted = importance(pairs.brain, pairs.lesion, pairs.availability, weights)
        losses |= supervised_terms(synthetic, target, pairs.brain, counted, weights, attention)
        losses |= {name: weights.own * term for name, term in self.plain_generator.own_losses().items()}
        if attacked is not None and self.attack is not None and self.settings.attack is not None:
            with self.context.autocast():
                clean = pairs.pick(self.plain_generator.fast_pred(batch.slices, batch.target_code)).float()
            losses["consistency"] = self.settings.attack.consistency * consistency(synthetic, clean, pairs.brain)
            measured |= self.attack.measured()
        optimizers = self.optimizers.values()
        loss = minimize(losses, optimizers, self.settings.optimizer.gradient_clip_norm)
        return {"loss": loss, **values_of(losses), **measured}

    def _corrected(
        self, pairs: Pairs, synthetic: Tensor, step: int, random: torch.Generator
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor], dict[str, float]]:
        """The target that everything else compares with, what discriminators may see of it (None: all of it), the
        correction's own losses, and what was measured.
        """
        settings = self.settings.label_correction
        if settings is None:
            return pairs.truth, None, {}, {}
        losses: dict[str, Tensor] = {}
        measured: dict[str, float] = {}
        target, corrected, visible = pairs.truth, None, None
        if step >= settings.start_step:
            corrected = self._moved(pairs)
            target = corrected.image.detach()
            visible = came_from_inside(corrected.flow.detach()) if settings.hide_warped_border else None
        if settings.learning_rate_share > 0:
            losses |= self._known_motion(pairs, synthetic, settings, random)
            if corrected is not None:
                weights = self._correction_weights(settings, step)
                for name, term in image_terms(corrected, synthetic, pairs.brain, weights).items():
                    losses[f"label_correction_{name}"] = term
                if self.correction_judge is not None:
                    shown = torch.ones_like(pairs.brain) if visible is None else visible
                    given, brain = pairs.truth * shown, pairs.brain * shown
                    measured = self.correction_judge.update(given, target * shown, brain, step)
                    losses["label_correction_adversarial"] = self.correction_judge.correction_term(
                        given, corrected.image * shown, brain
                    )
        return target, visible, losses, measured

    def _correction_weights(self, settings: LabelCorrectionConfig, step: int) -> LabelCorrectionWeights:
        """Of the correction's losses at this step: smoothness falls to 1 (METHODS 4.2, a proposal)."""
        left = 1 - step / self.settings.optimizer.num_steps
        factor = 1 + (settings.initial_smoothness - 1) * left
        return dataclasses.replace(METHODS_WEIGHTS, smoothness=factor * METHODS_WEIGHTS.smoothness)

    def _moved(self, pairs: Pairs) -> CorrectedTarget:
        """The targets in the frame of their sources, watched for folds and for a drift of all flows alike."""
        corrected: CorrectedTarget = self.label_correction(pairs.truth, *pairs.condition)
        if self.mean_flow is not None:
            flow = self.mean_flow.taken_off(corrected.flow, pairs.brain)
            corrected = CorrectedTarget(warp(pairs.truth, flow), flow)
        self.folding.observe(corrected.flow.detach(), pairs.brain)
        self.gauge.observe(corrected.flow.detach(), pairs.brain)
        return corrected

    def _known_motion(
        self, pairs: Pairs, synthetic: Tensor, settings: LabelCorrectionConfig, random: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses of the correction on pairs that are moved on purpose."""
        motion = draw_misalignment(
            len(pairs.rows),
            (pairs.truth.shape[-2], pairs.truth.shape[-1]),
            affine_level=settings.known_motion_affine_level,
            elastic_voxels=settings.known_motion_elastic_voxels,
            random=random,
            device=pairs.truth.device,
        )
        # Where real pairs are misaligned, only the translation itself is known to lie on its sources.
        aligned = pairs.truth if settings.known_motion_of == "target" else _imaged(synthetic, pairs, random)
        found = self.label_correction(motion.move(aligned), *pairs.condition)
        terms = known_flow_terms(found, motion.correction, pairs.brain)
        return {f"known_motion_{name}": term for name, term in terms.items()}

    def observe(self, clean_psnr_db: float) -> None:
        """See :meth:`training.stages.stage.Stage.observe`."""
        if self.attack is not None:
            self.attack.observe(clean_psnr_db)

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`training.stages.stage.Stage.state_dict`."""
        state: dict[str, Any] = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        if self.mean_flow is not None:
            state["mean_flow"] = self.mean_flow.state_dict()
        if self.correction_judge is not None:
            state["correction_judge"] = self.correction_judge.state_dict()
        if self.adversary is not None:
            state["adversary"] = self.adversary.state_dict()
        if self.attack is not None:
            state["attack"] = self.attack.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])
        if self.mean_flow is not None:
            self.mean_flow.load_state_dict(state["mean_flow"])
        if self.correction_judge is not None:
            self.correction_judge.load_state_dict(state["correction_judge"])
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
        if self.attack is not None:
            self.attack.load_state_dict(state["attack"])


def _imaged(synthetic: Tensor, pairs: Pairs, random: torch.Generator) -> Tensor:
    """The translation as a scan would show it: with noise, 0 outside the brain."""
    noise = torch.randn(synthetic.shape, generator=random).to(synthetic) * TRANSLATION_NOISE
    return (synthetic.detach() + noise).clamp(0, 1) * pairs.brain
