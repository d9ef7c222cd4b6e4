"""The registration U-Net that RegGAN and FGDL share; here the body of student, teacher and label correction.

METHODS 1.3 (stated). It starts as the identity: its flow head has weights of 1e-5 and no bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.networks.warp import integrate_velocity

LEAKY_SLOPE = 0.2
FLOW_HEAD_SPREAD = 1e-5
NUM_FEATURE_LEVELS = 3
"""Decoder levels whose features are handed out for distillation, the finest ones."""


class RegistrationUNetParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size of a :class:`RegistrationUNet`; stored in the model card.

    Attributes:
        widths: Channels at the full resolution, 1/2, 1/4, ...; each level ends in one pooling. At least three.
        bottleneck_width: Channels of the bottleneck's residual blocks.
        num_bottleneck_blocks: Residual blocks there.
        max_flow_voxels: No displacement is longer than this along rows or columns (proposal of METHODS 9.1).
        diffeomorphic: Whether the head gives a velocity that is integrated, so that nothing folds (proposal of METHODS
            9.1); the papers take the flow as it is.
    """

    widths: tuple[int, ...]
    bottleneck_width: int
    num_bottleneck_blocks: int
    max_flow_voxels: float
    diffeomorphic: bool

    def __post_init__(self) -> None:
        if len(self.widths) < NUM_FEATURE_LEVELS or min(self.widths) < 1:
            raise ValueError(f"widths must be {NUM_FEATURE_LEVELS} or more positive numbers, got {self.widths}")
        if min(self.bottleneck_width, self.num_bottleneck_blocks) < 1:
            raise ValueError("bottleneck_width and num_bottleneck_blocks must be 1 or more")
        if not self.max_flow_voxels > 0:
            raise ValueError(f"max_flow_voxels must be positive, got {self.max_flow_voxels}")

    @property
    def min_size(self) -> int:
        """Smallest height and width: mirror padding and instance norm need two voxels in the bottleneck."""
        return int(2 ** (len(self.widths) + 1))

    @property
    def feature_widths(self) -> tuple[int, ...]:
        """Channels of the features that :class:`RegistrationUNet` hands out, coarse to fine."""
        return _decoder_widths(self.widths)[-NUM_FEATURE_LEVELS:]


@dataclass(frozen=True)
class RegistrationOutput:
    """What a :class:`RegistrationUNet` found.

    Attributes:
        flow: ``(B, 2, H, W)`` float32, rows and columns, in voxels.
        features: Decoder features at 1/4, 1/2 and the full resolution, ``(B, C, h, w)`` each.
        head_features: ``(B, widths[0], H, W)``, what the flow head reads; for further heads.
    """

    flow: Tensor
    features: tuple[Tensor, ...]
    head_features: Tensor


class ResidualBlock(nn.Module):
    """conv - instance norm - ReLU - conv - instance norm, added to its input; mirrored borders, no affine norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        """``(B, width, h, w)`` to the same shape; h and w at least 2."""
        hidden = functional.relu(functional.instance_norm(self.first(features)))
        return features + functional.instance_norm(self.second(hidden))


class RegistrationUNet(nn.Module):
    """Concatenated images in, a flow and decoder features out.

    References:
        L. Kong et al. Breaking the Dilemma of Medical Image-to-image Translation. NeurIPS 2021 (RegGAN). METHODS 1.3;
        2.06 million parameters for two input channels at the published widths, as measured there. METHODS asks for 128
        voxels at seven poolings; with mirror padding in the bottleneck it takes 256.
    """

    def __init__(self, in_channels: int, parameters: RegistrationUNetParameters) -> None:
        super().__init__()
        self.size = parameters
        widths, deep = parameters.widths, parameters.bottleneck_width
        channels = (in_channels, *widths)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE), ResidualBlock(after))
            for before, after in pairwise(channels)
        )
        self.bottleneck = nn.Sequential(
            nn.Conv2d(widths[-1], deep, 1),
            nn.LeakyReLU(LEAKY_SLOPE),
            *(ResidualBlock(deep) for _ in range(parameters.num_bottleneck_blocks)),
            nn.Conv2d(deep, widths[-1], 1),
            nn.LeakyReLU(LEAKY_SLOPE),
        )
        decoder = (widths[-1], *_decoder_widths(widths))
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before + skip, after, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE))
            for (before, after), skip in zip(pairwise(decoder), reversed(widths), strict=True)
        )
        self.refine = nn.Sequential(
            ResidualBlock(widths[0]), nn.Conv2d(widths[0], widths[0], 1), nn.LeakyReLU(LEAKY_SLOPE)
        )
        self.flow_head = nn.Conv2d(widths[0], 2, 3, padding=1)
        self.apply(_initialize)
        nn.init.normal_(self.flow_head.weight, std=FLOW_HEAD_SPREAD)

    def forward(self, images: Tensor) -> RegistrationOutput:
        """Find the flow.

        Args:
            images: ``(B, in_channels, H, W)``, about 0..1; H and W at least ``min_size`` of the parameters.

        Raises:
            ValueError: If the slices are too small for this many poolings.
        """
        size = self.size
        if min(images.shape[-2:]) < size.min_size:
            raise ValueError(
                f"slices of {tuple(images.shape[-2:])} voxels are too small for {len(size.widths)} poolings: "
                f"at least {size.min_size} are needed"
            )
        features, skips = images, []
        for level in self.down:
            features = level(features)
            skips.append(features)
            features = functional.max_pool2d(features, 2)
        features, decoded = self.bottleneck(features), []
        for level, skip in zip(self.up, reversed(skips), strict=True):
            features = functional.interpolate(features, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            features = level(torch.cat([features, skip], dim=1))
            decoded.append(features)
        features = self.refine(features)
        # Displacements need float32 even where the convolutions run in bfloat16 (8 bits: 1/32 voxel at 8 voxels).
        # The head counts in voxels, so that the cap does not change how far an untrained network moves.
        flow = size.max_flow_voxels * torch.tanh(self.flow_head(features).float() / size.max_flow_voxels)
        if size.diffeomorphic:
            flow = integrate_velocity(flow)
        return RegistrationOutput(flow, tuple(decoded[-NUM_FEATURE_LEVELS:]), features)


def _decoder_widths(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Channels of the decoder from coarse to fine: as wide as the encoder at the same resolution."""
    return tuple(reversed(widths))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=LEAKY_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
