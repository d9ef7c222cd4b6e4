"""The attacker's own small networks: a U-Net (perturbation generator and substitute) and a patch discriminator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.2


class SmallUNet(nn.Module):
    """3x3 convolutions, leaky ReLU, max-pooling down, bilinear up; the head sees the input as well.

    Args:
        in_channels: Of the input.
        out_channels: Of the output, linear.
        widths: Channels per level; 32, 64, 128, 256 in METHODS 1.6, A3.
        normalize: Instance normalisation after each convolution, as METHODS has it for the perturbation generator. It
            takes away how bright the whole slice is, which a network that imitates a translation has to know.
    """

    def __init__(self, in_channels: int, out_channels: int, widths: tuple[int, ...], *, normalize: bool) -> None:
        super().__init__()
        down, up = pairwise((in_channels, *widths)), pairwise(reversed(widths))
        self.down = nn.ModuleList(_block(before, after, normalize) for before, after in down)
        self.up = nn.ModuleList(_block(below + beside, beside, normalize) for below, beside in up)
        self.head = nn.Conv2d(widths[0] + in_channels, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``; any size of at least 2 per level."""
        skips = []
        features = images
        for level, block in enumerate(self.down):
            features = block(functional.max_pool2d(features, 2) if level else features)
            skips.append(features)
        skips.pop()
        for block in self.up:
            skip = skips.pop()
            above = functional.interpolate(features, skip.shape[-2:], mode="bilinear", align_corners=False)
            features = block(torch.cat([above, skip], dim=1))
        result: Tensor = self.head(torch.cat([features, images], dim=1))
        return result


class PatchDiscriminator(nn.Module):
    """Three strided convolutions to a map of scores; LSGAN, so no sigmoid.

    Args:
        in_channels: Of the input.
        width: Channels of the first layer.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, 2, 1),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, 1, H/4 - 1, W/4 - 1)``."""
        result: Tensor = self.layers(images)
        return result


def _block(in_channels: int, out_channels: int, normalize: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers.append(nn.Conv2d(channels, out_channels, 3, padding=1))
        if normalize:
            layers.append(nn.InstanceNorm2d(out_channels))
        layers.append(nn.LeakyReLU(LEAKY_SLOPE))
    return nn.Sequential(*layers)
