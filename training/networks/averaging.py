"""The running average of a network's weights: what ships, and a teacher that is steadier than the one that learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def average_into(averaged: nn.Module, current: nn.Module, decay: float) -> None:
    """Move an averaged network towards the current one: ``decay * averaged + (1 - decay) * current``.

    Args:
        averaged: Changed in place; of the architecture of ``current``. Networks here have no running statistics, so
            its parameters are all.
        current: As it is trained.
        decay: Share that is kept, 0..1.

    Raises:
        ValueError: If ``decay`` is outside 0..1.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must be in 0..1, got {decay}")
    kept: list[Tensor] = list(averaged.parameters())
    new: list[Tensor] = list(current.parameters())
    torch._foreach_lerp_(kept, new, 1 - decay)
