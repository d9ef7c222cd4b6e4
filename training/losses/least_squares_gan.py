"""Adversarial loss by least squares (LSGAN): real towards 1, synthetic towards 0.

X. Mao et al. Least Squares Generative Adversarial Networks. ICCV 2017. arXiv:1611.04076, there with 1/2 before the
generator's loss too; without it, as in the weights that METHODS 0 quotes. Its outputs are no logits of a probability: a
local discriminator trained with it gives no confidence.
"""

from __future__ import annotations

from torch import Tensor

from training.losses.weighted_mean import weighted_mean


def discriminator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``(mean (z_real - 1)^2 + mean z_synthetic^2) / 2``.

    Args:
        real: Outputs, any shape.
        synthetic: Outputs of the same shape, for the detached synthetic image.
        weight: Which outputs count, same shape; None for all.
    """
    return 0.5 * (weighted_mean((real - 1).square(), weight) + weighted_mean(synthetic.square(), weight))


def generator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``mean (z_synthetic - 1)^2``; the real outputs play no part."""
    return weighted_mean((synthetic - 1).square(), weight)


def margins(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """How far each output lies on its side of 1/2, real then synthetic; positive where the vote is right."""
    return real - 0.5, 0.5 - synthetic
