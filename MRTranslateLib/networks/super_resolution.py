"""System C's super-resolution branch: a target acquired at low resolution, guided by what was synthesised.

Layers: METHODS 3.2 (stated by system C's official code). Its sizes there, 6.9 / 22.5 / 80 M parameters at ratio 2 / 4 /
8, are met when queries, keys and values of the deformable attention come from one dense deformable 3x3 convolution.

What differs (proposals): one model may serve several ratios (a shared trunk, entered at the stride of the ratio); a
target that was re-gridded to the full grid (ratio 1, any spacing, thick slices) enters at every stride; the voxel size
of the acquisition is an input; neighbouring slices are seen; it may be told which contrast it is and what the same
acquisition would have hidden of the sources, for details lie at the same places in every contrast. The result is
``yhat + up(y_LR - down(yhat)) + branch``, and the branch starts at nothing: it begins with the synthetic image yhat,
made to agree with what was acquired. Images are of brains without surroundings, which large voxels at the border mix
with nothing; ``up`` divides by the share of brain. With ``starts_from: nothing`` the branch makes the whole image, as
stated; here from the typical level of tissue.

An infinite ratio has no branch at all: it is the generator's own translation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.deformable_convolution import DeformableConv2d
from MRTranslateLib.networks.dense_block import ResidualDenseBlock
from MRTranslateLib.networks.generator import Generator, SourceSlices
from MRTranslateLib.networks.guide import EncodedGuide, Guide, PyramidGuide
from MRTranslateLib.networks.low_resolution_target import LowResolutionTarget, SeenOfBrain, seen_of_brain
from MRTranslateLib.networks.modulation import IncrementalModulation, distinction_map
from MRTranslateLib.networks.restormer import RestormerBlock

LEAKY_SLOPE = 0.2
LEVEL, SPREAD = 0.55, 0.18
"""Typical mean and standard deviation of any contrast inside the brain. What the layers read is centred by them: else
the step from background to brain drowns the contrast between tissues, as it did in the U-Net."""
HIDDEN_SPREAD = 0.06
"""Typical standard deviation of what an acquisition hides of a contrast."""
CONDITION_CHANNELS = 2 * len(Contrast) + 5
"""What was acquired, what it hides of the synthetic image and of the sources, which contrast it is, the voxel size."""
EXTRA_CHANNELS = 4
"""Beside the slices: what they show the synthetic image to lack, and the voxel size."""


class SuperResolutionParameters(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Size of a :class:`SuperResolver`; stored in the model card.

    Attributes:
        ratios: In-plane ratios it takes, powers of two; 1 is a target re-gridded to the full grid. One ratio per model
            in the paper.
        num_neighbours: Slices of the low-resolution target in the input, odd; 1 in the paper.
        widths: Channels at strides ..., 4, 2, 1; even. ``(384, 192, 96, 48)`` in the paper for ratio 8, its last three
            for ratio 4, its last two for ratio 2.
        heads: Attention heads per scale, coarse to fine; ``(8, 4, 2, 1)`` in the paper.
        pyramid_widths: Channels of the generator's pyramid, coarse to fine; empty for a generator that has none.
        dense_blocks: Residual dense blocks after the entry; 2 in the paper.
        growth: Of the dense blocks; 32 in the paper.
        blocks_per_scale: Restormer blocks per scale; 2 in the paper.
        modulation_width: Of the modulation's hidden layers, even; 128 in the paper.
        deformable_stride: Alignment and attention are deformable at this stride and at coarser ones; 1, everywhere, in
            the paper. At full resolution they cost a CPU more than all the rest.
        conditioned: Whether the branch is told which contrast it makes, and what the acquisition hides of the sources
            and of the synthetic image; its last layers see what the guide sees too (ours). Not for a pyramid.
        starts_from: To what the branch adds details: ``acquired``, the synthetic image made to agree with what was
            acquired (ours); or ``nothing``: the branch makes the whole image (METHODS 3.2, stated).
    """

    ratios: tuple[int, ...]
    num_neighbours: int
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    pyramid_widths: tuple[int, ...]
    dense_blocks: int
    growth: int
    blocks_per_scale: int
    modulation_width: int
    deformable_stride: int
    conditioned: bool = False
    starts_from: Literal["acquired", "nothing"] = "acquired"

    def __post_init__(self) -> None:
        if self.num_neighbours < 1 or self.num_neighbours % 2 == 0:
            raise ValueError(f"num_neighbours must be odd and positive, got {self.num_neighbours}")
        if not self.widths or any(width < 2 or width % 2 for width in self.widths):
            raise ValueError(f"widths must be even and positive, got {self.widths}")
        if not self.ratios or any(ratio not in self.strides and ratio != 1 for ratio in self.ratios):
            raise ValueError(f"ratios must be among the strides {self.strides} of the widths, got {self.ratios}")
        if len(self.heads) != len(self.widths) or any(
            heads < 1 or 2 * width % heads for width, heads in zip(self.widths, self.heads, strict=True)
        ):
            raise ValueError(f"heads must divide twice the widths {self.widths} scale by scale, got {self.heads}")
        if self.pyramid_widths and len(self.pyramid_widths) < len(self.widths):
            raise ValueError(f"a pyramid of {len(self.pyramid_widths)} maps cannot guide {len(self.widths)} scales")
        if self.pyramid_widths and self.conditioned:
            raise ValueError("conditioned is for a branch without pyramid_widths: a pyramid is looked at alone")
        if min(self.dense_blocks, self.growth, self.blocks_per_scale, self.deformable_stride) < 1:
            raise ValueError("dense_blocks, growth, blocks_per_scale and deformable_stride must be 1 or more")
        if self.modulation_width < 2 or self.modulation_width % 2:
            raise ValueError(f"modulation_width must be even and positive, got {self.modulation_width}")

    @property
    def strides(self) -> tuple[int, ...]:
        """Full-grid voxels per voxel of each scale, coarse to fine; the last is 1."""
        return tuple(2**level for level in reversed(range(len(self.widths))))

    @property
    def size_multiple(self) -> int:
        """Height and width of the full grid must be multiples of this number of voxels."""
        return self.strides[0]


