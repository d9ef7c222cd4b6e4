"""Relativistic average loss: is the real image more real than the average synthetic one, and the reverse?

A. Jolicoeur-Martineau. The relativistic discriminator. ICLR 2019. arXiv:1807.00734. The generator's half follows
METHODS 3.3 (stated by the official code of system C), which keeps one of the paper's two terms.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from training.losses.weighted_mean import weighted_mean

MIN_BATCH_SIZE = 2
"""A batch of one compares each image with its own translation; METHODS 9.6 advises 4 or more."""


def discriminator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``(mean BCE(r - mean s, 1) + mean BCE(s - mean r, 0)) / 2``, means over batch and positions.

    Args:
        real: Logits r of one scale, ``(B, ...)`` with B at least 2. Under DistributedDataParallel the means are those
            of one process.
        synthetic: Logits s of the same shape, for the detached synthetic image.
        weight: Which logits count, same shape; None for all.

    Raises:
        ValueError: If the batch holds a single slice.
    """
    of_real, of_synthetic = margins(real, synthetic, weight)
    return 0.5 * (
        weighted_mean(functional.softplus(-of_real), weight) + weighted_mean(functional.softplus(-of_synthetic), weight)
    )


def generator_loss(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> Tensor:
    """``mean BCE(s - mean r, 1)``, without gradient to the real logits; arguments as :func:`discriminator_loss`."""
    _, of_synthetic = margins(real.detach(), synthetic, weight)
    return weighted_mean(functional.softplus(of_synthetic), weight)


def margins(real: Tensor, synthetic: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``r - mean s`` and ``mean r - s``, positive where the vote is right; as :func:`discriminator_loss`."""
    if real.shape[0] < MIN_BATCH_SIZE:
        raise ValueError(
            "the relativistic average of a batch of 1 compares an image with itself: "
            "set batch_size to 4 or more, or take least_squares"
        )
    return real - weighted_mean(synthetic, weight), weighted_mean(real, weight) - synthetic
