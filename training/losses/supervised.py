"""The supervised loss of the generator: absolute and squared error, 1 - SSIM and 1 - MS-SSIM, inside the brain.

Lesions count more, the slice's mean error less, and system B's attention, where it is on, weighs the voxels.
"""

from __future__ import annotations

from torch import Tensor

from training.config import LossConfig
from training.losses.masked_error import masked_absolute_error, masked_squared_error
from training.losses.multi_scale_ssim import multi_scale_dissimilarity
from training.losses.structural_similarity import structural_dissimilarity


def supervised_terms(
    predicted: Tensor,
    truth: Tensor,
    brain: Tensor,
    lesion: Tensor,
    weights: LossConfig,
    attention: Tensor | None = None,
) -> dict[str, Tensor]:
    """Weighted terms, to be added up.

    Args:
        predicted: ``(P, 1, H, W)``, 0..1 units, not clipped.
        truth: Same shape.
        brain: Same shape, 0/1.
        lesion: Same shape, 0/1.
        weights: Of the terms.
        attention: Same shape, mean 1 inside the brain; None for even weights.
    """
    counted = brain * (1 + (weights.lesion - 1) * lesion)
    if attention is not None:
        counted = counted * attention
    size = brain.sum((2, 3), keepdim=True).clamp(min=1)
    mean_error = ((predicted - truth) * brain).sum((2, 3), keepdim=True) / size
    levelled = predicted - (1 - weights.level) * mean_error
    terms = {
        "absolute_error": weights.absolute_error * masked_absolute_error(levelled, truth, counted),
        "squared_error": weights.squared_error * masked_squared_error(levelled, truth, counted),
        "structural_similarity": weights.structural_similarity
        * structural_dissimilarity(predicted * brain, truth * brain, brain),
    }
    if weights.multi_scale_similarity > 0:
        dissimilarity = multi_scale_dissimilarity(predicted * brain, truth * brain, brain)
        terms["multi_scale_similarity"] = weights.multi_scale_similarity * dissimilarity
    return terms