@dataclass(frozen=True)
class SuperResolved:
    """Output of the branch.

    Attributes:
        prediction: ``(B, 1, H, W)``, 0..1 but not clipped.
        distinction: Distinction maps ``(B, 1, h, w)`` of the scales it went through, coarse to fine, -1..1.
    """

    prediction: Tensor
    distinction: list[Tensor]


class Scale(nn.Module):
    """One scale: distinction map, alignment, fusion with the guide, modulation (METHODS 3.2, steps 1 to 5)."""

    def __init__(self, channels: int, heads: int, parameters: SuperResolutionParameters, *, deformable: bool) -> None:
        super().__init__()
        both = 2 * channels
        self.align = DeformableConv2d(channels, channels, steering_channels=both) if deformable else None
        self.fuse = nn.Sequential(
            *(
                RestormerBlock(
                    both, heads, DeformableConv2d(both, 3 * both, steering_channels=both) if deformable else None
                )
                for _ in range(parameters.blocks_per_scale)
            ),
            nn.Conv2d(both, channels, 3, padding=1),
        )
        self.modulation = IncrementalModulation(channels, parameters.modulation_width)

    def forward(self, features: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Features and guide ``(B, channels, h, w)`` to features of that shape and a distinction map."""
        distinction = distinction_map(features, guide)
        if self.align is not None:
            features = self.align(features, torch.cat([features, guide], dim=1))
        fused = self.fuse(torch.cat([features, guide], dim=1))
        return features + self.modulation(fused, distinction), distinction


class SuperResolver(nn.Module):
    """The guide and the branch it guides."""

    def __init__(self, parameters: SuperResolutionParameters) -> None:
        super().__init__()
        self.size = parameters
        widths, strides = parameters.widths, parameters.strides
        in_channels = parameters.num_neighbours + EXTRA_CHANNELS
        guide_channels = 1 + len(Contrast) + (CONDITION_CHANNELS if parameters.conditioned else 0)
        self.guide: Guide = (
            PyramidGuide(parameters.pyramid_widths, widths)
            if parameters.pyramid_widths
            else EncodedGuide(guide_channels, widths)
        )
        width_at = dict(zip(strides, widths, strict=True))
        entered = {ratio if ratio > 1 else strides[0] for ratio in parameters.ratios}
        self.entries = nn.ModuleDict(
            {
                str(ratio): nn.Conv2d(in_channels, width_at[ratio], 3, padding=1)
                for ratio in parameters.ratios
                if ratio > 1
            }
        )
        # A re-gridded target enters at every stride, each seeing all of its voxels.
        self.details = nn.ModuleDict(
            {str(stride): nn.Conv2d(in_channels * stride**2, width, 3, padding=1) for stride, width in width_at.items()}
            if 1 in parameters.ratios
            else {}
        )
        self.dense = nn.ModuleDict({str(stride): _dense(width_at[stride], parameters) for stride in sorted(entered)})
        self.scales = nn.ModuleList(
            Scale(width, heads, parameters, deformable=stride >= parameters.deformable_stride)
            for width, heads, stride in zip(widths, parameters.heads, strides, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for coarse, fine in pairwise(widths))
        self.head = _head(widths[-1] + (guide_channels if parameters.conditioned else 0), widths[-1])

    def forward(
        self, low_resolution: LowResolutionTarget, synthetic: Tensor, sources: Tensor, pyramid: Sequence[Tensor] = ()
    ) -> SuperResolved:
        """Predict the target at full resolution, differentiably.

        Args:
            low_resolution: What was acquired.
            synthetic: The generator's image of the target, ``(B, 1, H, W)``, 0..1; H and W multiples of
                ``size_multiple``.
            sources: Middle slices of the sources, ``(B, 5, H, W)``, 0..1; zero where missing.
            pyramid: The generator's features, coarse to fine, if the parameters name any.

        Raises:
            ValueError: If the low-resolution target does not fit the full grid, is at no ratio of the model, or lacks
                what the branch is to be told.
        """
        ratio = self._ratio(low_resolution.images, synthetic)
        tissue = (sources > 0).any(dim=1, keepdim=True)
        synthetic = synthetic * tissue  # a generator may leave anything outside the brain
        with torch.autocast(synthetic.device.type, enabled=False):  # half precision would add steps of 0.4 %
            seen = seen_of_brain(low_resolution, synthetic.float(), tissue)
        start = synthetic + seen.full_difference
        known = [_centred(synthetic, tissue), _centred(sources, sources > 0)]
        if self.size.conditioned:
            known += _condition(low_resolution, seen.full, start, tissue)
        guides = self.guide(torch.cat(known, dim=1), pyramid)
        inputs = _entering(low_resolution, seen)
        first = 0 if ratio == 1 else self.size.strides.index(ratio)
        entry = self._detail(inputs, 0) if ratio == 1 else self.entries[str(ratio)](inputs)
        features = self.dense[str(self.size.strides[first])](entry)
        maps = []
        for level in range(first, len(guides)):
            if level > first:
                features = self.up[level - 1](functional.interpolate(features, scale_factor=2.0))
                features = features + self._detail(inputs, level) if ratio == 1 else features
            features, distinction = self.scales[level](features, guides[level])
            maps.append(distinction)
        details = self.head(torch.cat([features, *(known if self.size.conditioned else [])], dim=1))
        return SuperResolved((LEVEL * tissue if self.size.starts_from == "nothing" else start) + details, maps)

    def _detail(self, inputs: Tensor, level: int) -> Tensor:
        stride = self.size.strides[level]
        detail: Tensor = self.details[str(stride)](functional.pixel_unshuffle(inputs, stride))
        return detail

    def _ratio(self, images: Tensor, synthetic: Tensor) -> int:
        height, width = synthetic.shape[-2:]
        multiple, ratio = self.size.size_multiple, height // images.shape[-2]
        if height % multiple or width % multiple:
            raise ValueError(f"height and width must be multiples of {multiple}, got {height} x {width}")
        if images.shape[1] != self.size.num_neighbours or ratio not in self.size.ratios:
            raise ValueError(
                f"this branch takes {self.size.num_neighbours} slices at ratios {self.size.ratios} of "
                f"{height} x {width}, got {tuple(images.shape[1:])}"
            )
        if (images.shape[-2] * ratio, images.shape[-1] * ratio) != (height, width):
            raise ValueError(f"a low-resolution target of {tuple(images.shape[-2:])} does not cover {height} x {width}")
        return ratio


@runtime_checkable
class PyramidGenerator(Protocol):
    """A generator whose own features can guide the branch."""

    def predict_with_pyramid(self, slices: SourceSlices) -> tuple[Tensor, list[Tensor]]:
        """The prediction of ``train_pred`` and the features behind it, coarse to fine, from one pass."""


def translate_or_super_resolve(
    generator: Generator,
    resolver: SuperResolver | None,
    slices: SourceSlices,
    target_code: Tensor,
    low_resolution: LowResolutionTarget | None = None,
) -> Tensor:
    """One framework for every down-sampling ratio (METHODS 3.1); without gradients.

    Args:
        generator: Synthesises.
        resolver: Super-resolves; None if only infinite ratios are asked for.
        slices: The sources.
        target_code: ``(B, 5)``; a single 1 per row where a low-resolution target is given.
        low_resolution: What was acquired of that contrast; None if nothing was (infinite ratio).

    Returns:
        ``(B, 5, H, W)``. Without a low-resolution target, the generator's ``sample`` as it stands, to the bit; else the
        same with the wanted contrast super-resolved.

    Raises:
        ValueError: If there is a low-resolution target but no resolver, or not exactly one contrast is wanted.
        ModelError: If the resolver needs a pyramid and the generator has none.
    """
    if low_resolution is None:
        return generator.sample(slices, target_code)
    if resolver is None or not bool((target_code.sum(dim=1) == 1).all()):
        raise ValueError("a low-resolution target needs a resolver and exactly one wanted contrast per row")
    wanted = target_code.bool()
    with torch.no_grad():
        images, pyramid = _synthesis(generator, slices, target_code, with_pyramid=bool(resolver.size.pyramid_widths))
        given = slices.availability[:, :, None, None] > 0
        middle = torch.where(given, slices.images[:, :, slices.images.shape[2] // 2], 0.0)
        resolved = resolver(low_resolution, images[wanted][:, None], middle, pyramid)
    images = images.clone()
    images[wanted] = resolved.prediction[:, 0].to(images.dtype)
    return images


def build_super_resolver(parameters: Mapping[str, Any]) -> SuperResolver:
    """The branch described by a model card or a training configuration, with untrained weights.

    Raises:
        ModelError: If the parameters do not fit.
    """
    try:
        return SuperResolver(msgspec.convert(dict(parameters), SuperResolutionParameters))
    except (msgspec.ValidationError, ValueError) as error:
        raise ModelError(f"parameters of the super-resolution branch do not fit: {error}") from None


def _synthesis(
    generator: Generator, slices: SourceSlices, target_code: Tensor, *, with_pyramid: bool
) -> tuple[Tensor, list[Tensor]]:
    if not with_pyramid:
        return generator.sample(slices, target_code), []
    if not isinstance(generator, PyramidGenerator):
        raise ModelError("this super-resolution branch was trained for a generator with a feature pyramid: use its own")
    return generator.predict_with_pyramid(slices)


def _condition(low_resolution: LowResolutionTarget, acquired: Tensor, start: Tensor, tissue: Tensor) -> list[Tensor]:
    """The planes of ``CONDITION_CHANNELS``, ``(B, ..., H, W)``."""
    hidden, target_code = low_resolution.hidden, low_resolution.target_code
    if hidden is None or target_code is None:
        raise ValueError(
            "this branch wants to know what the acquisition hides of the sources: give hidden, target_code"
        )
    return [
        _centred(acquired, tissue),
        (start - acquired) * tissue / HIDDEN_SPREAD,
        hidden / HIDDEN_SPREAD,
        _planes(target_code, acquired),
        _voxel_planes(low_resolution, acquired),
    ]


def _entering(low_resolution: LowResolutionTarget, seen: SeenOfBrain) -> Tensor:
    """Centred slices, the difference, and three planes of the voxel size's logarithm: ``(B, N + 4, h, w)``."""
    planes = _voxel_planes(low_resolution, seen.images)
    return torch.cat([_centred(seen.images, low_resolution.images > 0), seen.difference / SPREAD, planes], dim=1)


def _voxel_planes(low_resolution: LowResolutionTarget, like: Tensor) -> Tensor:
    return _planes(low_resolution.voxel_size.clamp(min=1).log2(), like)


def _planes(values: Tensor, like: Tensor) -> Tensor:
    """``(B, C)`` as constant images of the size and type of others."""
    return values.to(like.dtype)[:, :, None, None].expand(-1, -1, *like.shape[-2:])


def _centred(images: Tensor, tissue: Tensor) -> Tensor:
    return (images - LEVEL) / SPREAD * tissue


def _dense(channels: int, parameters: SuperResolutionParameters) -> nn.Module:
    return nn.Sequential(*(ResidualDenseBlock(channels, parameters.growth) for _ in range(parameters.dense_blocks)))


def _head(in_channels: int, channels: int) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1),
        nn.LeakyReLU(LEAKY_SLOPE),
        nn.Conv2d(channels, channels // 2, 3, padding=1),
        nn.LeakyReLU(LEAKY_SLOPE),
        nn.Conv2d(channels // 2, 1, 3, padding=1),
    )
    for values in layers[-1].parameters():
        nn.init.zeros_(values)
    return layers
