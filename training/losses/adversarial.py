"""The adversarial losses by name, and what they share: scales are added, background does not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor
from torch.nn import functional

from training.losses import binary_cross_entropy_gan, least_squares_gan, relativistic_average, wasserstein_gan

LossOfLogits: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Of real logits, synthetic logits and which of them count (None: all)."""


@dataclass(frozen=True)
class AdversarialLoss:
    """One family.

    Attributes:
        discriminator: What the discriminator minimises; the synthetic image must be detached.
        generator: What the generator minimises.
        margins: Logits turned so that right votes are positive, real then synthetic.
    """

    discriminator: LossOfLogits
    generator: LossOfLogits
    margins: Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]


ADVERSARIAL_LOSSES = {
    "binary_cross_entropy": AdversarialLoss(
        binary_cross_entropy_gan.discriminator_loss,
        binary_cross_entropy_gan.generator_loss,
        binary_cross_entropy_gan.margins,
    ),
    "least_squares": AdversarialLoss(
        least_squares_gan.discriminator_loss,
        least_squares_gan.generator_loss,
        least_squares_gan.margins,
    ),
    "relativistic_average": AdversarialLoss(
        relativistic_average.discriminator_loss,
        relativistic_average.generator_loss,
        relativistic_average.margins,
    ),
    "wasserstein": AdversarialLoss(
        wasserstein_gan.discriminator_loss,
        wasserstein_gan.generator_loss,
        wasserstein_gan.margins,
    ),
}


def logit_weight(brain: Tensor, logits: Tensor) -> Tensor:
    """1 for each logit whose cell holds any brain, shape of ``logits``.

    Background is 0 in real and synthetic slices alike; counting it would draw every loss and accuracy to a coin's.

    Args:
        brain: ``(B, 1, H, W)``, 0 or 1.
        logits: ``(B, 1, h, w)``.
    """
    return functional.adaptive_max_pool2d(brain, (logits.shape[-2], logits.shape[-1]))


def sum_over_scales(
    loss: LossOfLogits, real: Sequence[Tensor], synthetic: Sequence[Tensor], brain: Tensor | None
) -> Tensor:
    """The loss added over the scales of a discriminator with several maps of logits (METHODS 3.3).

    Args:
        loss: One function of :data:`ADVERSARIAL_LOSSES`.
        real: One ``(B, 1, h, w)`` per scale.
        synthetic: Same shapes.
        brain: ``(B, 1, H, W)``, or None to count all logits.
    """
    terms = [
        loss(of_real, of_synthetic, None if brain is None else logit_weight(brain, of_real))
        for of_real, of_synthetic in zip(real, synthetic, strict=True)
    ]
    total: Tensor = sum(terms[1:], start=terms[0])
    return total
