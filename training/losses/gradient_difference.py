"""Gradient difference: edges shall be as steep as in the truth, which an absolute error alone leaves blurred.

M. Mathieu et al. Deep multi-scale video prediction beyond mean square error. ICLR 2016. arXiv:1511.05440, equation 6.
Exponent 2 and weight 0.05 beside the absolute error: METHODS 2.2, stated by sibling code of system B's first author.
"""

from __future__ import annotations

from torch import Tensor

EXPONENT = 2.0


def gradient_difference(predicted: Tensor, truth: Tensor, weight: Tensor, *, exponent: float = EXPONENT) -> Tensor:
    """``mean | |d_rows y| - |d_rows yhat| |^p`` plus the same along columns; d is the difference of neighbours.

    An edge of the wrong sign costs nothing: an error of the values themselves must accompany it.

    Args:
        predicted: yhat, ``(B, C, H, W)``, about 0..1.
        truth: y, same shape, 0..1.
        weight: Same shape, not negative; a pair of neighbours counts by the product of both.
        exponent: p, at least 1.

    Returns:
        A scalar in units of the images to the power p; 0 without weight.
    """
    if exponent < 1:
        raise ValueError(f"exponent must be at least 1, got {exponent}")
    total = predicted.new_zeros(())
    for axis in (-2, -1):
        steepness = truth.diff(dim=axis).abs() - predicted.diff(dim=axis).abs()
        last = weight.shape[axis] - 1
        pair = weight.narrow(axis, 1, last) * weight.narrow(axis, 0, last)
        total = total + (steepness.abs().pow(exponent) * pair).sum() / pair.sum().clamp(min=1)
    return total
