"""System C's coarse patch discriminator beside label correction: a moved target shall look like one that was not.

METHODS 3.3 (stated): in stage 1 a relativistic average term makes the corrected target y_a indistinguishable from the
given one y_na under D_c: interpolation smooths, and a correction that gains by blurring is found out. What differs:
only logits that see brain count, and the discriminator steps as often as the correction, not every sixth time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from training.config import LabelCorrectionConfig, OptimizerConfig
from training.losses import relativistic_average
from training.losses.adversarial import logit_weight
from training.stages.stage import StageContext, fixed, make_optimizer, minimize, set_learning_rate, values_of


class CorrectionJudge:
    """The discriminator with its optimizer; its learning rate is that of the correction."""

    def __init__(self, settings: LabelCorrectionConfig, optimizer: OptimizerConfig, context: StageContext) -> None:
        self.weight, self.optimizer_settings = settings.adversarial, optimizer
        self.network = context.networks["patch_discriminator"]
        self.wrapped = context.processes.wrap(self.network)
        self.optimizer = make_optimizer(self.network.parameters(), optimizer, settings.learning_rate_share)

    def update(self, given: Tensor, corrected: Tensor, brain: Tensor, step: int) -> dict[str, float]:
        """One step of the discriminator.

        Args:
            given: ``(P, 1, H, W)``, targets as they were scanned, P at least 2.
            corrected: The same, moved; taken as given.
            brain: ``(P, 1, H, W)``, 0/1.
            step: Finished steps of the stage.
        """
        real, moved = (self.wrapped(image.detach()).float() for image in (given, corrected))
        weight = logit_weight(brain, real)
        losses = {"patch_discriminator": relativistic_average.discriminator_loss(real, moved, weight)}
        set_learning_rate(self.optimizer, step, self.optimizer_settings)
        minimize(losses, [self.optimizer], self.optimizer_settings.gradient_clip_norm)
        return values_of(losses)

    def correction_term(self, given: Tensor, corrected: Tensor, brain: Tensor) -> Tensor:
        """What label correction minimises to pass for unmoved, weighted; the discriminator gets no gradient."""
        with fixed([self.network]):
            real, moved = (self.network(image).float() for image in (given, corrected))
        return self.weight * relativistic_average.generator_loss(real, moved, logit_weight(brain, real))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed stage needs."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
