"""How much each slice counts, by how sure the global discriminator is of it: an alternative to attention by voxel.

``1 + w`` with ``w = 12.5 (p - 0.5)^2 - 0.5``, p the probability that the slice is real: METHODS 2.2, stated by sibling
code of system B's first author. Slices that are told with certainty, either way, count up to 7 times as much as one at
p = 0.5. What differs: the loss here is a weighted mean, so only the ratio between the slices of a batch counts, and a
batch of one slice is not weighted at all.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sample_weight(logits: Tensor, mask: Tensor, *, strength: float) -> Tensor:
    """``1 + strength * w``, the same for all voxels of a slice.

    Args:
        logits: ``(B, 1)``, of the global discriminator for synthetic slices, trained by binary cross-entropy; no
            gradient reaches them.
        mask: ``(B, 1, H, W)``, for the shape.
        strength: 0..1; 1 is the published weight.

    Returns:
        ``(B, 1, H, W)``, from ``1 - strength / 2`` to ``1 + 2.625 strength``.

    Raises:
        ValueError: If ``strength`` is outside 0..1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be in 0..1, got {strength}")
    doubt = 12.5 * (logits.detach().sigmoid() - 0.5).square() - 0.5
    return torch.ones_like(mask) + strength * doubt[:, :, None, None]
