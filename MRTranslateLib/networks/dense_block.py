"""Residual-in-residual dense blocks, which open system C's super-resolution branch (METHODS 3.2, stated).

X. Wang et al. ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks. ECCV workshops 2018. arXiv:1809.00219.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.2
RESIDUAL_SCALE = 0.2


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each of which sees the input and all results before it."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(channels + i * growth, growth, 3, padding=1) for i in range(4))
        self.last = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``, same shape out."""
        seen = features
        for layer in self.layers:
            seen = torch.cat([seen, functional.leaky_relu(layer(seen), LEAKY_SLOPE)], dim=1)
        result: Tensor = features + RESIDUAL_SCALE * self.last(seen)
        return result


class ResidualDenseBlock(nn.Module):
    """Three dense blocks in a row with a residual around them."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3)))

    def forward(self, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``, same shape out."""
        result: Tensor = features + RESIDUAL_SCALE * self.blocks(features)
        return result
