"""Attention over a whole slice, for a convolutional network that does not see as far as the other hemisphere.

A tumour that a contrast hardly shows is told by what it displaces and by how it differs from the other side; both may
be far away. A block of attention over the coarsest features costs next to nothing (Dosovitskiy et al. 2021,
arXiv:2010.11929; at the bottleneck of a translation network: ResViT, Dalmaz et al. 2022, arXiv:2106.16031). What
differs: each block begins as the identity, so that trained weights without one can go on with one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH = 32
WAVELENGTHS = (4.0, 8.0, 16.0, 32.0)
"""Of the waves that tell a place, in cells of the features; the longest spans more than a brain at 1/16 of 1 mm."""


class ContextBlock(nn.Module):
    """Attention of each place to all others, then two layers on each place, both added to what comes in.

    Attributes:
        CLOSING: Layers whose results are added; with zeros in both a block is the identity.
    """

    CLOSING = ("answer", "layers.1")

    def __init__(self, width: int) -> None:
        """Make the layers; ``width`` is a multiple of ``HEAD_WIDTH``."""
        super().__init__()
        self.num_heads = width // HEAD_WIDTH
        self.place = nn.Linear(4 * len(WAVELENGTHS), width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.layers = nn.ModuleList([nn.Linear(width, 2 * width), nn.Linear(2 * width, width)])
        for name in self.CLOSING:
            for values in self.get_submodule(name).parameters():
                nn.init.zeros_(values)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, width, H, W)``, any H and W, to the same shape."""
        batch, width, height, columns = features.shape
        places = self.place(waves(height, columns).to(features.device, features.dtype))
        tokens = features.flatten(2).transpose(1, 2)
        asked = self.ask(self.norms[0](tokens) + places).view(batch, -1, 3, self.num_heads, HEAD_WIDTH)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.answer(heard.transpose(1, 2).flatten(2))
        tokens = tokens + self.layers[1](functional.gelu(self.layers[0](self.norms[1](tokens))))
        result: Tensor = tokens.transpose(1, 2).reshape(batch, width, height, columns)
        return result


def waves(height: int, width: int) -> Tensor:
    """Sines and cosines of the place of each cell, counted from the middle of the slice.

    Returns:
        ``(height * width, 16)``, row by row.
    """
    rows = (torch.arange(height) - (height - 1) / 2)[:, None].expand(height, width)
    columns = (torch.arange(width) - (width - 1) / 2)[None].expand(height, width)
    places = torch.stack([rows, columns], dim=-1).view(-1, 2, 1)
    phases = (2 * torch.pi * places / torch.tensor(WAVELENGTHS)).flatten(1)
    return torch.cat([phases.sin(), phases.cos()], dim=1)
