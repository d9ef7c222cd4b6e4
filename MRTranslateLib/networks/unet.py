"""The fast 2.5D conditional U-Net: any subset of contrasts in, every contrast out.

Most of the work is done at half resolution behind a pixel-unshuffle stem, which is what makes it fast on a CPU; a thin
path at full resolution carries the voxel's own intensities past it, so that the network starts from what a per-voxel
regression knows and keeps edges sharp. Group normalisation only: batch statistics would tie a slice to its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.contrast import Contrast

NUM_CONTRASTS = len(Contrast)
NUM_GROUPS = 8
EMBEDDING_WIDTH = 64
LEAKY_SLOPE = 0.1


@dataclass(frozen=True, kw_only=True)
class UNetParameters:
    """Size of a :class:`ConditionalUNet`; stored in the model card.

    Attributes:
        num_neighbours: Slices per contrast in the input, odd; the middle one is translated.
        widths: Channels at 1/2, 1/4, 1/8, ... of the resolution; multiples of 8.
        detail_width: Channels of the path at full resolution.
        blocks_per_level: Residual blocks at each level, in the encoder and in the decoder.
    """

    num_neighbours: int
    widths: tuple[int, ...]
    detail_width: int
    blocks_per_level: int

    def __post_init__(self) -> None:
        if self.num_neighbours < 1 or self.num_neighbours % 2 == 0:
            raise ValueError(f"num_neighbours must be odd and positive, got {self.num_neighbours}")
        if not self.widths or any(width < NUM_GROUPS or width % NUM_GROUPS for width in self.widths):
            raise ValueError(f"widths must be multiples of {NUM_GROUPS}, got {self.widths}")
        if self.detail_width < 1 or self.blocks_per_level < 1:
            raise ValueError(f"need detail_width {self.detail_width} and blocks {self.blocks_per_level} of 1 or more")

    @property
    def size_multiple(self) -> int:
        """Height and width of an input must be multiples of this number of voxels."""
        return int(2 ** len(self.widths))


class ConditionedBlock(nn.Module):
    """conv - group norm - scale and shift by the condition - leaky ReLU - conv, with a residual connection."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(NUM_GROUPS, out_channels, affine=False)
        self.modulation = nn.Linear(EMBEDDING_WIDTH, 2 * out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` and ``(B, EMBEDDING_WIDTH)`` to ``(B, out_channels, H, W)``."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift, self.norm(self.first(features)), 1.0 + scale)
        result: Tensor = self.skip(features) + self.second(functional.leaky_relu(hidden, LEAKY_SLOPE))
        return result


class ConditionalUNet(nn.Module):
    """2.5D U-Net conditioned on which contrasts are available and on the height of the slice.

    All contrasts are predicted by one pass, which gives each training step several targets; the target code picks the
    wanted ones from the output channels.
    """

    def __init__(self, parameters: UNetParameters) -> None:
        super().__init__()
        self.parameters_of_size = parameters
        widths, detail = parameters.widths, parameters.detail_width
        in_channels = NUM_CONTRASTS * parameters.num_neighbours
        self.embed = nn.Sequential(
            nn.Linear(NUM_CONTRASTS + 1, EMBEDDING_WIDTH), nn.SiLU(), nn.Linear(EMBEDDING_WIDTH, EMBEDDING_WIDTH)
        )
        self.stem = nn.Conv2d(4 * in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(_level(width, width, parameters.blocks_per_level) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_level(2 * width, width, parameters.blocks_per_level) for width in widths[:-1])
        self.to_detail = nn.Conv2d(widths[0], 4 * detail, 1)
        self.detail = nn.Sequential(
            nn.Conv2d(NUM_CONTRASTS, detail, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(detail, detail, 1)
        )
        self.fuse = ConditionedHead(2 * detail)

    def forward(self, sources: Tensor, availability: Tensor, height: Tensor) -> Tensor:
        """Predict every contrast of the middle slice.

        Args:
            sources: ``(B, 5, num_neighbours, H, W)``, 0..1 (1 is the 99.5th percentile of the brain); H and W
                multiples of ``size_multiple``. Missing contrasts may hold anything: they are zeroed here.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            height: ``(B,)``, position of the slice in the brain box, 0 at its lowest and 1 at its highest slice.

        Returns:
            ``(B, 5, H, W)``, same units, not clipped.
        """
        availability = availability.to(sources.dtype)
        sources = sources * availability[:, :, None, None, None]
        embedding = self.embed(torch.cat([availability, height[:, None].to(sources.dtype)], dim=1))
        middle = sources[:, :, self.parameters_of_size.num_neighbours // 2]
        features = self.stem(functional.pixel_unshuffle(sources.flatten(1, 2), 2))
        skips = []
        for level, blocks in enumerate(self.encoder):
            features = _run(blocks, features, embedding)
            if level < len(self.down):
                skips.append(features)
                features = self.down[level](features)
        for level in reversed(range(len(self.decoder))):
            features = functional.pixel_shuffle(self.up[level](features), 2)
            features = _run(self.decoder[level], torch.cat([features, skips[level]], dim=1), embedding)
        features = functional.pixel_shuffle(self.to_detail(features), 2)
        result: Tensor = self.fuse(torch.cat([features, self.detail(middle)], dim=1), embedding)
        return result


class ConditionedHead(nn.Module):
    """Two convolutions at full resolution that end in one channel per contrast."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(EMBEDDING_WIDTH, 2 * channels)
        self.last = nn.Conv2d(channels, NUM_CONTRASTS, 3, padding=1)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to ``(B, 5, H, W)``."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift, self.first(features), 1.0 + scale)
        result: Tensor = self.last(functional.leaky_relu(hidden, LEAKY_SLOPE))
        return result


def _level(in_channels: int, out_channels: int, num_blocks: int) -> nn.ModuleList:
    channels = [in_channels] + [out_channels] * num_blocks
    return nn.ModuleList(ConditionedBlock(channels[i], channels[i + 1]) for i in range(num_blocks))


def _run(blocks: nn.Module, features: Tensor, embedding: Tensor) -> Tensor:
    for block in blocks.children():
        features = block(features, embedding)
    return features
