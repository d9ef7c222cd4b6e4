"""Restormer-U: the synthesis module of system C, a U-shaped transformer whose attention runs over channels.

Layer list and sizes: METHODS 3.2 (stated by system C's official code; measured there with one input channel and one
output channel: 30.0 M parameters at width 48). The blocks are those of S. W. Zamir et al. Restormer: Efficient
Transformer for High-Resolution Image Restoration. CVPR 2022. arXiv:2111.09881.

What differs here: several input channels (2.5D slices of several contrasts), one output channel per contrast, and a
configurable width and depth.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import GeneratorParameters

LARGEST_FACTOR = 8
"""Widths double from level to level up to this multiple of the first one."""
EXPANSION = 2.66
"""Hidden channels of the gated feed-forward part, relative to the block's width."""


class RestormerParameters(GeneratorParameters, frozen=True, kw_only=True):
    """Size of a :class:`RestormerUNet`; stored in the model card.

    Attributes:
        width: Channels at full resolution, even; 48 in the paper, 16 or 24 for a laptop. Doubles per level up to 8
            times as many.
        heads: Attention heads per level, from full resolution to the coarsest level, whose count is the number of
            levels; ``(1, 2, 4, 4, 4, 4)`` in the paper.
        blocks_per_level: Restormer blocks at each level, in the encoder and in the decoder; 2 in the paper.
    """

    width: int
    heads: tuple[int, ...]
    blocks_per_level: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 2 or self.width % 2 or self.blocks_per_level < 1:
            raise ValueError(
                f"width must be even and positive and blocks_per_level 1 or more, "
                f"got {self.width} and {self.blocks_per_level}"
            )
        if not self.heads or any(
            heads < 1 or width % heads for width, heads in zip(self.widths, self.heads, strict=True)
        ):
            raise ValueError(f"heads must divide the widths {self.widths} level by level, got {self.heads}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, from full resolution to the coarsest."""
        return tuple(self.width * min(2**level, LARGEST_FACTOR) for level in range(len(self.heads)))

    @property
    def size_multiple(self) -> int:
        """Height and width of an input must be multiples of this number of voxels."""
        return int(2 ** (len(self.heads) - 1))


class RestormerUNet(nn.Module):
    """System C's synthesis module: encoder and decoder of Restormer blocks, linear head, no global residual.

    Attributes:
        pyramid_widths: Channels of each map of the pyramid, coarse to fine.
        pyramid_strides: Input voxels per voxel of each map, coarse to fine; the last is 1.
    """

    def __init__(self, parameters: RestormerParameters, *, in_channels: int, out_channels: int = len(Contrast)) -> None:
        super().__init__()
        widths, blocks = parameters.widths, parameters.blocks_per_level
        self.pyramid_widths = widths[::-1]
        self.pyramid_strides = tuple(2**level for level in reversed(range(len(widths))))
        levels = list(zip(widths, parameters.heads, strict=True))
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(_level(width, heads, blocks) for width, heads in levels)
        self.reduce = nn.ModuleList(_reduction(fine, coarse) for fine, coarse in pairwise(widths))
        self.down = nn.ModuleList(_down(coarse) for coarse in widths[1:])
        self.up = nn.ModuleList(_up(coarse) for coarse in widths[1:])
        self.merge = nn.ModuleList(_merge(fine, coarse) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_level(width, heads, blocks) for width, heads in levels[:-1])
        self.refinement = RestormerBlock(widths[0], parameters.heads[0])
        self.head = nn.Conv2d(widths[0], out_channels, 3, padding=1, bias=False)

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predict every contrast of the middle slice.

        Args:
            inputs: ``(B, in_channels, H, W)`` as the adapter stacks them; H and W multiples of ``size_multiple``.

        Returns:
            The prediction ``(B, out_channels, H, W)``, not clipped; and the decoder's features, coarse to fine: map i
            is ``(B, pyramid_widths[i], H / pyramid_strides[i], W / pyramid_strides[i])``.
        """
        features, skips = self.stem(inputs), []
        for level, reduce in enumerate(self.reduce):
            skips.append(reduce(self.encoder[level](features)))
            features = self.down[level](skips[level])
        features = self.encoder[-1](features)
        pyramid = [features]
        for level in reversed(range(len(skips))):
            features = torch.cat([self.up[level](features), skips[level]], dim=1)
            features = self.decoder[level](self.merge[level](features))
            pyramid.append(features)
        pyramid[-1] = self.refinement(features)
        return self.head(pyramid[-1]), pyramid


class RestormerBlock(nn.Module):
    """Channel attention, then a gated feed-forward part, each on normalised features and with a residual."""

    def __init__(self, channels: int, heads: int, qkv: nn.Module | None = None) -> None:
        super().__init__()
        self.attention = nn.Sequential(ChannelNorm(channels), ChannelAttention(channels, heads, qkv))
        self.feed_forward = nn.Sequential(ChannelNorm(channels), GatedFeedForward(channels))

    def forward(self, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``, same shape out."""
        features = features + self.attention(features)
        result: Tensor = features + self.feed_forward(features)
        return result


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each voxel, with scale and bias."""

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)``, same shape out."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


class ChannelAttention(nn.Module):
    """Attention between channels ("transposed"): its cost grows with the number of voxels, not with its square."""

    def __init__(self, channels: int, heads: int, qkv: nn.Module | None = None) -> None:
        """Make the layers.

        Args:
            channels: Width.
            heads: Groups of channels that attend among themselves; divides ``channels``.
            qkv: Makes queries, keys and values, ``3 * channels``, of the features; a 1x1 convolution and a depth-wise
                3x3 one unless the caller brings its own, as system C's super-resolution branch does.
        """
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = qkv or nn.Sequential(
            nn.Conv2d(channels, 3 * channels, 1, bias=False),
            nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False),
        )
        self.merge = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``, same shape out."""
        queries, keys, values = (
            part.reshape(len(part), self.heads, -1, part.shape[-2] * part.shape[-1])
            for part in self.qkv(features).chunk(3, dim=1)
        )
        cosine = functional.normalize(queries, dim=-1) @ functional.normalize(keys, dim=-1).transpose(-2, -1)
        attended = (cosine * self.temperature).softmax(dim=-1).to(values.dtype) @ values
        result: Tensor = self.merge(attended.reshape(features.shape))
        return result


class GatedFeedForward(nn.Module):
    """Two depth-wise 3x3 branches, one through a GELU as the gate of the other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = int(channels * EXPANSION)
        self.expand = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.local = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.reduce = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``, same shape out."""
        gate, content = self.local(self.expand(features)).chunk(2, dim=1)
        result: Tensor = self.reduce(functional.gelu(gate) * content)
        return result


def _level(channels: int, heads: int, num_blocks: int) -> nn.Sequential:
    return nn.Sequential(*(RestormerBlock(channels, heads) for _ in range(num_blocks)))


def _reduction(fine: int, coarse: int) -> nn.Module:
    """Halves the channels of a level that the next one does not double, for the skip and before down-sampling."""
    return nn.Conv2d(fine, fine // 2, 1, bias=False) if fine == coarse else nn.Identity()


def _down(coarse: int) -> nn.Module:
    """Half the size, ``coarse`` channels out of half as many."""
    return nn.Sequential(nn.Conv2d(coarse // 2, coarse // 4, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _up(coarse: int) -> nn.Module:
    """Double the size, half as many channels."""
    return nn.Sequential(nn.Conv2d(coarse, 2 * coarse, 3, padding=1, bias=False), nn.PixelShuffle(2))


def _merge(fine: int, coarse: int) -> nn.Module:
    """Brings what comes up and the skip, ``coarse`` channels together, to the width of the level."""
    return nn.Identity() if fine == coarse else nn.Conv2d(coarse, fine, 1, bias=False)
