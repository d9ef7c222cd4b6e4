"""The synthetic image shall look to the discriminator, layer by layer, as the real one does.

T.-C. Wang et al. High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs. CVPR 2018.
arXiv:1711.11585, equation 4. METHODS 3.3 (stated): four feature maps of D_p, weight 10, adversarial weight aside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def feature_matching(synthetic: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean over the layers of the mean absolute difference of their features.

    Args:
        synthetic: One ``(B, C, h, w)`` per layer.
        real: Same shapes; no gradient reaches them.

    Raises:
        ValueError: If the numbers of layers differ.
    """
    return torch.stack([(f - r.detach()).abs().mean() for f, r in zip(synthetic, real, strict=True)]).mean()
