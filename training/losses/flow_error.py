"""Distance between a flow and the known one, for pairs whose misalignment was simulated.

``mean_m |phi - phi_true|``, the endpoint error: METHODS 9.1 proposes a supervised flow loss on pairs warped by
ourselves.
"""

from __future__ import annotations

from torch import Tensor

TINY_SQUARED = 1e-6
"""Keeps the gradient of the length finite where the flow is right; a thousandth of a voxel, squared."""


def flow_error(flow: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean length of what a flow is off by.

    Args:
        flow: ``(B, 2, H, W)``, voxels.
        truth: Same shape.
        mask: ``(B, 1, H, W)``, 0/1.

    Returns:
        A scalar in voxels; 0.001 for equal flows, 0 for an empty mask.
    """
    lengths = ((flow - truth).square().sum(dim=1, keepdim=True) + TINY_SQUARED).sqrt()
    return (lengths * mask).sum() / mask.sum().clamp(min=1)
