"""Adversarial loss by binary cross-entropy, the only one here whose logits become probabilities.

I. Goodfellow et al. Generative Adversarial Nets. NeurIPS 2014: with the non-saturating generator loss. In METHODS 2.3
the form of the discriminator loss is stated by sibling code, the label smoothing is a proposal (T. Salimans et al.
Improved Techniques for Training GANs. NeurIPS 2016: smooth the real side only).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from training.losses.weighted_mean import weighted_mean

REAL_LABEL = 0.9


def discriminator_loss(
    real: Tensor, synthetic: Tensor, weight: Tensor | None = None, *, real_label: float = REAL_LABEL
) -> Tensor:
    """``(mean BCE(z_real, real_label) + mean BCE(z_synthetic, 0)) / 2``.

    Args:
        real: Logits, any shape.
        synthetic: Logits of the same shape, for the detached synthetic image.
        weight: Which logits count, same shape; None for all.
        real_label: Below 1, so that a sure discriminator is not pushed further.
    """
    of_real = functional.binary_cross_entropy_with_logits(
        real, real.new_full((), real_label).expand_as(real), reduction="none"
    )
    return 0.5 * (weighted_mean(of_real, weight) + weighted_mean(functional.softplus(synthetic), weight))


def generator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``mean BCE(z_synthetic, 1)``; the real logits play no part."""
    return weighted_mean(functional.softplus(-synthetic), weight)


def margins(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """How far each logit lies on its right side, real then synthetic; positive where the vote is right."""
    return real, -synthetic
