"""The fast 2.5D conditional U-Net: any subset of contrasts in, every contrast out.

Two paths are added. The voxel path, a small perceptron on each voxel's intensities and their local means, knows what a
per-voxel regression knows and learns it in minutes. The U-Net corrects it by what lies around; most of its work is done
at half resolution behind a pixel-unshuffle stem, which is what makes it fast on a CPU. Group normalisation only: batch
statistics would tie a slice to its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.context import HEAD_WIDTH, ContextBlock

NUM_CONTRASTS = len(Contrast)
NUM_GROUPS = 8
EMBEDDING_WIDTH = 64
NEIGHBOURHOODS_VOXELS = (4, 12)
"""Sides of the squares over which the voxel path sees local means."""
LEAKY_SLOPE = 0.1
TYPICAL_LEVEL = (0.66, 0.60, 0.40, 0.50, 0.58)
TYPICAL_SPREAD = (0.19, 0.18, 0.18, 0.18, 0.18)
"""Mean and standard deviation inside the brain per contrast, over the open training data (PDw: a guess).

With them tissue is around zero and so is the empty background. Without them the step from background to brain drowns
the contrast between tissues, and after 7000 steps the network still gave little more than the mean of each contrast.
"""


@dataclass(frozen=True, kw_only=True)
class UNetParameters:
    """Size of a :class:`ConditionalUNet`; stored in the model card.

    Attributes:
        num_neighbours: Slices per contrast in the input, odd; the middle one is translated.
        widths: Channels at 1/2, 1/4, 1/8, ... of the resolution; multiples of 8.
        detail_width: Channels of the U-Net at full resolution.
        voxel_width: Hidden units of the voxel path.
        blocks_per_level: Residual blocks at each level, in the encoder and in the decoder.
        level_from_voxels: The U-Net's correction has mean zero over the tissue of each slice, so how bright a contrast
            is comes from the voxel path alone. That path learns from everybody's voxels at once; the U-Net, which sees
            four people at a time, would learn each training person's level by heart.
        context_blocks: Attention blocks at the coarsest level, each over the whole slice; 0 for none.
    """

    num_neighbours: int
    widths: tuple[int, ...]
    detail_width: int
    voxel_width: int
    blocks_per_level: int
    level_from_voxels: bool = False
    context_blocks: int = 0

    def __post_init__(self) -> None:
        if self.num_neighbours < 1 or self.num_neighbours % 2 == 0:
            raise ValueError(f"num_neighbours must be odd and positive, got {self.num_neighbours}")
        if not self.widths or any(width < NUM_GROUPS or width % NUM_GROUPS for width in self.widths):
            raise ValueError(f"widths must be multiples of {NUM_GROUPS}, got {self.widths}")
        if min(self.detail_width, self.voxel_width, self.blocks_per_level) < 1:
            raise ValueError("detail_width, voxel_width and blocks_per_level must be 1 or more")
        if self.context_blocks < 0 or (self.context_blocks and self.widths[-1] % HEAD_WIDTH):
            raise ValueError(
                f"context_blocks must not be negative, and with them the last of widths a multiple of {HEAD_WIDTH}; "
                f"got {self.context_blocks} and {self.widths[-1]}"
            )

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

    level: Tensor
    spread: Tensor

    def __init__(self, parameters: UNetParameters) -> None:
        super().__init__()
        self.middle = parameters.num_neighbours // 2
        self.level_from_voxels = parameters.level_from_voxels
        widths, detail = parameters.widths, parameters.detail_width
        in_channels = (NUM_CONTRASTS + 1) * parameters.num_neighbours
        self.embed = nn.Sequential(
            nn.Linear(NUM_CONTRASTS + 1, EMBEDDING_WIDTH), nn.SiLU(), nn.Linear(EMBEDDING_WIDTH, EMBEDDING_WIDTH)
        )
        self.stem = nn.Conv2d(4 * in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(_level(width, width, parameters.blocks_per_level) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        self.context = nn.ModuleList(ContextBlock(widths[-1]) for _ in range(parameters.context_blocks))
        self.up = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_level(2 * width, width, parameters.blocks_per_level) for width in widths[:-1])
        self.to_detail = nn.Conv2d(widths[0], 4 * detail, 1)
        self.detail = nn.Sequential(
            nn.Conv2d(NUM_CONTRASTS + 1, detail, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(detail, detail, 1)
        )
        self.fuse = ConditionedHead(2 * detail)
        self.voxel = VoxelPath(parameters.voxel_width)
        self.register_buffer("level", torch.tensor(TYPICAL_LEVEL), persistent=False)
        self.register_buffer("spread", torch.tensor(TYPICAL_SPREAD), persistent=False)

    def forward(self, sources: Tensor, availability: Tensor, height: Tensor) -> Tensor:
        """Predict every contrast of the middle slice.

        Args:
            sources: ``(B, 5, num_neighbours, H, W)``, 0..1 (1 is the 99.5th percentile of the brain); H and W
                multiples of ``size_multiple``. Missing contrasts may hold any number: they are zeroed here.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            height: ``(B,)``, position of the slice in the brain box, 0 at its lowest and 1 at its highest slice.

        Returns:
            ``(B, 5, H, W)``, same units, not clipped.
        """
        inputs, embedding = self._centred(sources, availability), self._embedding(availability, height)
        features = self.stem(functional.pixel_unshuffle(inputs.flatten(1, 2), 2))
        skips = []
        for level, blocks in enumerate(self.encoder):
            features = _run(blocks, features, embedding)
            if level < len(self.down):
                skips.append(features)
                features = self.down[level](features)
        for context in self.context:
            features = context(features)
        for level in reversed(range(len(self.decoder))):
            features = functional.pixel_shuffle(self.up[level](features), 2)
            features = _run(self.decoder[level], torch.cat([features, skips[level]], dim=1), embedding)
        features = functional.pixel_shuffle(self.to_detail(features), 2)
        around = self.fuse(torch.cat([features, self.detail(inputs[:, :, self.middle])], dim=1), embedding)
        if self.level_from_voxels:
            around = _without_mean(around.float(), inputs[:, -1:, self.middle])
        return self._restore(self.voxel(inputs, embedding) + around)

    def voxel_views(self, sources: Tensor, availability: Tensor) -> Tensor:
        """What the voxel path reads, ``(B, 24, H, W)``; arguments as :meth:`forward`."""
        return self.voxel.views(self._centred(sources, availability))

    def predict_voxels(self, views: Tensor, availability: Tensor, height: Tensor) -> Tensor:
        """The voxel path alone on any voxels: ``(V, 24)``, ``(V, 5)`` and ``(V,)`` to ``(V, 5)``, 0..1."""
        relative = self.voxel.perceptron(views, self._embedding(availability, height))
        return relative.float() * self.spread + self.level

    def _centred(self, sources: Tensor, availability: Tensor) -> Tensor:
        """Centred inputs ``(B, 6, N, H, W)``, the last channel 1 where there is tissue."""
        tissue = (sources > 0).to(sources.dtype) * availability[:, :, None, None, None].to(sources.dtype)
        centred = (sources - self.level.view(1, -1, 1, 1, 1)) / self.spread.view(1, -1, 1, 1, 1) * tissue
        return torch.cat([centred, tissue.amax(dim=1, keepdim=True)], dim=1)

    def _embedding(self, availability: Tensor, height: Tensor) -> Tensor:
        embedding: Tensor = self.embed(torch.cat([availability, height[:, None].to(availability.dtype)], dim=1))
        return embedding

    def _restore(self, relative: Tensor) -> Tensor:
        return relative.float() * self.spread.view(1, -1, 1, 1) + self.level.view(1, -1, 1, 1)


class VoxelPath(nn.Module):
    """A perceptron on each voxel: its intensities, their mean over neighbouring slices, and over two neighbourhoods."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear((NUM_CONTRASTS + 1) * (2 + len(NEIGHBOURHOODS_VOXELS)), width), nn.Linear(width, width)]
        )
        self.conditions = nn.ModuleList(nn.Linear(EMBEDDING_WIDTH, 2 * width) for _ in self.layers)
        self.last = nn.Linear(width, NUM_CONTRASTS)

    def forward(self, inputs: Tensor, embedding: Tensor) -> Tensor:
        """``(B, 6, N, H, W)`` and ``(B, EMBEDDING_WIDTH)`` to ``(B, 5, H, W)``."""
        views = self.views(inputs).permute(0, 2, 3, 1)
        return self.perceptron(views, embedding[:, None, None]).permute(0, 3, 1, 2)

    def perceptron(self, views: Tensor, embedding: Tensor) -> Tensor:
        """``(..., 24)`` and ``(..., EMBEDDING_WIDTH)`` to ``(..., 5)``: what one voxel becomes."""
        hidden = views
        for layer, condition in zip(self.layers, self.conditions, strict=True):
            scale, shift = condition(embedding).chunk(2, dim=-1)
            hidden = functional.leaky_relu(torch.addcmul(shift, layer(hidden), 1.0 + scale), LEAKY_SLOPE)
        result: Tensor = self.last(hidden)
        return result

    @staticmethod
    def views(inputs: Tensor) -> Tensor:
        """What a voxel knows ``(B, 24, H, W)``: each of 6 channels in the slice, over slices, over 4 and 12 voxels."""
        middle = inputs[:, :, inputs.shape[2] // 2]
        views = [middle, inputs.mean(dim=2)]
        for size in NEIGHBOURHOODS_VOXELS:
            pooled = functional.avg_pool2d(middle, size, ceil_mode=True, count_include_pad=False)
            tissue = pooled[:, -1:].clamp(min=0.05)  # means over tissue, not over background
            means = functional.interpolate(pooled / tissue, scale_factor=size, mode="bilinear", align_corners=False)
            views.append(means[..., : middle.shape[-2], : middle.shape[-1]])
        return torch.cat(views, dim=1)


class ConditionedHead(nn.Module):
    """Two convolutions at full resolution that end in one channel per contrast."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(EMBEDDING_WIDTH, 2 * channels)
        self.last = nn.Conv2d(channels, NUM_CONTRASTS, 3, padding=1)
        # What lies around corrects the voxel path, from nothing on.
        for values in (*self.modulation.parameters(), *self.last.parameters()):
            nn.init.zeros_(values)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to ``(B, 5, H, W)``."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift, self.first(features), 1.0 + scale)
        result: Tensor = self.last(functional.leaky_relu(hidden, LEAKY_SLOPE))
        return result


def _without_mean(correction: Tensor, tissue: Tensor) -> Tensor:
    mean = (correction * tissue).sum((2, 3), keepdim=True) / tissue.sum((2, 3), keepdim=True).clamp(min=1)
    return correction - mean


def _level(in_channels: int, out_channels: int, num_blocks: int) -> nn.ModuleList:
    channels = [in_channels] + [out_channels] * num_blocks
    return nn.ModuleList(ConditionedBlock(channels[i], channels[i + 1]) for i in range(num_blocks))


def _run(blocks: nn.Module, features: Tensor, embedding: Tensor) -> Tensor:
    for block in blocks.children():
        features = block(features, embedding)
    return features
