"""System B's part of a generator stage: discriminators stepped before the generator, and the attention they give.

METHODS 2.3 (a reconstruction). The discriminators see the sources without attack, and the target as used elsewhere in
the step (corrected where label correction is on).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from MRTranslateLib.networks.local_discriminator import LocalDiscriminator
from training.batch import Pairs
from training.config import AdversarialConfig, OptimizerConfig, needed_discriminators
from training.losses.adversarial import ADVERSARIAL_LOSSES, logit_weight
from training.losses.difficulty_attention import difficulty_weight, focal_weight, ramp, uniform_weight
from training.losses.error_aware_labels import closeness, error_aware_discriminator_loss
from training.losses.gradient_difference import gradient_difference
from training.losses.gradient_penalty import lazy_r1_penalty
from training.monitors import DiscriminatorMonitor
from training.networks.accuracy import DiscriminatorAccuracy, accuracy
from training.stages.stage import StageContext, fixed, make_optimizer, minimize, set_learning_rate, values_of

ACCURACY_WINDOW_STEPS = 200


class Adversary:
    """The discriminators of one stage with their optimizer and meters."""

    def __init__(self, settings: AdversarialConfig, optimizer: OptimizerConfig, context: StageContext) -> None:
        self.settings, self.optimizer_settings, self.context = settings, optimizer, context
        self.loss = ADVERSARIAL_LOSSES[settings.loss]
        names = needed_discriminators(settings)
        self.networks = {name: context.networks[name] for name in names}
        self.wrapped = {name: context.processes.wrap(network) for name, network in self.networks.items()}
        parameters = chain.from_iterable(network.parameters() for network in self.networks.values())
        self.optimizer = make_optimizer(parameters, optimizer, settings.learning_rate_share)
        self.monitors = {name: DiscriminatorMonitor(name) for name in names}
        self.accuracies = {name: DiscriminatorAccuracy(ACCURACY_WINDOW_STEPS) for name in names}

    def update(self, pairs: Pairs, synthetic: Tensor, target: Tensor, step: int) -> dict[str, float]:
        """One step of the discriminators; ``synthetic`` and ``target`` are taken as given."""
        losses: dict[str, Tensor] = {}
        for name, network in self.wrapped.items():
            both = [network(*pairs.condition, image.detach()).float() for image in (target, synthetic)]
            weight = logit_weight(pairs.brain, both[0]) if both[0].ndim == 4 else None
            if name == "local_discriminator" and self.settings.local_labels == "error_aware":
                close = closeness(synthetic, target, pairs.brain, both[1])
                losses[name] = error_aware_discriminator_loss(both[0], both[1], close, weight)
            else:
                losses[name] = self.loss.discriminator(both[0], both[1], weight)
                self.monitors[name].observe(both[0].detach(), both[1].detach())
            self.accuracies[name].update(accuracy(self.loss.margins(both[0], both[1], weight), weight))
            penalty = self._r1(name, pairs, target, step)
            if penalty is not None:
                losses[f"{name}_r1"] = penalty
        set_learning_rate(self.optimizer, step, self.optimizer_settings)
        minimize(losses, [self.optimizer], self.optimizer_settings.gradient_clip_norm)
        return values_of(losses) | {f"{name}_accuracy": meter.value for name, meter in self.accuracies.items()}

    def _r1(self, name: str, pairs: Pairs, target: Tensor, step: int) -> Tensor | None:
        if self.settings.r1_gamma == 0:
            return None
        network = self.networks[name]

        def logits_of(image: Tensor) -> Tensor:
            logits: Tensor = network(*pairs.condition, image)
            return logits

        return lazy_r1_penalty(
            logits_of, target.detach(), step, gamma=self.settings.r1_gamma, interval=self.settings.r1_every_steps
        )

    def generator_terms(self, pairs: Pairs, synthetic: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What the generator minimises to pass for real, weighted; the discriminators get no gradient."""
        weights = {
            "local_discriminator": self.settings.local_weight,
            "global_discriminator": self.settings.global_weight,
        }
        terms: dict[str, Tensor] = {}
        with fixed(self.networks.values()):
            for name, network in self.networks.items():
                if weights[name] == 0:
                    continue
                logits = network(*pairs.condition, synthetic).float()
                with torch.no_grad():
                    real = network(*pairs.condition, target).float()
                counted = logit_weight(pairs.brain, logits) if logits.ndim == 4 else None
                terms[f"fool_{name}"] = weights[name] * self.loss.generator(real, logits, counted)
        if self.settings.gradient_difference > 0:
            difference = gradient_difference(synthetic, target, pairs.brain)
            terms["gradient_difference"] = self.settings.gradient_difference * difference
        return terms

    @torch.no_grad()
    def attention(self, pairs: Pairs, synthetic: Tensor, target: Tensor, step: int) -> Tensor:
        """Weight of each voxel's error, ``(P, 1, H, W)``, mean 1 inside the brain."""
        settings = self.settings.attention
        strength = settings.strength * ramp(step, start=settings.start_step, length=settings.ramp_steps)
        if settings.form == "uniform" or strength == 0:
            return uniform_weight(pairs.brain)
        if settings.form == "focal":
            return focal_weight(synthetic, target, pairs.brain, strength=strength)
        discriminator = self.networks["local_discriminator"]
        if not isinstance(discriminator, LocalDiscriminator):
            raise TypeError("the network named local_discriminator is none")
        confidence = discriminator.confidence(*pairs.condition, synthetic)
        return difficulty_weight(confidence, pairs.brain, strength=strength)

    def state_dict(self) -> dict[str, Any]:
        """Optimizer and meters."""
        meters = {name: meter.state_dict() for name, meter in self.accuracies.items()}
        return {"optimizer": self.optimizer.state_dict(), "accuracies": meters}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        for name, meter in self.accuracies.items():
            meter.load_state_dict(state["accuracies"][name])
