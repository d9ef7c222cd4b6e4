"""The supervised loss of the generator: absolute and squared error, 1 - SSIM and 1 - MS-SSIM, inside the brain.

Lesions count more, the slice's mean error less, and system B's attention, where it is on, weighs the voxels.
"""

from __future__ import annotations

from torch import Tensor

from MRTranslateLib.contrast import Contrast
from training.config import LossConfig
from training.losses.masked_error import masked_absolute_error, masked_squared_error
from training.losses.multi_scale_ssim import multi_scale_dissimilarity
from training.losses.structural_similarity import structural_dissimilarity

SHOW_LESIONS = (Contrast.T2W, Contrast.FLAIR)
"""Contrasts in which oedema and plaques stand out."""


def importance(brain: Tensor, lesion: Tensor, availability: Tensor, weights: LossConfig) -> Tensor:
    """How many times each voxel counts, shaped as ``brain``, 0 outside it.

    Args:
        brain: ``(P, 1, H, W)``, 0/1.
        lesion: Same shape, 0/1.
        availability: ``(P, 5)``, 0/1, the sources.
        weights: Of lesions that a source shows and of others.
    """
    hidden = weights.lesion if weights.hidden_lesion is None else weights.hidden_lesion
    shown = availability[:, [contrast.channel for contrast in SHOW_LESIONS]].amax(1)[:, None, None, None]
    return brain * (1 + (hidden + shown * (weights.lesion - hidden) - 1) * lesion)


def supervised_terms(
    predicted: Tensor,
    truth: Tensor,
    brain: Tensor,
    counted: Tensor,
    weights: LossConfig,
    attention: Tensor | None = None,
) -> dict[str, Tensor]:
    """Weighted terms, to be added up.

    Args:
        predicted: ``(P, 1, H, W)``, 0..1 units, not clipped.
        truth: Same shape.
        brain: Same shape, 0/1.
        counted: Same shape, see :func:`importance`.
        weights: Of the terms.
        attention: Same shape, mean 1 inside the brain; None for even weights.
    """
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
