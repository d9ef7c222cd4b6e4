"""The difference-projection discriminator D_p of system C: real at three scales, given what the sources cannot explain.

METHODS 3.2 and 3.3: layers and parameter count stated by the official code, written anew from that description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

FULL_WIDTH = 64
"""Width of the published network."""
MIN_SIZE_VOXELS = 33
"""Below, the fifth level is a single value and instance normalisation has nothing to normalise."""
NUM_SCALES = 3
LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class ProjectionJudgement:
    """What D_p says of a batch.

    Attributes:
        logits: Finest first, ``(B, 1, h, w)`` at strides 4, 8 and 16, positive where it looks real.
        features: Encoder levels 2 to 5, at strides 4 to 32, for feature matching.
    """

    logits: tuple[Tensor, ...]
    features: tuple[Tensor, ...]


class DifferenceProjectionDiscriminator(nn.Module):
    """A feature pyramid whose logits are shifted by the product of its features with the embedded difference.

    ``logit = conv(f) + <embed(D_inf), conv(f)>`` at every position and scale; the heads are shared by the scales.

    Args:
        width: Channels of the first level, even; 64 in the published network (5.17 M parameters).

    References:
        T. Miyato, M. Koyama. cGANs with Projection Discriminator. ICLR 2018. arXiv:1802.05637.
        X. Liu et al. Learning to Predict Layout-to-image Conditional Convolutions. NeurIPS 2019: the pyramid.
    """

    def __init__(self, width: int = FULL_WIDTH) -> None:
        if width < 2 or width % 2:
            raise ValueError(f"width must be even and positive, got {width}")
        super().__init__()
        widths = (1, width, 2 * width, 4 * width, 8 * width, 8 * width)
        self.encoder = nn.ModuleList(_level(before, after) for before, after in pairwise(widths))
        self.lateral = nn.ModuleList(nn.Conv2d(channels, 4 * width, 1) for channels in widths[2:])
        self.smooth = nn.ModuleList(nn.Conv2d(4 * width, 2 * width, 3, padding=1) for _ in range(NUM_SCALES))
        self.plain = nn.Conv2d(2 * width, 1, 1)
        self.projected = nn.Conv2d(2 * width, 2 * width, 1)
        self.embed = nn.Conv2d(1, 2 * width, 1)

    def forward(self, image: Tensor, difference: Tensor) -> ProjectionJudgement:
        """Judge a real or synthetic target slice.

        Args:
            image: ``(B, 1, H, W)``, 0..1, background 0 in real and synthetic alike; H and W at least 33.
            difference: D_inf, ``(B, 1, H, W)``: real target minus synthesis from the sources alone. It is detached
                here: the release lets the generator's gradient into it (METHODS 3.5), so that a generator could move
                the question instead of the answer.

        Raises:
            ValueError: If the shapes differ or the slice is too small.
        """
        if image.ndim != 4 or image.shape[1] != 1 or image.shape != difference.shape:
            raise ValueError(
                f"image and difference must both be (B, 1, H, W), got {tuple(image.shape)} and "
                f"{tuple(difference.shape)}"
            )
        if min(image.shape[2:]) < MIN_SIZE_VOXELS:
            raise ValueError(f"slices must be {MIN_SIZE_VOXELS} voxels wide or more, got {tuple(image.shape[2:])}")
        features, current = [], image
        for level in self.encoder:
            current = level(current)
            features.append(current)
        condition = self.embed(difference.detach())
        pyramid = self._pyramid(features[1:])
        logits = tuple(
            self._logit(smooth(level), condition) for smooth, level in zip(self.smooth, pyramid, strict=True)
        )
        return ProjectionJudgement(logits, tuple(features[1:]))

    def _pyramid(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Sums from coarse to fine at strides 4, 8 and 16, finest first."""
        current, levels = self.lateral[-1](features[-1]), []
        for index in reversed(range(NUM_SCALES)):
            size = features[index].shape[2:]
            enlarged = functional.interpolate(current, size=size, mode="bilinear", align_corners=False)
            current = self.lateral[index](features[index]) + enlarged
            levels.append(current)
        return levels[::-1]

    def _logit(self, features: Tensor, condition: Tensor) -> Tensor:
        height, width = features.shape[2:]
        pooled = functional.adaptive_avg_pool2d(condition, (height, width))
        logit: Tensor = self.plain(features) + (pooled * self.projected(features)).sum(dim=1, keepdim=True)
        return logit


def _level(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)),
        nn.InstanceNorm2d(out_channels),
        nn.LeakyReLU(LEAKY_SLOPE),
    )
