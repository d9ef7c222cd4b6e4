"""What every generator is told, made ready for a network: centred sources, availability, height.

Shared by the adapters of networks that know nothing about missing contrasts. The target code is no input of those that
predict every contrast in one pass: in training several contrasts are wanted at once and in use one, and a network that
saw the code would meet codes in use that it has hardly met in training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.generator import SourceSlices
from MRTranslateLib.networks.unet import NUM_CONTRASTS, TYPICAL_LEVEL, TYPICAL_SPREAD

EMBEDDING_WIDTH = 64


class SourceConditioning(nn.Module):
    """Turns :class:`SourceSlices` into the channels of a plain image-to-image network; has no weights.

    Intensities are centred by the typical level and spread of their contrast, as in the 2.5D U-Net and for its reason:
    without it the step from background to brain drowns the contrast between tissues. What lies in an unavailable
    contrast, were it NaN, is never read.

    Attributes:
        num_source_channels: Channels of :meth:`sources`.
        num_channels: Channels of the module's result.
    """

    level: Tensor
    spread: Tensor

    def __init__(self, num_neighbours: int, size_multiple: int) -> None:
        super().__init__()
        self.num_neighbours, self.size_multiple = num_neighbours, size_multiple
        self.num_source_channels = (NUM_CONTRASTS + 1) * num_neighbours
        self.num_channels = self.num_source_channels + NUM_CONTRASTS + 1
        self.register_buffer("level", torch.tensor(TYPICAL_LEVEL).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(TYPICAL_SPREAD).view(1, -1, 1, 1), persistent=False)

    def forward(self, slices: SourceSlices) -> Tensor:
        """Sources, and availability and height as constant planes: ``(B, num_channels, H, W)``."""
        sources = self.sources(slices)
        numbers = torch.cat([slices.availability, slices.height[:, None]], dim=1).to(sources.dtype)
        planes = numbers[:, :, None, None].expand(-1, -1, *sources.shape[-2:])
        return torch.cat([sources, planes], dim=1)

    def sources(self, slices: SourceSlices) -> Tensor:
        """Centred intensities, 0 where a contrast has no tissue, and tissue masks: ``(B, num_source_channels, H, W)``.

        Raises:
            ValueError: If the slices are not as many, or not of a size, as the generator asks for.
        """
        images, tissue = self._given(slices)
        centred = (images - self.level[:, :, None]) / self.spread[:, :, None] * tissue
        return torch.cat([centred, tissue.amax(dim=1, keepdim=True)], dim=1).flatten(1, 2)

    def tissue(self, slices: SourceSlices) -> Tensor:
        """1 where any available contrast of the middle slice is above zero: ``(B, 1, H, W)``."""
        _, tissue = self._given(slices)
        return tissue[:, :, self.num_neighbours // 2].amax(dim=1, keepdim=True)

    def numbers(self, slices: SourceSlices) -> Tensor:
        """Availability, height, and each contrast's mean over its tissue, centred: ``(B, 11)``."""
        images, tissue = (values[:, :, self.num_neighbours // 2] for values in self._given(slices))
        centred = (images - self.level) / self.spread * tissue
        means = centred.sum((2, 3)) / tissue.sum((2, 3)).clamp(min=1)
        return torch.cat([slices.availability.to(means.dtype), slices.height[:, None].to(means.dtype), means], dim=1)

    def relative(self, images: Tensor) -> Tensor:
        """``(B, 5, H, W)`` in 0..1 to units of the typical spread around the typical level."""
        return (images - self.level) / self.spread

    def restore(self, relative: Tensor) -> Tensor:
        """The inverse of :meth:`relative`, float32."""
        return relative.float() * self.spread + self.level

    def _given(self, slices: SourceSlices) -> tuple[Tensor, Tensor]:
        """Available images, zeros elsewhere, and 1 where they show tissue; both ``(B, 5, N, H, W)``."""
        number, height, width = slices.images.shape[2:]
        if number != self.num_neighbours or height % self.size_multiple or width % self.size_multiple:
            raise ValueError(
                f"this generator takes {self.num_neighbours} slices per contrast with sides that are multiples of "
                f"{self.size_multiple}, got {number} of {height} x {width}"
            )
        given = slices.availability[:, :, None, None, None] > 0
        images = torch.where(given, slices.images, 0.0)
        return images, (images > 0).to(images.dtype)


class ConditionEmbedding(nn.Sequential):
    """:meth:`SourceConditioning.numbers` ``(B, 11)`` to a vector ``(B, EMBEDDING_WIDTH)`` that modulates features."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(2 * NUM_CONTRASTS + 1, EMBEDDING_WIDTH), nn.SiLU(), nn.Linear(EMBEDDING_WIDTH, EMBEDDING_WIDTH)
        )
