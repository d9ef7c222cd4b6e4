"""The local discriminator of system B: does the neighbourhood of each voxel look real, given the sources?

It is trained against the generator and kept at inference, where ``(1 - M)^2`` is the attention map. METHODS 2.3, a
reconstruction: the layers are those of a sibling paper's code by the same first author, not of the paper itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from operator import attrgetter
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.unet import NUM_GROUPS, TYPICAL_LEVEL, TYPICAL_SPREAD

SIZE_MULTIPLE = 16
"""Four strided convolutions; inputs of other sizes are padded with background and the padding's logits dropped."""
MIN_SIZE_VOXELS = 32
"""Instance normalisation needs two values behind the fourth convolution."""
LEAKY_SLOPE = 0.2
TYPICAL_EDGE = 0.1
"""Gradient magnitude of a clear edge between tissues, per voxel."""
DIFFICULTY_EXPONENT = 2.0
"""Of the attention ``(1 - M)^beta``; stated by the sibling code."""


class DiscriminatorParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size of a discriminator of system B, local or global; stored in the model card.

    Attributes:
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of the resolution, multiples of 8; METHODS: 64, 128, 256, 512.
        normalization: After the second and later convolutions. ``"none"`` keeps each logit strictly local; the others
            let the whole slice's statistics in. Never batch normalisation: the synthetic batch would be told by its
            statistics, and one slice's judgement would depend on its neighbours in the batch.
        spectral_norm: Divide each weight by its largest singular value, which keeps the discriminator from saturating.
        sees_sources: Judge the candidate given the sources. Without, misalignment between sources and target cannot
            be learned as a mark of the real (METHODS 9.3), but a plausible wrong lesion passes.
    """

    widths: tuple[int, int, int, int]
    normalization: Literal["group", "instance", "none"]
    spectral_norm: bool
    sees_sources: bool

    def __post_init__(self) -> None:
        if any(width < NUM_GROUPS or width % NUM_GROUPS for width in self.widths):
            raise ValueError(f"widths must be multiples of {NUM_GROUPS}, got {self.widths}")


class LocalDiscriminatorParameters(DiscriminatorParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the local discriminator.

    Attributes:
        logit_stride_voxels: Distance between neighbouring logits. 8 in METHODS; below, finer scales with skips to the
            trunk follow (ours): errors at edges are narrower than 8 voxels.
        sees_edges: Give it the gradient magnitudes of candidate and sources too (ours). Errors are larger at edges; a
            network of strided convolutions took over a thousand steps to find that out.
    """

    logit_stride_voxels: Literal[8, 4, 2, 1]
    sees_edges: bool = False


