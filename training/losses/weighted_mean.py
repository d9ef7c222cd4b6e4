"""The mean that all adversarial losses take over their logits."""

from __future__ import annotations

from torch import Tensor


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of all values, or of those that count.

    Args:
        values: Any shape.
        weight: Same shape, 0 or 1 (or shares), or None for all; all zero gives 0.
    """
    if weight is None:
        return values.mean()
    if weight.shape != values.shape:
        raise ValueError(f"weight {tuple(weight.shape)} must have the shape of the values {tuple(values.shape)}")
    return (values * weight).sum() / weight.sum().clamp(min=1)
