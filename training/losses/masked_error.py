"""Absolute and squared error inside the brain, averaged over the contrasts that are asked for."""

from __future__ import annotations

from torch import Tensor


def masked_absolute_error(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of ``|predicted - truth|``.

    Args:
        predicted: ``(B, C, H, W)``.
        truth: Same shape.
        weight: Same shape, not negative, not zero everywhere.

    Returns:
        A scalar in the units of the images.
    """
    return ((predicted - truth).abs() * weight).sum() / weight.sum().clamp(min=1)


def masked_squared_error(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of ``(predicted - truth)^2``; arguments as for :func:`masked_absolute_error`."""
    return ((predicted - truth).square() * weight).sum() / weight.sum().clamp(min=1)