class LocalDiscriminator(nn.Module):
    """Fully convolutional; one logit for every 8 x 8 voxels or finer, and a dense confidence.

    Four convolutions of stride 2, one transposed, and a 3 x 3 head: each logit from 78 x 78 voxels. Finer logits come
    from enlarged features joined with those of the trunk, a U-Net as in Schoenfeld et al. (not in METHODS).

    References:
        E. Schoenfeld et al. A U-Net Based Discriminator for Generative Adversarial Networks. CVPR 2020.
        arXiv:2002.12655.
    """

    def __init__(self, settings: LocalDiscriminatorParameters) -> None:
        super().__init__()
        self.settings = settings
        third, last = settings.widths[2:]
        self.condition = CandidateInSources(sees_sources=settings.sees_sources, sees_edges=settings.sees_edges)
        inputs = self.condition.out_channels
        self.trunk = strided_trunk(inputs, settings.widths, settings)
        self.enlarge = nn.Sequential(
            bounded(nn.ConvTranspose2d(last, third, 4, stride=2, padding=1), settings), nn.LeakyReLU(LEAKY_SLOPE)
        )
        finer = {4: settings.widths[1], 2: settings.widths[0], 1: inputs}
        wanted = [width for stride, width in finer.items() if stride >= settings.logit_stride_voxels]
        self.finer = nn.ModuleList()
        channels = third
        for width in wanted:
            narrowed = min(channels, settings.widths[0])
            joined = bounded(nn.Conv2d(channels + width, narrowed, 3, padding=1), settings)
            self.finer.append(nn.Sequential(joined, nn.LeakyReLU(LEAKY_SLOPE)))
            channels = narrowed
        self.head = bounded(nn.Conv2d(channels, 1, 3, padding=1), settings)

    def forward(self, sources: Tensor, availability: Tensor, target_code: Tensor, candidate: Tensor) -> Tensor:
        """Judge a candidate slice.

        Args:
            sources: ``(B, 5, H, W)``, the middle slice of each contrast, 0..1 (1 is the 99.5th percentile of the
                brain), background exactly 0; any size. Missing contrasts may hold anything, NaN included.
            availability: ``(B, 5)``, 1 where the contrast was acquired.
            target_code: ``(B, 5)``, one-hot, which contrast the candidate shows.
            candidate: ``(B, 1, H, W)``, a real or a synthetic target, 0..1. Outside the tissue of the sources it is
                not looked at, where a synthetic slice would betray itself by not being exactly 0.

        Returns:
            Logits ``(B, 1, ceil(H / s), ceil(W / s))``, s the stride, positive where the neighbourhood looks real.

        Raises:
            ValueError: If the shapes do not belong together.
        """
        height, width = candidate.shape[-2:]
        judged = self.condition(sources, availability, target_code, candidate)
        features = pad_to_multiple(judged, SIZE_MULTIPLE, MIN_SIZE_VOXELS)
        skips = [features]
        for layer in self.trunk:
            features = layer(features)
            if isinstance(layer, nn.LeakyReLU):
                skips.append(features)
        features = self.enlarge(features)
        for scale, skip in zip(self.finer, reversed(skips[:3]), strict=False):
            enlarged = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = scale(torch.cat([enlarged, skip], dim=1))
        logits: Tensor = self.head(features)
        stride = self.settings.logit_stride_voxels
        return logits[..., : -(-height // stride), : -(-width // stride)]

    def confidence(self, sources: Tensor, availability: Tensor, target_code: Tensor, candidate: Tensor) -> Tensor:
        """M, the estimated probability ``(B, 1, H, W)`` that a voxel's surroundings are real; as :meth:`forward`."""
        height, width = candidate.shape[-2:]
        logits = self(sources, availability, target_code, candidate)
        return dense_confidence(logits, height, width, self.settings.logit_stride_voxels)


class CandidateInSources(nn.Module):
    """What a discriminator sees: the candidate, which contrast it is to be and, if asked for, the sources.

    Everything is centred as in the generator and 0 outside the sources' tissue.
    """

    level: Tensor
    spread: Tensor

    def __init__(self, *, sees_sources: bool, sees_edges: bool = False) -> None:
        super().__init__()
        self.sees_sources, self.sees_edges = sees_sources, sees_edges
        self.out_channels = 1 + len(Contrast) * (3 if sees_sources else 1) + (2 if sees_edges else 0)
        self.register_buffer("level", torch.tensor(TYPICAL_LEVEL), persistent=False)
        self.register_buffer("spread", torch.tensor(TYPICAL_SPREAD), persistent=False)

    def forward(self, sources: Tensor, availability: Tensor, target_code: Tensor, candidate: Tensor) -> Tensor:
        """``(B, out_channels, H, W)``; arguments as :meth:`LocalDiscriminator.forward`."""
        self._check(sources, availability, target_code, candidate)
        available = availability[:, :, None, None].to(candidate.dtype)
        sources = torch.where(available > 0, sources, 0.0)
        given = (sources > 0).to(candidate.dtype)
        tissue = given.amax(dim=1, keepdim=True)
        code = target_code.to(candidate.dtype)
        level, spread = ((code * values).sum(dim=1)[:, None, None, None] for values in (self.level, self.spread))
        planes = [(candidate - level) / spread * tissue, code[:, :, None, None] * tissue]
        if self.sees_sources:
            levels, spreads = (values.view(1, -1, 1, 1) for values in (self.level, self.spread))
            planes += [(sources - levels) / spreads * given, available * tissue]
        if self.sees_edges:
            of_sources = gradient_magnitude(sources).sum(dim=1, keepdim=True) / available.sum(
                dim=1, keepdim=True
            ).clamp(min=1)
            planes += [_scaled_edges(edges) * tissue for edges in (of_sources, gradient_magnitude(candidate))]
        return torch.cat(planes, dim=1)

    @staticmethod
    def _check(sources: Tensor, availability: Tensor, target_code: Tensor, candidate: Tensor) -> None:
        batch, num_contrasts = candidate.shape[0], len(Contrast)
        expected = (batch, num_contrasts, *candidate.shape[-2:])
        if candidate.ndim != 4 or candidate.shape[1] != 1 or sources.shape != expected:
            raise ValueError(
                f"sources must be (B, {num_contrasts}, H, W) and candidate (B, 1, H, W) of the same slices, "
                f"got {tuple(sources.shape)} and {tuple(candidate.shape)}"
            )
        if not availability.shape == target_code.shape == (batch, num_contrasts):
            raise ValueError(
                f"availability and target_code must be ({batch}, {num_contrasts}), "
                f"got {tuple(availability.shape)} and {tuple(target_code.shape)}"
            )


@torch.no_grad()
def gradient_magnitude(images: Tensor) -> Tensor:
    """Per voxel of ``(B, C, H, W)``, by central differences after a binomial 3 x 3 filter; no gradient reaches them."""
    _, channels, height, width = images.shape
    kernel = torch.tensor([1.0, 2.0, 1.0], device=images.device) / 4
    weight = (kernel[:, None] * kernel).expand(channels, 1, 3, 3)
    # Outermost voxels repeat, so that the border is no edge.
    smooth = functional.conv2d(functional.pad(images.float(), (2, 2, 2, 2), mode="replicate"), weight, groups=channels)
    down = (smooth[..., 2:, 1 : width + 1] - smooth[..., :height, 1 : width + 1]) / 2
    right = (smooth[..., 1 : height + 1, 2:] - smooth[..., 1 : height + 1, :width]) / 2
    return (down.square() + right.square()).sqrt()


def _scaled_edges(edges: Tensor) -> Tensor:
    """About 0 on average; compressed, as edges of the brain's surface are several times those of tissue."""
    return (edges / TYPICAL_EDGE).clamp(max=4).sqrt() - 0.5


def dense_confidence(logits: Tensor, height: int, width: int, stride: int) -> Tensor:
    """``sigmoid`` of bilinearly enlarged logits, ``(B, 1, height, width)`` float32 in 0..1; METHODS 2.3.

    It estimates a probability only if the logits were trained by binary cross-entropy.

    Args:
        logits: ``(B, 1, ceil(height / s), ceil(width / s))`` of stride s.
        height: Of the judged slice, in voxels.
        width: Of the judged slice, in voxels.
        stride: s; 1 enlarges nothing.
    """
    logits = logits.float()
    if stride > 1:
        logits = functional.interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
    return logits[..., :height, :width].sigmoid()


def difficulty(confidence: Tensor, exponent: float = DIFFICULTY_EXPONENT) -> Tensor:
    """``(1 - M)^beta`` without gradient, 0..1: near 1 where the local discriminator is sure that it is not real.

    The gradient is stopped because a generator could otherwise lower its loss by raising M alone (METHODS 9.6).
    """
    return (1 - confidence.detach()) ** exponent


def bake_spectral_norm(discriminator: LocalDiscriminator) -> LocalDiscriminator:
    """An equal discriminator with plain weights, for export: nothing is left to estimate at inference."""
    plain = LocalDiscriminator(msgspec.structs.replace(discriminator.settings, spectral_norm=False)).eval()
    was_training = discriminator.training
    discriminator.eval()  # reading a weight in training mode would move its estimate
    # Read, not removed from a deep copy: torch keeps the parametrization in a class that both copies share.
    weights = {name: attrgetter(name)(discriminator) for name in plain.state_dict()}
    discriminator.train(was_training)
    plain.load_state_dict(weights)
    return plain


def build_local_discriminator(parameters: Mapping[str, Any]) -> LocalDiscriminator:
    """A local discriminator with untrained weights from the fields of :class:`LocalDiscriminatorParameters`.

    Raises:
        ModelError: If the parameters do not fit.
    """
    try:
        return LocalDiscriminator(msgspec.convert(dict(parameters), LocalDiscriminatorParameters))
    except (msgspec.ValidationError, ValueError) as error:
        raise ModelError(f"parameters of the local discriminator do not fit: {error}") from None


def strided_trunk(in_channels: int, widths: tuple[int, ...], settings: DiscriminatorParameters) -> nn.Sequential:
    """Convolutions 4 x 4 of stride 2 to the given widths, normalised from the second on, each with leaky ReLU."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise((in_channels, *widths))):
        layers.append(bounded(nn.Conv2d(before, after, 4, stride=2, padding=1), settings))
        if index > 0 and settings.normalization == "group":
            layers.append(nn.GroupNorm(NUM_GROUPS, after))
        elif index > 0 and settings.normalization == "instance":
            layers.append(nn.InstanceNorm2d(after, affine=True))
        layers.append(nn.LeakyReLU(LEAKY_SLOPE))
    return nn.Sequential(*layers)


def bounded(layer: nn.Module, settings: DiscriminatorParameters) -> nn.Module:
    """The layer with its weight's largest singular value held at 1, if so asked.

    References:
        T. Miyato et al. Spectral Normalization for Generative Adversarial Networks. ICLR 2018. arXiv:1802.05957.
    """
    return spectral_norm(layer) if settings.spectral_norm else layer


def pad_to_multiple(images: Tensor, multiple: int, minimum: int) -> Tensor:
    """``(B, C, H, W)`` with zeros added below and on the right to multiples of a size, at least ``minimum``."""
    height, width = (max(minimum, -(-size // multiple) * multiple) for size in images.shape[-2:])
    return functional.pad(images, (0, width - images.shape[-1], 0, height - images.shape[-2]))
