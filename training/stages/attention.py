"""The local discriminator alone, beside a finished translation: what the attention map is read from (system B).

In a generator stage it has to follow a generator that changes, and half of what it learns is to tell real slices from
synthetic ones by their grain, which is strongest where a translation is smooth and right. Here the generator (and the
student) stay as they are, and the share of the real slices in the loss is a choice. Ours, not in METHODS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from training.batch import StepBatch
from training.config import AttentionStageConfig
from training.losses.adversarial import logit_weight
from training.losses.error_aware_labels import closeness, error_aware_discriminator_loss
from training.stages.delivered import delivered
from training.stages.stage import Stage, StageContext, make_optimizer, minimize, set_learning_rate


class AttentionStage(Stage):
    """Trains the local discriminator on error-aware labels; nothing else changes."""

    trained = ()

    def __init__(self, settings: AttentionStageConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        network = context.networks["local_discriminator"]
        self.discriminator = context.processes.wrap(network)
        self.optimizer = make_optimizer(network.parameters(), settings.optimizer)

    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """See :meth:`training.stages.stage.Stage.step`."""
        del random
        pairs = batch.pairs()
        synthetic = delivered(self.context, batch, pairs)
        set_learning_rate(self.optimizer, step, self.settings.optimizer)
        with self.context.autocast():
            real, judged = (self.discriminator(*pairs.condition, image) for image in (pairs.truth, synthetic))
        weight = logit_weight(pairs.brain, judged)
        close = closeness(synthetic, pairs.truth, pairs.brain, judged)
        loss = error_aware_discriminator_loss(
            real.float(), judged.float(), close, weight, real_share=self.settings.real_share
        )
        return {"loss": minimize({"loss": loss}, [self.optimizer], self.settings.optimizer.gradient_clip_norm)}

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`training.stages.stage.Stage.state_dict`."""
        return {"local_discriminator": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.optimizer.load_state_dict(state["local_discriminator"])
