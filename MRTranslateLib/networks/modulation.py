"""Distinction maps and the incremental modulation they steer, of system C's super-resolution branch.

METHODS 3.2 steps 1 and 4 (stated by system C's official code). What differs: mean and standard deviation are those that
the normalisation divides by, so zero increments give the input back to rounding, where the original mixes an unbiased
with a biased estimate and is off by up to 2e-3; the last convolutions start at zero (proposal); the width is free.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5


def distinction_map(features: Tensor, guide: Tensor) -> Tensor:
    """Cosine similarity over channels of two feature maps, ``(B, C, H, W)`` each.

    Trained to predict the signed difference between target and synthetic image (``training.losses.distinction``), which
    it can do at test time because it is made of what is known then.

    Returns:
        ``(B, 1, H, W)``, -1..1.
    """
    return functional.cosine_similarity(features, guide, dim=1).unsqueeze(1)


def modulate(features: Tensor, scale_increment: Tensor, shift_increment: Tensor) -> Tensor:
    """``IN(t) * (sigma_t + Gamma) + (mu_t + Beta)``: normalise, then restore own statistics plus increments.

    Args:
        features: t, ``(B, C, H, W)``; mu and sigma are its mean and standard deviation over H and W, per channel.
        scale_increment: Gamma, ``(B, C, H, W)``.
        shift_increment: Beta, ``(B, C, H, W)``.

    Returns:
        ``(B, C, H, W)``; ``features`` where both increments are zero.
    """
    variance, mean = torch.var_mean(features, dim=(-2, -1), keepdim=True, correction=0)
    deviation = (variance + EPSILON).sqrt()
    return (features - mean) / deviation * (deviation + scale_increment) + mean + shift_increment


class IncrementalModulation(nn.Module):
    """Increments of scale and shift for every voxel and channel, read off a distinction map."""

    def __init__(self, channels: int, width: int) -> None:
        """Make the layers.

        Args:
            channels: Of the features that are modulated.
            width: Of the hidden layers, even; the first has half of it; 128 in the paper.
        """
        super().__init__()
        self.read = nn.Sequential(
            nn.Conv2d(1, width // 2, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.scale = nn.Conv2d(width, channels, 3, padding=1)
        self.shift = nn.Conv2d(width, channels, 3, padding=1)
        for values in (*self.scale.parameters(), *self.shift.parameters()):
            nn.init.zeros_(values)

    def forward(self, features: Tensor, distinction: Tensor) -> Tensor:
        """``(B, channels, H, W)`` modulated by ``(B, 1, H, W)``; same shape as ``features``."""
        read = self.read(distinction)
        return modulate(features, self.scale(read), self.shift(read))
