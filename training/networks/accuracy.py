"""How often a discriminator is right, for the monitor of the accuracy band (METHODS 2.3: 0.55 to 0.85)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.weighted_mean import weighted_mean
from training.running_mean import RunningMean


@torch.no_grad()
def accuracy(margins: tuple[Tensor, Tensor], weight: Tensor | None = None) -> float:
    """Share of right votes over real and synthetic alike, 0..1.

    Args:
        margins: Of one family of :data:`training.losses.adversarial.ADVERSARIAL_LOSSES`: logits of real and synthetic
            images turned so that right votes are positive. A vote of exactly 0 is half right.
        weight: Which logits count, shape of each margin; None for all. None of any weight gives 0.5.
    """
    if weight is not None and not weight.any():
        return 0.5
    of_real, of_synthetic = (weighted_mean((margin.sign() + 1) / 2, weight) for margin in margins)
    return float((of_real + of_synthetic) / 2)


class DiscriminatorAccuracy(RunningMean):
    """Accuracy over the last steps, 0..1, forgotten exponentially; 100 steps are a usual window."""

    START = 0.5
