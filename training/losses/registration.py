"""What the teacher of system A is trained on: to turn the translation into the real target by a smooth flow.

``L_T = 20 mean|yT - y| + 10 smooth(phi_T) (+ 1 (1 - MS-SSIM(yT, y)) + 0.1 mean|e_T|)``: METHODS 1.4. Weights of the
first two are RegGAN's (L. Kong et al., NeurIPS 2021; inferred for system A), the terms in brackets belong to the
residual head (proposal). What differs: means are taken inside the brain, and the weights of differences of brightness
are doubled, because METHODS counts on -1..1 and we on 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MRTranslateLib.networks.refiner import Refinement
from training.losses.masked_error import masked_absolute_error
from training.losses.multi_scale_ssim import multi_scale_dissimilarity
from training.losses.smoothness import flow_smoothness


@dataclass(frozen=True, kw_only=True)
class RegistrationWeights:
    """Weights of the terms; the last two count only where there is a residual head."""

    absolute_error: float
    smoothness: float
    structural_similarity: float
    residual: float


METHODS_WEIGHTS = RegistrationWeights(absolute_error=40.0, smoothness=10.0, structural_similarity=1.0, residual=0.2)


def registration_loss(
    refinement: Refinement, target: Tensor, brain: Tensor, weights: RegistrationWeights = METHODS_WEIGHTS
) -> dict[str, Tensor]:
    """Weighted terms of the teacher's loss; detach the synthetic image before refining it to keep them from the
    generator.

    Args:
        refinement: The teacher's output.
        target: ``(B, 1, H, W)``, the real image, 0..1.
        brain: ``(B, 1, H, W)``, 0/1.
        weights: Of the terms.

    Returns:
        Scalars by name, to be added up.
    """
    terms = {
        "absolute_error": weights.absolute_error * masked_absolute_error(refinement.image, target, brain),
        "smoothness": weights.smoothness * flow_smoothness(refinement.flow),
    }
    if refinement.residual is not None:
        dissimilarity = multi_scale_dissimilarity(refinement.image * brain, target * brain, brain)
        terms["structural_similarity"] = weights.structural_similarity * dissimilarity
        size = (refinement.residual.abs() * brain).sum() / brain.sum().clamp(min=1)
        terms["residual"] = weights.residual * size
    return terms
