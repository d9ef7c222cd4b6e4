"""ResNet-9, the generator of CycleGAN, RegGAN and pGAN, for any subset of contrasts.

Layers as published: 7x7, two strided convolutions, nine residual blocks at a quarter of the resolution, two transposed
convolutions, 7x7; reflection padding, instance normalisation. Ours are the 2.5D input, a linear head (intensities are
not clipped) and the condition. Instance normalisation removes whatever is constant over a slice, and with it planes
that hold availability or height, and the brightness that tells the scanner. They therefore come back after each
normalisation as scale and shift, predicted from an embedding: conditional instance normalisation (Dumoulin et al.,
ICLR 2017).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.networks.conditioning import EMBEDDING_WIDTH, ConditionEmbedding, SourceConditioning
from MRTranslateLib.networks.generator import Generator, GeneratorParameters, SourceSlices, Truth
from MRTranslateLib.networks.unet import NUM_CONTRASTS

NUM_BLOCKS = 9
SIZE_MULTIPLE = 4


class ResNetParameters(GeneratorParameters, frozen=True, kw_only=True):
    """Size of a ResNet-9.

    Attributes:
        width: Channels at full resolution, 64 as published; 2 and 4 times as many at 1/2 and 1/4.
    """

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be 1 or more, got {self.width}")


class ConditionalInstanceNorm(nn.Module):
    """Instance normalisation whose scale and shift come from the condition; at first the plain one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.modulation = nn.Linear(EMBEDDING_WIDTH, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """``(B, channels, H, W)`` and ``(B, EMBEDDING_WIDTH)`` to ``(B, channels, H, W)``."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = self.norm(features) * (1.0 + scale) + shift
        return result


class NormedConvolution(nn.Module):
    """A convolution without bias, which normalisation would remove, then conditional instance normalisation."""

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, ConditionalInstanceNorm(convolution.out_channels)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Features of the convolution's input size to its output size; no activation."""
        result: Tensor = self.norm(self.convolution(features), embedding)
        return result


class ResidualBlock(nn.Module):
    """Two normed 3x3 convolutions with ReLU between, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = NormedConvolution(_reflecting(channels, channels, 3))
        self.second = NormedConvolution(_reflecting(channels, channels, 3))

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """``(B, channels, H, W)`` and ``(B, EMBEDDING_WIDTH)`` to ``(B, channels, H, W)``."""
        result: Tensor = features + self.second(functional.relu(self.first(features, embedding)), embedding)
        return result


class ResNetGenerator(Generator):
    """ResNet-9 behind the adapter; it predicts all contrasts in one pass, whatever the code."""

    def __init__(self, parameters: ResNetParameters) -> None:
        super().__init__()
        self.num_neighbours, self.size_multiple = parameters.num_neighbours, SIZE_MULTIPLE
        self.conditioning = SourceConditioning(self.num_neighbours, SIZE_MULTIPLE)
        self.embed = ConditionEmbedding()
        width = parameters.width
        self.down = nn.ModuleList(
            [
                NormedConvolution(_reflecting(self.conditioning.num_source_channels, width, 7)),
                NormedConvolution(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)),
                NormedConvolution(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False)),
            ]
        )
        self.blocks = nn.ModuleList(ResidualBlock(4 * width) for _ in range(NUM_BLOCKS))
        self.up = nn.ModuleList([NormedConvolution(_doubling(4 * width)), NormedConvolution(_doubling(2 * width))])
        self.head = nn.Conv2d(width, NUM_CONTRASTS, 7, padding=3, padding_mode="reflect")

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`; ``target_code`` selects channels afterwards and costs nothing here."""
        features = self.conditioning.sources(slices)
        embedding = self.embed(self.conditioning.numbers(slices))
        for layer in self.down:
            features = functional.relu(layer(features, embedding))
        for block in self.blocks:
            features = block(features, embedding)
        for layer in self.up:
            features = functional.relu(layer(features, embedding))
        return self.conditioning.restore(self.head(features))


def _reflecting(in_channels: int, out_channels: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, size, padding=size // 2, padding_mode="reflect", bias=False)


def _doubling(channels: int) -> nn.ConvTranspose2d:
    """Twice the side, half the channels."""
    return nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1, bias=False)
