"""System B's part of a generator stage: discriminators stepped before the generator, and the attention they give.

METHODS 2.3 (a reconstruction). The discriminators see the sources without attack, and the target as used elsewhere in
the step (corrected where label correction is on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.local_discriminator import LocalDiscriminator
from training.batch import Pairs
from training.config import AdversarialConfig, OptimizerConfig, needed_discriminators
from training.losses.adversarial import ADVERSARIAL_LOSSES, logit_weight
from training.losses.difference_attention import difference_weight
from training.losses.difficulty_attention import difficulty_weight, focal_weight, ramp, uniform_weight
from training.losses.error_aware_labels import closeness, error_aware_discriminator_loss
from training.losses.feature_matching import feature_matching
from training.losses.gradient_difference import gradient_difference
from training.losses.gradient_penalty import lazy_r1_penalty
from training.losses.sample_weight import sample_weight
from training.losses.wasserstein_gan import slope_penalty
from training.monitors import DiscriminatorMonitor
from training.networks.accuracy import DiscriminatorAccuracy, accuracy
from training.networks.layer_outputs import layer_outputs
from training.stages.discriminator_view import discriminator_view
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

    def update(
        self,
        pairs: Pairs,
        synthetic: Tensor,
        target: Tensor,
        step: int,
        random: torch.Generator,
        visible: Tensor | None = None,
    ) -> dict[str, float]:
        """One step of the discriminators; ``synthetic`` and ``target`` are taken as given.

        ``random`` and ``visible`` are those of :func:`training.stages.discriminator_view.discriminator_view`.
        """
        view = discriminator_view(self.settings, pairs, synthetic.detach(), target.detach(), visible, random)
        pairs, synthetic, target = view.pairs, view.synthetic, view.real
        losses: dict[str, Tensor] = {}
        for name, network in self.wrapped.items():
            both = [network(*pairs.condition, image.detach()).float() for image in (target, synthetic)]
            weight = logit_weight(pairs.brain, both[0]) if both[0].ndim == 4 else None
            if name == "local_discriminator" and self.settings.local_labels == "error_aware":
                close = closeness(synthetic, target, pairs.brain, both[1])
                losses[name] = error_aware_discriminator_loss(both[0], both[1], close, weight)
            else:
                losses[name] = self.loss.discriminator(both[0], both[1], weight)
            right = accuracy(self.loss.margins(both[0], both[1], weight), weight)
            self.accuracies[name].update(right)
            self.monitors[name].observe(right)
            penalty = self._r1(name, pairs, target, step)
            if penalty is not None:
                losses[f"{name}_r1"] = penalty
            if self.settings.slope_penalty > 0:
                losses[f"{name}_slope"] = self._slope(name, pairs, synthetic, target, random)
        set_learning_rate(self.optimizer, step, self.optimizer_settings)
        minimize(losses, [self.optimizer], self.optimizer_settings.gradient_clip_norm)
        return values_of(losses) | {f"{name}_accuracy": meter.value for name, meter in self.accuracies.items()}

    def _r1(self, name: str, pairs: Pairs, target: Tensor, step: int) -> Tensor | None:
        if self.settings.r1_gamma == 0:
            return None
        return lazy_r1_penalty(
            self._logits_of(name, pairs),
            target.detach(),
            step,
            gamma=self.settings.r1_gamma,
            interval=self.settings.r1_every_steps,
        )

    def _slope(self, name: str, pairs: Pairs, synthetic: Tensor, target: Tensor, random: torch.Generator) -> Tensor:
        share = torch.rand(len(target), 1, 1, 1, generator=random).to(target)
        critic = self._logits_of(name, pairs)
        return slope_penalty(critic, target, synthetic, share, weight=self.settings.slope_penalty)

    def _logits_of(self, name: str, pairs: Pairs) -> Callable[[Tensor], Tensor]:
        """A discriminator as a function of the judged image alone."""
        network = self.networks[name]

        def logits_of(image: Tensor) -> Tensor:
            logits: Tensor = network(*pairs.condition, image)
            return logits

        return logits_of

    def generator_terms(
        self, pairs: Pairs, synthetic: Tensor, target: Tensor, random: torch.Generator, visible: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What the generator minimises to pass for real, weighted; the discriminators get no gradient.

        ``random`` and ``visible`` are those of :func:`training.stages.discriminator_view.discriminator_view`.
        """
        view = discriminator_view(self.settings, pairs, synthetic, target, visible, random)
        weights = {
            "local_discriminator": self.settings.local_weight,
            "global_discriminator": self.settings.global_weight,
        }
        terms: dict[str, Tensor] = {}
        with fixed(self.networks.values()):
            for name, network in self.networks.items():
                if weights[name] == 0 and self.settings.feature_matching == 0:
                    continue
                with layer_outputs(network.get_submodule("trunk"), nn.LeakyReLU) as features:
                    logits = network(*view.pairs.condition, view.synthetic).float()
                with torch.no_grad(), layer_outputs(network.get_submodule("trunk"), nn.LeakyReLU) as real_features:
                    real = network(*view.pairs.condition, view.real).float()
                counted = logit_weight(view.pairs.brain, logits) if logits.ndim == 4 else None
                if weights[name] != 0:
                    terms[f"fool_{name}"] = weights[name] * self.loss.generator(real, logits, counted)
                if self.settings.feature_matching > 0:
                    matched = feature_matching(features, real_features)
                    terms[f"features_{name}"] = self.settings.feature_matching * matched
        if self.settings.gradient_difference > 0:
            difference = gradient_difference(synthetic, target, pairs.brain)
            terms["gradient_difference"] = self.settings.gradient_difference * difference
        return terms

    @torch.no_grad()
    def attention(self, pairs: Pairs, synthetic: Tensor, target: Tensor, step: int) -> Tensor:
        """Weight of each voxel's error, ``(P, 1, H, W)``, mean 1 inside the brain but for the form ``sample``."""
        settings = self.settings.attention
        strength = settings.strength * ramp(step, start=settings.start_step, length=settings.ramp_steps)
        if settings.form == "uniform" or strength == 0:
            return uniform_weight(pairs.brain)
        if settings.form == "focal":
            return focal_weight(synthetic, target, pairs.brain, strength=strength)
        if settings.form == "sample":
            logits = self.networks["global_discriminator"](*pairs.condition, synthetic)
            return sample_weight(logits.float(), pairs.brain, strength=strength)
        discriminator = self.networks["local_discriminator"]
        if not isinstance(discriminator, LocalDiscriminator):
            raise TypeError("the network named local_discriminator is none")
        confidence = discriminator.confidence(*pairs.condition, synthetic)
        exponent = settings.exponent
        if settings.form == "difference":
            return difference_weight(confidence, synthetic, target, pairs.brain, strength=strength, exponent=exponent)
        return difficulty_weight(confidence, pairs.brain, strength=strength, exponent=exponent)

    def state_dict(self) -> dict[str, Any]:
        """Optimizer and meters."""
        meters = {name: meter.state_dict() for name, meter in self.accuracies.items()}
        return {"optimizer": self.optimizer.state_dict(), "accuracies": meters}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        for name, meter in self.accuracies.items():
            meter.load_state_dict(state["accuracies"][name])
