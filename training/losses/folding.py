"""Penalty on flows that fold the slice: mean of what the Jacobian determinant lacks to a small positive number.

``mean_m(max(0, margin - det(I + d phi)))``: a remedy that METHODS 9.1 proposes; the papers have smoothness alone.
"""

from __future__ import annotations

from torch import Tensor

from MRTranslateLib.networks.warp import jacobian_determinant

MARGIN = 0.1
"""Area may shrink to a tenth before it costs anything."""


def folding_penalty(flow: Tensor, mask: Tensor) -> Tensor:
    """How much a flow folds, or nearly folds, the masked voxels.

    Args:
        flow: ``(B, 2, H, W)``, voxels.
        mask: ``(B, 1, H, W)``, 0/1.

    Returns:
        A scalar without unit; 0 where area shrinks to no less than ``MARGIN``, and for an empty mask.
    """
    inside = mask[:, :, :-1, :-1]
    lacking = (MARGIN - jacobian_determinant(flow)).clamp(min=0)
    return (lacking * inside).sum() / inside.sum().clamp(min=1)
