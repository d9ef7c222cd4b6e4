"""Ranger, the optimiser of system C's official code: RAdam, gradient centralisation and Lookahead in one.

METHODS 3.3 (stated): betas 0.95 and 0.999, eps 1e-5, Lookahead with k = 6 and alpha = 0.5. RAdam is PyTorch's. What
differs: weight decay is decoupled, as in our AdamW.

References:
    L. Liu et al. On the variance of the adaptive learning rate and beyond. ICLR 2020. arXiv:1908.03265 (RAdam).
    H. Yong et al. Gradient centralization. ECCV 2020. arXiv:2004.01461.
    M. R. Zhang et al. Lookahead optimizer: k steps forward, 1 step back. NeurIPS 2019. arXiv:1907.08610.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

BETAS = (0.95, 0.999)
EPSILON = 1e-5
LOOKAHEAD_STEPS = 6
LOOKAHEAD_SHARE = 0.5


class Ranger(torch.optim.RAdam):
    """RAdam on centred gradients; every sixth step each weight goes half of the way back to where it was."""

    def __init__(self, params: Iterable[dict[str, Any]], *, lr: float, weight_decay: float) -> None:
        super().__init__(
            params, lr=lr, betas=BETAS, eps=EPSILON, weight_decay=weight_decay, decoupled_weight_decay=True
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step on the gradients that the weights carry; they are centred in place."""
        moved = [each for group in self.param_groups for each in group["params"] if each.grad is not None]
        started_from = {weight: weight.clone() for weight in moved if weight not in self.state}
        for weight in moved:
            weight.grad = centred(weight.grad)
        result: float | None = super().step(closure)
        for weight in moved:
            state = self.state[weight]
            if weight in started_from:
                state["slow"] = started_from[weight]
            if int(state["step"]) % LOOKAHEAD_STEPS == 0:
                state["slow"].lerp_(weight, LOOKAHEAD_SHARE)
                weight.copy_(state["slow"])
        return result


def centred(gradient: Tensor) -> Tensor:
    """The gradient minus its mean over all axes but the first (the output channel); vectors are left as they are."""
    if gradient.ndim < 2:
        return gradient
    return gradient - gradient.mean(dim=tuple(range(1, gradient.ndim)), keepdim=True)
