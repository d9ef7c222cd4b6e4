"""A translation and its sources shall tell much of each other: an anchor against shifts (METHODS 9.1, proposal).

``-I(x; yhat) = -sum p(a, b) log(p(a, b) / (p(a) p(b)))`` over the grey levels of a slice's brain, each voxel shared out
among levels by a Gaussian (Parzen window), so that it has a gradient: P. Viola, W. Wells. Alignment by maximization of
mutual information. IJCV 24(2), 1997. The alternative, cheaper and blind to grey levels, is
:mod:`training.losses.edge_alignment`.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUM_LEVELS = 24
"""Grey levels from 0 to 1."""
SPREAD_LEVELS = 0.5
"""Standard deviation of the window, in distances between levels."""
TINY = 1e-12


def negative_mutual_information(predicted: Tensor, sources: Tensor, availability: Tensor, brain: Tensor) -> Tensor:
    """Minus the mutual information of translation and source, averaged over slices and their acquired sources.

    Args:
        predicted: yhat, ``(B, 1, H, W)``; beyond 0..1 it counts as the end level.
        sources: x, ``(B, C, H, W)``, 0..1; missing contrasts may hold anything.
        availability: ``(B, C)``, 1 where the contrast was acquired.
        brain: ``(B, 1, H, W)``, 0/1.

    Returns:
        A scalar in nats, from minus the logarithm of ``NUM_LEVELS`` to 0 (independent, and where nothing counts).
    """
    inside = brain.flatten(2).transpose(1, 2)  # (B, V, 1)
    of_predicted = _shares(predicted[:, 0]) * inside / inside.sum(dim=1, keepdim=True).clamp(min=1)
    total, count = predicted.new_zeros(()), availability.sum().clamp(min=1)
    for channel in range(sources.shape[1]):
        (rows,) = availability[:, channel].nonzero(as_tuple=True)
        joint = _shares(sources[rows, channel]).transpose(1, 2) @ of_predicted[rows]  # (rows, levels of x, of yhat)
        apart = joint.sum(dim=2, keepdim=True) * joint.sum(dim=1, keepdim=True)
        total = total + (joint * ((joint + TINY) / (apart + TINY)).log()).sum()
    return -total / count


def _shares(images: Tensor) -> Tensor:
    """How much of each voxel of ``(B, H, W)`` belongs to each level, ``(B, H * W, NUM_LEVELS)``, sums 1."""
    levels = torch.linspace(0, 1, NUM_LEVELS, device=images.device, dtype=images.dtype)
    distance = (images.clamp(0, 1).flatten(1)[:, :, None] - levels) * (NUM_LEVELS - 1) / SPREAD_LEVELS
    return torch.softmax(-0.5 * distance.square(), dim=2)
