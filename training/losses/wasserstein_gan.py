"""Adversarial loss by the Wasserstein distance, with a penalty on the critic's slope between real and synthetic.

``mean z_synthetic - mean z_real + lambda E(|grad z| - 1)^2``, lambda 10: I. Gulrajani et al. Improved Training of
Wasserstein GANs. NeurIPS 2017. arXiv:1704.00028. METHODS 2.2 (sibling code of system B): the alternative to binary
cross-entropy for the global discriminator. Its outputs are no logits of a probability: no confidence, no attention.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from training.losses.weighted_mean import weighted_mean

TINY_SQUARED = 1e-12
"""Keeps the gradient of the slope's length finite where the critic is flat."""


def discriminator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``mean z_synthetic - mean z_real``; add :func:`slope_penalty`.

    Args:
        real: Outputs, any shape.
        synthetic: Outputs of the same shape, for the detached synthetic image.
        weight: Which outputs count, same shape; None for all.
    """
    return weighted_mean(synthetic, weight) - weighted_mean(real, weight)


def generator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``-mean z_synthetic``; the real outputs play no part."""
    return -weighted_mean(synthetic, weight)


def margins(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``z_real - c`` and ``c - z_synthetic``, c midway between the means: a critic's zero means nothing."""
    middle = (weighted_mean(real, weight) + weighted_mean(synthetic, weight)) / 2
    return real - middle, middle - synthetic


def slope_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, synthetic: Tensor, share: Tensor, *, weight: float
) -> Tensor:
    """``lambda mean_b (|grad_x mean_i z_i(x_b)| - 1)^2`` at ``x = s real + (1 - s) synthetic``.

    For a single output this is the paper's; of a map, the mean output is the critic.

    Args:
        critic: The discriminator with everything but the image held fixed, in float32; returns ``(B, ...)``.
        real: ``(B, C, H, W)``.
        synthetic: Same shape.
        share: s, ``(B, 1, 1, 1)``, 0..1, drawn evenly.
        weight: lambda.

    Returns:
        A scalar whose gradient reaches the critic's weights.
    """
    between = (share * real.detach().float() + (1 - share) * synthetic.detach().float()).requires_grad_(True)
    with torch.autocast(between.device.type, enabled=False):
        outputs = critic(between).flatten(1).mean(dim=1)
        (slope,) = torch.autograd.grad(outputs.sum(), between, create_graph=True)
    length = (slope.square().flatten(1).sum(dim=1) + TINY_SQUARED).sqrt()
    return weight * (length - 1).square().mean()
