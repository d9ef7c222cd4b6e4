"""All perturbations by name, each with five levels in physical units (METHODS 1.7)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from MRTranslateLib.errors import UsageError
from MRTranslateLib.preprocessing.normalization import BRAIN_PERCENTILE
from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact, VoxelSize, as_acquisitions
from MRTranslateLib.robustness.perturbations.bias_field import BiasField
from MRTranslateLib.robustness.perturbations.blur import Blur
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.dropped_source import DroppedSource
from MRTranslateLib.robustness.perturbations.gamma import Gamma
from MRTranslateLib.robustness.perturbations.ghosting import Ghosting
from MRTranslateLib.robustness.perturbations.gibbs import Gibbs
from MRTranslateLib.robustness.perturbations.misalignment import ElasticMisalignment, Misalignment
from MRTranslateLib.robustness.perturbations.motion import Motion
from MRTranslateLib.robustness.perturbations.noise import GaussianNoise, RelativeRicianNoise, RicianNoise
from MRTranslateLib.robustness.perturbations.resolution import AnisotropicResolution, ThickSlices
from MRTranslateLib.robustness.perturbations.spike import Spike

NUM_LEVELS = 5
REGGAN_FIELD_OF_VIEW_MM = 240.0
"""RegGAN shifts by a share of the image's side; in mm that is a share of this."""


@dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation with its scale.

    Attributes:
        name: As users type it.
        title: In words.
        nothing: The artefact at strength 0; levels below 1 lie between it and the first.
        levels: Severity 1..5, "our" scale of METHODS 1.7 [P], made for translation.
        hard_levels: The scale of ROOD-MRI [S], made for segmentation and more destructive; empty where it has none.
        is_geometric: It moves anatomy, so a target that stays is wrong for it: no attacker may use it in training.
        min_slices: A stack needs this many slices to show it.
    """

    name: str
    title: str
    nothing: Artefact
    levels: tuple[Artefact, ...]
    hard_levels: tuple[Artefact, ...] = ()
    is_geometric: bool = False
    min_slices: int = 1

    def at(self, level: float, *, hard: bool = False) -> Artefact:
        """The artefact at a level; between whole levels parameters are interpolated, counts rounded up.

        Args:
            level: 0..5.
            hard: Use the scale of ROOD-MRI.

        Raises:
            UsageError: If the level is out of range or there is no hard scale.
        """
        scale = self.hard_levels if hard else self.levels
        if not scale:
            raise UsageError(f"{self.name} has no hard scale: leave out hard, or use one of {', '.join(_HARD)}")
        if not 0 <= level <= NUM_LEVELS:
            raise UsageError(f"level {level} of {self.name} is out of range: give 0 (nothing) to {NUM_LEVELS}")
        if hard and 0 < level < 1:
            raise UsageError(f"the hard scale of {self.name} begins at level 1, got {level}")
        lower = math.floor(level)
        steps = (self.nothing, *scale)
        return steps[lower] if lower == level else _between(steps[lower], steps[lower + 1], level - lower)


def perturb(
    images: Tensor,
    name: str,
    level: float,
    *,
    seed: int,
    voxel_size_mm: VoxelSize,
    brain: Tensor | None = None,
    renormalise: bool = False,
    hard: bool = False,
) -> Tensor:
    """What the same person would have looked like in a worse acquisition.

    The artefact arises in the scanner and the brain is extracted afterwards, so the result is 0 outside the brain and
    in contrasts that were not acquired. Each volume, and each source of each sample of a batch, is an acquisition with
    artefacts of its own; its slices share them. Gradients do not pass.

    Args:
        images: Intensities 0..1: a volume ``(S, H, W)``, slices ``(B, C, H, W)`` of C sources, or ``(B, C, N, H, W)``
            with N neighbours each; rows = anterior, columns = right = the phase-encoding direction.
        name: A key of :data:`PERTURBATIONS`.
        level: 0 (the images themselves) to 5; parts of a level are allowed.
        seed: Not negative; the same seed gives the same result, whatever else draws random numbers.
        voxel_size_mm: Distance of slices, height and width of a voxel.
        brain: Nonzero is brain; ``(S, H, W)``, ``(B, 1, H, W)`` (with N neighbours: of the middle slice) or
            ``(B, 1, N, H, W)``. Where it is not given, what is above 0 in any source of the sample.
        renormalise: Scale each acquisition so that its own 99.5th percentile in the brain is what the clean one's was
            (the realistic track). Otherwise the clean scale is kept, and only the artefact is tested.
        hard: Use the levels of ROOD-MRI.

    Returns:
        Same shape and device, float32, 0..1.

    Raises:
        UsageError: If the name is unknown or the level out of range.
        ValueError: If a shape does not fit, a stack has too few slices, or the seed is negative.
    """
    perturbation = find_perturbation(name)
    artefact = perturbation.at(level, hard=hard)
    if level == 0:
        return images.detach().float().clone()
    scans = as_acquisitions(images, brain, voxel_size_mm)
    if scans.images.shape[1] < perturbation.min_slices:
        raise ValueError(
            f"{name} needs stacks of at least {perturbation.min_slices} slices, got {scans.images.shape[1]}"
        )
    with torch.no_grad():
        worse = artefact.apply(scans, Chance(seed, images.device)).clamp(min=0) * scans.brain
        if renormalise:
            worse = worse * _scale_of_own(scans, worse)
        return worse.clamp(max=1).view(images.shape)


def find_perturbation(name: str) -> Perturbation:
    """The perturbation of that name.

    Raises:
        UsageError: If there is none; the message lists them.
    """
    if name not in PERTURBATIONS:
        raise UsageError(f"unknown perturbation {name!r}: use one of {', '.join(PERTURBATIONS)}")
    return PERTURBATIONS[name]


def brain_percentile(images: Tensor, brain: Tensor) -> Tensor:
    """The 99.5th percentile (linear interpolation) of each group inside its brain.

    Args:
        images: ``(G, S, H, W)``.
        brain: Same shape, bool.

    Returns:
        ``(G,)``; 0 where a group has no brain.
    """
    values = images.masked_fill(~brain, -math.inf).flatten(1)
    count = brain.flatten(1).sum(dim=1)
    from_top = (1 - BRAIN_PERCENTILE / 100) * (count - 1).clamp(min=0)
    highest = values.topk(min(int(from_top.max()) + 2, values.shape[1]), dim=1).values
    above = from_top.floor().long()
    below = torch.minimum(above + 1, (count - 1).clamp(min=0))
    share = from_top - above
    upper, lower = (highest.gather(1, at[:, None])[:, 0] for at in (above, below))
    return torch.where(count > 0, upper + (lower - upper) * share, 0.0)


def _scale_of_own(scans: Acquisitions, worse: Tensor) -> Tensor:
    clean, own = brain_percentile(scans.images, scans.brain), brain_percentile(worse, scans.brain)
    return torch.where(own > 0, clean / own.clamp(min=1e-6), 1.0)[:, None, None, None]


def _between(lower: Artefact, upper: Artefact, share: float) -> Artefact:
    """All parameters a share of the way from one artefact to another of its kind."""
    mixed: dict[str, float] = {}
    for field in dataclasses.fields(lower):  # type: ignore[arg-type]  # every artefact is a dataclass
        first, second = getattr(lower, field.name), getattr(upper, field.name)
        value = first + (second - first) * share
        mixed[field.name] = math.ceil(value) if isinstance(first, int) else value
    return type(lower)(**mixed)


def _of(kind: type[Artefact], *columns: Sequence[float]) -> tuple[Artefact, ...]:
    """One artefact per level from the columns of a table."""
    return tuple(kind(*row) for row in zip(*columns, strict=True))


_SIGMAS = (0.01, 0.02, 0.04, 0.07, 0.10)
_FACTORS, _HARD_FACTORS = (1.5, 2.0, 2.5, 3.0, 4.0), (2.8, 4.6, 6.4, 8.2, 10.0)
_REGGAN_SHIFTS_MM = tuple(0.02 * level * REGGAN_FIELD_OF_VIEW_MM for level in range(1, NUM_LEVELS + 1))

PERTURBATIONS: MappingProxyType[str, Perturbation] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Perturbation("gaussian_noise", "Gaussian noise", GaussianNoise(0.0), _of(GaussianNoise, _SIGMAS)),
            Perturbation(
                "rician_noise",
                "Rician noise",
                RicianNoise(0.0),
                _of(RicianNoise, _SIGMAS),
                _of(RelativeRicianNoise, (0.16, 0.32, 0.48, 0.64, 0.80)),
            ),
            Perturbation(
                "motion",
                "Motion",
                Motion(0.0, 0.0, 0),
                _of(Motion, (0.5, 1.0, 2.0, 3.0, 5.0), (0.5, 1.0, 2.0, 3.0, 5.0), (1, 2, 3, 4, 6)),
                _of(Motion, (1.0, 2.0, 3.0, 4.0, 5.0), (2.0, 4.0, 6.0, 8.0, 10.0), (2, 4, 6, 8, 10)),
            ),
            Perturbation(
                "ghosting",
                "Ghosting",
                Ghosting(2, 0.0),
                _of(Ghosting, (2, 3, 4, 6, 8), (0.1, 0.2, 0.35, 0.5, 0.8)),
                _of(Ghosting, (3, 5, 7, 9, 11), (0.5, 1.0, 1.5, 2.0, 2.5)),
            ),
            Perturbation("spike", "k-space spike", Spike(0.0), _of(Spike, (0.1, 0.2, 0.4, 0.7, 1.0))),
            Perturbation(
                "bias_field",
                "Bias field",
                BiasField(0.0),
                _of(BiasField, (0.1, 0.2, 0.3, 0.45, 0.6)),
                _of(BiasField, (0.3, 0.6, 0.9, 1.2, 1.5)),
            ),
            Perturbation(
                "gamma_below_one",
                "Gamma below 1",
                Gamma(1.0),
                _of(Gamma, (0.9, 0.8, 0.7, 0.6, 0.5)),
                _of(Gamma, (0.86, 0.72, 0.58, 0.44, 0.30)),
            ),
            Perturbation(
                "gamma_above_one",
                "Gamma above 1",
                Gamma(1.0),
                _of(Gamma, (1.1, 1.25, 1.45, 1.7, 2.0)),
                _of(Gamma, (1.4, 1.8, 2.2, 2.6, 3.0)),
            ),
            Perturbation(
                "blur",
                "Blur",
                Blur(0.0),
                _of(Blur, (0.5, 0.8, 1.2, 1.6, 2.0)),
                _of(Blur, (0.8, 1.6, 2.4, 3.2, 4.0)),
            ),
            Perturbation(
                "anisotropic_resolution",
                "Anisotropic resolution",
                AnisotropicResolution(1.0),
                _of(AnisotropicResolution, _FACTORS),
                _of(AnisotropicResolution, _HARD_FACTORS),
            ),
            Perturbation(
                "thick_slices",
                "Thick slices",
                ThickSlices(1.0),
                _of(ThickSlices, _FACTORS),
                _of(ThickSlices, _HARD_FACTORS),
                min_slices=3,
            ),
            Perturbation("gibbs", "Gibbs ringing", Gibbs(0.0), _of(Gibbs, (0.3, 0.45, 0.6, 0.7, 0.8))),
            Perturbation(
                "misalignment",
                "Misaligned source",
                Misalignment(0.0, 0.0, 0.0),
                _of(Misalignment, (1.0, 2.0, 3.0, 4.0, 5.0), _REGGAN_SHIFTS_MM, (0.02, 0.04, 0.06, 0.08, 0.10)),
                _of(Misalignment, (6.0, 12.0, 18.0, 24.0, 30.0), (8.0, 16.0, 24.0, 32.0, 40.0), (0.0,) * NUM_LEVELS),
                is_geometric=True,
            ),
            Perturbation(
                "elastic_misalignment",
                "Bent source",
                ElasticMisalignment(0.0),
                _of(ElasticMisalignment, (1.0, 2.0, 4.0, 6.0, 8.0)),
                _of(ElasticMisalignment, (6.0, 12.0, 18.0, 24.0, 30.0)),
                is_geometric=True,
            ),
            Perturbation(
                "dropped_source",
                "Incomplete or dropped source",
                DroppedSource(0.0),
                _of(DroppedSource, (0.1, 0.25, 0.5, 0.75, 1.0)),
            ),
        )
    }
)
"""Every perturbation by name. The levels of dropped_source are ours; METHODS names none."""
_HARD = tuple(name for name, entry in PERTURBATIONS.items() if entry.hard_levels)
