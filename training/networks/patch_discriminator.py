"""The coarse patch discriminator D_c of system C: was this target moved by label correction or not?

METHODS 3.2: layers and parameter count stated by the official code. What differs: group instead of batch normalisation.
Slices come one to a few at a time, so batch statistics are noise that ties slices to each other; and a moved target,
smoothed by interpolation, would be told by the statistics of its batch instead of by its looks.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from MRTranslateLib.networks.unet import NUM_GROUPS

FULL_WIDTH = 64
"""Width of the published network."""
STRIDE_VOXELS = 16
LEAKY_SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """Four pairs of 3 x 3 convolutions, the second of each with stride 2; one logit for every 16 x 16 voxels.

    It sees no sources: it is to compare how sharp targets look, not where they lie.

    Args:
        width: Channels of the first pair, a multiple of 8; 64 in the published network (4.69 M parameters).
    """

    def __init__(self, width: int = FULL_WIDTH) -> None:
        if width < NUM_GROUPS or width % NUM_GROUPS:
            raise ValueError(f"width must be a multiple of {NUM_GROUPS}, got {width}")
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((1, width, 2 * width, 4 * width, 8 * width)):
            layers += [nn.Conv2d(before, after, 3, padding=1)]
            layers += [nn.GroupNorm(NUM_GROUPS, after)] if before > 1 else []  # not on the very first
            layers += [nn.LeakyReLU(LEAKY_SLOPE)]
            layers += [nn.Conv2d(after, after, 3, stride=2, padding=1), nn.GroupNorm(NUM_GROUPS, after)]
            layers += [nn.LeakyReLU(LEAKY_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Judge a target slice.

        Args:
            image: ``(B, 1, H, W)``, 0..1, any size.

        Returns:
            Logits ``(B, 1, ceil(H / 16), ceil(W / 16))``, positive where it looks unmoved.

        Raises:
            ValueError: If it has another shape.
        """
        if image.ndim != 4 or image.shape[1] != 1:
            raise ValueError(f"image must be (B, 1, H, W), got {tuple(image.shape)}")
        logits: Tensor = self.layers(image)
        return logits
