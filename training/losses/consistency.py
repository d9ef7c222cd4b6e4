"""Consistency under attack: the translation of attacked sources shall be that of the clean ones.

``mean_m |G(x_adv) - sg(G(x))|``: METHODS 1.6 (proposal).
"""

from __future__ import annotations

from torch import Tensor

from training.losses.masked_error import masked_absolute_error


def consistency(attacked: Tensor, clean: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference; no gradient reaches ``clean``, else it would be pulled towards the attacked one.

    Args:
        attacked: ``(B, C, H, W)``, translation of attacked sources, 0..1 units.
        clean: Same shape, translation of the clean sources.
        weight: Same shape, not negative; the brain.

    Returns:
        A scalar in the units of the images; 0 for an empty mask.
    """
    return masked_absolute_error(attacked, clean.detach(), weight)
