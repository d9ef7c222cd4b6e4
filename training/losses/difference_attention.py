"""Attention that trusts the local discriminator half and the difference to the target half.

``w = 1 + lambda_a (0.5 a_n + 0.5 |D_inf|_n - 1)`` with a the difficulty and ``D_inf = y_a - yhat``, both relative to
their mean: the "optional link" of systems B and C in METHODS 4.1, rule 4 (a proposal).
"""

from __future__ import annotations

from torch import Tensor

from MRTranslateLib.networks.local_discriminator import DIFFICULTY_EXPONENT
from training.losses.difficulty_attention import attention_weight, difficulty_weight


def difference_weight(
    confidence: Tensor,
    predicted: Tensor,
    truth: Tensor,
    mask: Tensor,
    *,
    strength: float,
    exponent: float = DIFFICULTY_EXPONENT,
) -> Tensor:
    """Mean of the weight by difficulty and of the weight by ``|yhat - y|``.

    Args:
        confidence: M of the synthetic slice, ``(B, 1, H, W)``, 0..1; no gradient reaches it.
        predicted: Same shape; no gradient reaches it.
        truth: Same shape.
        mask: Brain, same shape, 0 or 1.
        strength: As in :func:`training.losses.difficulty_attention.difficulty_weight`.
        exponent: beta.

    Returns:
        As :func:`training.losses.difficulty_attention.attention_weight`.
    """
    by_difference = attention_weight((predicted - truth).detach().abs(), mask, strength=strength)
    return (difficulty_weight(confidence, mask, strength=strength, exponent=exponent) + by_difference) / 2
