"""Local discriminator labels that admit where a synthetic slice is right: our proposal, an alternative to METHODS 2.3.

There every neighbourhood of a synthetic slice is labelled 0, even where it equals the real one, which is labelled 1 at
the same place. Here the label of a synthetic neighbourhood is how close it comes, the mean over its cell of
``exp(-|yhat - y| / tolerance)``, times the smoothed label of the real one. The generator's loss is unchanged. A good
translation is labelled real, so the share of right votes falls to a half and its band (METHODS 2.3) does not apply.
Measured against the plain labels by ``Testing/benchmark_difficulty_attention.py``.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from training.losses.binary_cross_entropy_gan import REAL_LABEL
from training.losses.weighted_mean import weighted_mean

TOLERANCE = 0.1
"""Error, in units of the 99.5th percentile, at which a voxel's closeness is 1/e."""


def closeness(
    predicted: Tensor, truth: Tensor, brain: Tensor, logits: Tensor, *, tolerance: float = TOLERANCE
) -> Tensor:
    """Mean of ``exp(-|yhat - y| / tolerance)`` over the brain voxels of each logit's cell.

    Args:
        predicted: ``(B, 1, H, W)``; no gradient reaches it.
        truth: Same shape.
        brain: Same shape, 0 or 1.
        logits: ``(B, 1, h, w)``, for its shape.
        tolerance: Positive, in the units of the images.

    Returns:
        Shape of ``logits``, 0..1; 0 for cells without brain.

    Raises:
        ValueError: If ``tolerance`` is not positive.
    """
    if tolerance <= 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")
    size = (logits.shape[-2], logits.shape[-1])
    close = (-(predicted - truth).detach().abs() / tolerance).exp() * brain
    share = functional.adaptive_avg_pool2d(brain, size)
    inverse = (share > 0) / share.clamp(min=1e-6)
    return functional.adaptive_avg_pool2d(close, size) * inverse


def error_aware_discriminator_loss(
    real: Tensor, synthetic: Tensor, closeness: Tensor, weight: Tensor | None = None, *, real_share: float = 0.5
) -> Tensor:
    """``s mean BCE(z_real, 0.9) + (1 - s) mean BCE(z_synthetic, 0.9 closeness)``.

    With closeness 0 and s 0.5 it is the plain loss.

    Args:
        real: Logits, any shape.
        synthetic: Logits of the same shape, for the detached synthetic image.
        closeness: Same shape, 0..1.
        weight: Which logits count, same shape; None for all.
        real_share: s, 0..1: how much telling the real from the synthetic counts beside finding errors.
    """
    of_real, of_synthetic = (
        functional.binary_cross_entropy_with_logits(logits, REAL_LABEL * share, reduction="none")
        for logits, share in ((real, closeness.new_ones(()).expand_as(real)), (synthetic, closeness))
    )
    return real_share * weighted_mean(of_real, weight) + (1 - real_share) * weighted_mean(of_synthetic, weight)
