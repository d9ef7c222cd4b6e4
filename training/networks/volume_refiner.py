"""A small 3-D network behind a finished translation, against brightness that jumps from slice to slice.

METHODS 9.4 (proposal): KAIST's entry to BraSyn 2024 refined the volume in 3-D against stripes (stated there; layers are
not published). Ours predicts one correction that is smooth in plane, so that it mends the level of slices and leaves
texture alone; it is bounded and starts at zero, so that an untrained refiner changes nothing. Convolutions are split
into one in plane and one across slices (D. Tran et al. A closer look at spatiotemporal convolutions. CVPR 2018), at a
third of the cost.

Training only: a bundle holds generators that work slice by slice, so what this gains is measured
(``training.refined_volume``) and not shipped.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.contrast import Contrast

LEAKY_SLOPE = 0.1
LEVEL, SPREAD = 0.55, 0.18
"""Typical mean and standard deviation of any contrast inside the brain, by which inputs are centred."""
NUM_IMAGES = 1 + len(Contrast)
"""The synthetic volume and the sources."""
IN_CHANNELS = 2 * NUM_IMAGES + 1 + 2 * len(Contrast)
"""Images, the mean of each in its slice, the share of brain, and as constant planes availability and target code."""
MIN_BRAIN_SHARE = 1e-3


class VolumeRefinerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size of a :class:`VolumeRefiner`.

    Attributes:
        width: Channels.
        num_blocks: Residual blocks of two convolutions.
        kernel_slices: Slices that one convolution sees, odd; 3 voxels of the coarse grid in plane.
        in_plane_stride: Voxels along rows and columns that share one value of the coarse grid; 1 corrects every voxel.
        max_correction: Largest change of brightness, 0..1 units.
    """

    width: int
    num_blocks: int
    kernel_slices: int
    in_plane_stride: int
    max_correction: float

    def __post_init__(self) -> None:
        if min(self.width, self.num_blocks, self.in_plane_stride) < 1:
            raise ValueError("width, num_blocks and in_plane_stride must be 1 or more")
        if self.kernel_slices < 1 or self.kernel_slices % 2 == 0:
            raise ValueError(f"kernel_slices must be odd and positive, got {self.kernel_slices}")
        if not 0 < self.max_correction <= 1:
            raise ValueError(f"max_correction must be in (0, 1], got {self.max_correction}")


class VolumeRefiner(nn.Module):
    """Synthetic volume and sources in, the volume with a smooth correction out; any number of slices, any size."""

    def __init__(self, parameters: VolumeRefinerParameters) -> None:
        super().__init__()
        self.size = parameters
        width = parameters.width
        self.stem = SplitConvolution(IN_CHANNELS, width, parameters.kernel_slices)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                SplitConvolution(width, width, parameters.kernel_slices),
                nn.LeakyReLU(LEAKY_SLOPE),
                SplitConvolution(width, width, parameters.kernel_slices),
            )
            for _ in range(parameters.num_blocks)
        )
        self.head = nn.Conv2d(width, 1, 1)
        for values in self.head.parameters():
            nn.init.zeros_(values)

    def forward(
        self, synthetic: Tensor, sources: Tensor, availability: Tensor, target_code: Tensor, brain: Tensor
    ) -> Tensor:
        """Refine volumes of one contrast each.

        Args:
            synthetic: ``(B, 1, S, H, W)``, neighbouring slices of the translation, 0..1.
            sources: ``(B, 5, S, H, W)``, 0..1; missing contrasts may hold anything.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            target_code: ``(B, 5)``, 1 for the contrast of ``synthetic``, else 0.
            brain: ``(B, 1, S, H, W)``, 0/1.

        Returns:
            ``(B, 1, S, H, W)``, not clipped; ``synthetic`` itself outside the brain.

        Raises:
            ValueError: If synthetic image, sources and brain are not of one grid.
        """
        if not synthetic.shape[2:] == sources.shape[2:] == brain.shape[2:] or synthetic.ndim != 5:
            raise ValueError(
                f"synthetic {tuple(synthetic.shape)}, sources {tuple(sources.shape)} and brain {tuple(brain.shape)} "
                "must be volumes of one grid"
            )
        given = torch.where(availability[:, :, None, None, None] > 0, sources, torch.zeros_like(sources))
        features = functional.leaky_relu(
            self.stem(self._seen(synthetic, given, availability, target_code, brain)), LEAKY_SLOPE
        )
        for block in self.blocks:
            features = functional.leaky_relu(features + block(features), LEAKY_SLOPE)
        coarse = self.size.max_correction * torch.tanh(self.head(features.flatten(3)).float()).view_as(features[:, :1])
        return synthetic + _enlarged(coarse, synthetic.shape) * brain

    def _seen(
        self, synthetic: Tensor, sources: Tensor, availability: Tensor, target_code: Tensor, brain: Tensor
    ) -> Tensor:
        """What the convolutions read, ``(B, IN_CHANNELS, S, h, w)``: means over the brain voxels of each coarse one."""
        images = torch.cat([synthetic, sources], dim=1)
        present = functional.pad(availability, (1, 0), value=1.0)[:, :, None, None, None]  # the synthetic image always
        share = _pooled(brain, self.size.in_plane_stride)
        means = _pooled(images * brain, self.size.in_plane_stride) / share.clamp(min=MIN_BRAIN_SHARE)
        count = brain.sum(dim=(3, 4), keepdim=True).clamp(min=1)
        of_slice = ((images * brain).sum(dim=(3, 4), keepdim=True) / count).expand_as(means)
        tissue = (share > 0) * present
        levels = [(values - LEVEL) / SPREAD * tissue for values in (means, of_slice)]
        route = torch.cat([availability, target_code], dim=1).to(share)[:, :, None, None, None]
        return torch.cat([*levels, share, route.expand(-1, -1, *share.shape[2:])], dim=1)


class SplitConvolution(nn.Module):
    """A 3x3 convolution of each slice, then one across slices at each place; zeros beyond the volume."""

    def __init__(self, in_channels: int, out_channels: int, kernel_slices: int) -> None:
        super().__init__()
        self.in_plane = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.across = nn.Conv2d(out_channels, out_channels, (kernel_slices, 1), padding=(kernel_slices // 2, 0))

    def forward(self, features: Tensor) -> Tensor:
        """``(B, in_channels, S, h, w)`` to ``(B, out_channels, S, h, w)``."""
        batch, _, count, height, width = features.shape
        planes = self.in_plane(features.transpose(1, 2).flatten(0, 1))
        volumes = planes.view(batch, count, -1, height * width).transpose(1, 2)
        result: Tensor = self.across(volumes.contiguous())
        return result.view(batch, -1, count, height, width)


def _pooled(volume: Tensor, stride: int) -> Tensor:
    """Means over ``stride`` x ``stride`` voxels in plane; what reaches over the border is counted as background."""
    rows, columns = (-length % stride for length in volume.shape[-2:])
    return functional.avg_pool3d(functional.pad(volume, (0, columns, 0, rows)), (1, stride, stride))


def _enlarged(coarse: Tensor, shape: torch.Size) -> Tensor:
    """A coarse volume ``(B, 1, S, h, w)``, bilinear in plane, on the grid ``(..., S, H, W)`` that it comes from."""
    height, width = shape[-2:]
    batch, _, count, rows, columns = coarse.shape
    stride = -(-height // rows)
    planes = functional.interpolate(
        coarse.reshape(batch * count, 1, rows, columns), scale_factor=float(stride), mode="bilinear"
    )
    return planes[..., :height, :width].reshape(batch, 1, count, height, width)
