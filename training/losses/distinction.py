"""What distinction maps learn: the difference that no source explains. System C, METHODS 3.1 and 3.3 (stated).

Images here are 0..1, in METHODS -1..1: the difference is half of the one there, and lies in the -1..1 of the maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

DISTINCTION_WEIGHT = 10.0


def infinite_ratio_difference(target: Tensor, synthetic: Tensor) -> Tensor:
    """``D_inf = y_a - yhat``: what is missing from a synthesis, that is, at an infinite down-sampling ratio.

    Args:
        target: y_a, the label-corrected target, ``(B, 1, H, W)``, 0..1.
        synthetic: yhat, the synthesis module's prediction of it, same shape.

    Returns:
        Same shape, about -1..1, detached: it is a label (loss) or a condition (discriminator), never a path.
    """
    return (target - synthetic).detach()


def distinction_loss(distinction: Sequence[Tensor], difference: Tensor) -> Tensor:
    """``sum_i 10 * mean (c_i - resize(sg(D_inf)))^2``, resized to the nearest voxel.

    Args:
        distinction: The maps c_i, each ``(B, 1, h, w)`` at its own size.
        difference: D_inf, ``(B, 1, H, W)``; no gradient flows into it.

    Returns:
        A scalar, not negative.
    """
    truth = difference.detach()
    errors = [functional.mse_loss(each, functional.interpolate(truth, size=each.shape[-2:])) for each in distinction]
    return DISTINCTION_WEIGHT * torch.stack(errors).sum()
