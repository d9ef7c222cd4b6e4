"""What system C's label correction is trained on.

``mean_m|sg(G(x)) - W(y_na, phi)| + (1 - MS-SSIM) + 1 smooth(phi)`` on real pairs: METHODS 3.3 (stated, the flow is
learned through the corrected target). What differs: the translation is detached, so that generator and correction
cannot agree on a common shift (METHODS 9.1), there is no pre-trained perceptual network, brightness weighs double on
0..1 against -1..1, means are taken inside the brain, and two terms of METHODS 9.1 (proposals) are added: the error of
the flow on pairs that we misaligned ourselves, and a penalty on folds.

Where real pairs are misaligned, move the translation itself for the pairs with known flow: it lies on the sources.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from training.losses.flow_error import flow_error
from training.losses.folding import folding_penalty
from training.losses.masked_error import masked_absolute_error
from training.losses.multi_scale_ssim import multi_scale_dissimilarity
from training.losses.smoothness import flow_smoothness
from training.networks.label_correction import CorrectedTarget


@dataclass(frozen=True, kw_only=True)
class LabelCorrectionWeights:
    """Weights of the terms."""

    absolute_error: float
    structural_similarity: float
    smoothness: float
    folding: float
    flow: float


METHODS_WEIGHTS = LabelCorrectionWeights(
    absolute_error=2.0, structural_similarity=1.0, smoothness=1.0, folding=10.0, flow=1.0
)


def image_terms(
    corrected: CorrectedTarget, translation: Tensor, brain: Tensor, weights: LabelCorrectionWeights = METHODS_WEIGHTS
) -> dict[str, Tensor]:
    """Weighted terms for real pairs whose misalignment is unknown.

    Args:
        corrected: Output for the real target.
        translation: ``(B, 1, H, W)``, the generator's output for the sources, 0..1 units; taken as given.
        brain: ``(B, 1, H, W)``, 0/1, in the frame of the sources.
        weights: Of the terms.

    Returns:
        Scalars by name, to be added up.
    """
    fixed = translation.detach()
    return {
        "absolute_error": weights.absolute_error * masked_absolute_error(corrected.image, fixed, brain),
        "structural_similarity": weights.structural_similarity
        * multi_scale_dissimilarity(corrected.image * brain, fixed * brain, brain),
        "smoothness": weights.smoothness * flow_smoothness(corrected.flow),
        "folding": weights.folding * folding_penalty(corrected.flow, brain),
    }


def known_flow_terms(
    corrected: CorrectedTarget, truth: Tensor, brain: Tensor, weights: LabelCorrectionWeights = METHODS_WEIGHTS
) -> dict[str, Tensor]:
    """Weighted terms for pairs that ``training.data.misalignment`` moved.

    Args:
        corrected: Output for the moved image.
        truth: ``(B, 2, H, W)``, the flow that undoes the motion, in voxels.
        brain: ``(B, 1, H, W)``, 0/1, in the frame of the sources.
        weights: Of the terms.

    Returns:
        Scalars by name, to be added up.
    """
    return {
        "flow": weights.flow * flow_error(corrected.flow, truth, brain),
        "folding": weights.folding * folding_penalty(corrected.flow, brain),
    }
