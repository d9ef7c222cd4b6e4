"""What guides super-resolution at each scale: features of the synthesis, coarse to fine.

System C takes the decoder features of its own synthesis module (METHODS 3.2, stated). A generator without such a
pyramid, as our U-Net, is guided by a small encoder of its synthetic image and of the sources, and, where wanted, of
what the acquisition hides of both (proposals).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

LEAKY_SLOPE = 0.1


class Guide(nn.Module, ABC):
    """Makes features of given widths at strides ..., 4, 2, 1."""

    @abstractmethod
    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """Guide features.

        Args:
            images: What is known at full resolution, ``(B, C, H, W)``, centred on tissue; zero where a contrast is
                missing.
            pyramid: The generator's own features, coarse to fine, the last at full resolution; may be empty.

        Returns:
            Coarse to fine; the last ``(B, C, H, W)``, each before it half the size.
        """


class EncodedGuide(Guide):
    """A small U-Net on what is known at full resolution; every scale sees what the coarser ones know."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        """Make the layers; ``widths`` are coarse to fine."""
        super().__init__()
        fine_to_coarse = widths[::-1]
        self.stem = _convolution(in_channels, fine_to_coarse[0])
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(fine_to_coarse))
        self.encode = nn.ModuleList(_convolution(width, width) for width in fine_to_coarse[1:])
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in pairwise(widths))
        self.decode = nn.ModuleList(_convolution(2 * width, width) for width in widths[1:])

    def forward(self, images: Tensor, pyramid: Sequence[Tensor] = ()) -> list[Tensor]:
        """See :meth:`Guide.forward`; ``pyramid`` is not looked at."""
        encoded = [self.stem(images)]
        for down, encode in zip(self.down, self.encode, strict=True):
            encoded.append(encode(down(encoded[-1])))
        guides = [encoded.pop()]
        for up, decode in zip(self.up, self.decode, strict=True):
            guides.append(decode(torch.cat([up(guides[-1]), encoded.pop()], dim=1)))
        return guides


class PyramidGuide(Guide):
    """The generator's own pyramid, its finest maps; 1x1 convolutions where widths differ."""

    def __init__(self, pyramid_widths: tuple[int, ...], widths: tuple[int, ...]) -> None:
        """Make the layers.

        Args:
            pyramid_widths: Channels of the generator's maps, coarse to fine; at least as many as ``widths``.
            widths: Channels wanted, coarse to fine.
        """
        super().__init__()
        self.project = nn.ModuleList(
            nn.Identity() if given == wanted else nn.Conv2d(given, wanted, 1)
            for given, wanted in zip(pyramid_widths[-len(widths) :], widths, strict=True)
        )

    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """See :meth:`Guide.forward`; only ``pyramid`` is looked at."""
        finest = pyramid[-len(self.project) :]
        return [project(features) for project, features in zip(self.project, finest, strict=True)]


def _convolution(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE))
