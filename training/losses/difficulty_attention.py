"""How much each voxel's error counts: by the local discriminator's difficulty, and the controls it must beat.

System B, METHODS 2.3. That the attention comes from the local discriminator is stated by the paper, ``(1 - M)^2`` by
sibling code of its first author; normalisation, floor, clip and ramp are a reconstruction, as is the control.
"""

from __future__ import annotations

import torch
from torch import Tensor

from MRTranslateLib.networks.local_discriminator import DIFFICULTY_EXPONENT, difficulty

LARGEST_ATTENTION = 5.0
"""In multiples of a slice's mean: no voxel counts more than that."""
SMALLEST_MEAN = 1e-6
"""Below, a saturated discriminator finds nothing difficult, and the weight stays even."""
FOCAL_EXPONENT = 0.5


def difficulty_weight(
    confidence: Tensor, mask: Tensor, *, strength: float, exponent: float = DIFFICULTY_EXPONENT
) -> Tensor:
    """Weight of each voxel's error: more where the local discriminator is sure that the image is not real.

    Args:
        confidence: M of the synthetic slice, ``(B, 1, H, W)``, 0..1; no gradient reaches it.
        mask: Brain, same shape, 0 or 1.
        strength: lambda_a times the ramp, 0..1; METHODS proposes 0.5 after the ramp.
        exponent: beta.

    Returns:
        As :func:`attention_weight`.
    """
    return attention_weight(difficulty(confidence, exponent), mask, strength=strength)


def focal_weight(predicted: Tensor, truth: Tensor, mask: Tensor, *, strength: float) -> Tensor:
    """The control of METHODS 2.3: ``|yhat - y|^0.5``, difficulty read off the target instead of the discriminator.

    METHODS divides the error by its 95th percentile; that cancels in the mean by which both weights are divided here.

    Args:
        predicted: ``(B, 1, H, W)``; no gradient reaches it.
        truth: Same shape.
        mask: Brain, same shape, 0 or 1.
        strength: As in :func:`difficulty_weight`.

    Returns:
        As :func:`attention_weight`.
    """
    return attention_weight((predicted - truth).detach().abs() ** FOCAL_EXPONENT, mask, strength=strength)


def uniform_weight(mask: Tensor) -> Tensor:
    """The other control: 1 everywhere."""
    return torch.ones_like(mask)


def attention_weight(attention: Tensor, mask: Tensor, *, strength: float) -> Tensor:
    """``w = 1 + strength * (a_n - mean_m(a_n))`` with ``a_n = min(a / mean_m(a), 5)``, per slice.

    The mean of a_n is 1 unless voxels were clipped; with the actual mean, as here, the mean of w inside the mask is 1
    always, so that the learning rate means the same with and without attention. Each slice by itself: a weight does not
    depend on which slices share its batch.

    Args:
        attention: a, ``(B, 1, H, W)``, not negative, without gradient.
        mask: Same shape, 0 or 1.
        strength: 0..1; above 1 an easy voxel would be pushed away from the truth.

    Returns:
        Weights ``(B, 1, H, W)`` from ``1 - strength`` (the floor: easy tissue stays supervised) to ``1 + 5 strength``;
        1 outside the mask.

    Raises:
        ValueError: If ``strength`` is outside 0..1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be in 0..1, got {strength}")
    mean = _masked_mean(attention, mask)
    relative = (attention / mean.clamp(min=SMALLEST_MEAN)).clamp(max=LARGEST_ATTENTION)
    relative = relative * (mean >= SMALLEST_MEAN)
    return 1 + strength * (relative - _masked_mean(relative, mask)) * mask


def ramp(step: int, *, start: int, length: int) -> float:
    """0 up to step ``start``, 1 from ``start + length`` on, linear in between."""
    return min(1.0, max(0.0, (step - start) / max(length, 1)))


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Per slice, ``(B, 1, 1, 1)``; 0 for an empty mask."""
    return (values * mask).sum(dim=(1, 2, 3), keepdim=True) / mask.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
