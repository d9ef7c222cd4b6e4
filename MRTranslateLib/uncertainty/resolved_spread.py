"""How far results from an acquired low-resolution target lie apart when sources and target are changed within what
their acquisitions leave open.

The acquired target is kept: it gets noise as strong as its own and a gain, and it stays in place while the sources move
half a voxel, which is what registration leaves between them. A proposal, as all of the uncertainty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.low_resolution import LowResolution
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.super_resolution import (
    SYNTHESIS_SHARE,
    at_full_resolution_scale,
    resolve_slices,
    synthesize_brain,
)
from MRTranslateLib.models.components import SuperResolutionCard
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.networks.super_resolution import SuperResolver
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.robustness.perturbations.acquisitions import as_acquisitions
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.noise import RicianNoise
from MRTranslateLib.uncertainty.members import GAIN, MEMBERS, Member, perturbed_sources
from MRTranslateLib.uncertainty.noise_level import noise_level
from MRTranslateLib.uncertainty.spread import Moments, Spread, without_source


@dataclass(frozen=True, eq=False)
class Variant:
    """One change of the sources and what is synthesised from them, neither mirrored.

    Attributes:
        name: In words.
        prepared: With the changed sources.
        synthetic: ``(S, H, W)``, every slice of the brain's box.
        seed: Of what is to be done to the acquired target; None where only a source was left out.
        fallbacks: What had to be given up, in words.
    """

    name: str
    prepared: Prepared
    synthetic: NDArray[np.float32]
    seed: int | None
    fallbacks: tuple[str, ...]


def source_noise(prepared: Prepared) -> dict[Contrast, float]:
    """Noise of each source, 0..1."""
    brain = np.logical_or.reduce([slices > 0 for slices in prepared.slices.values()])
    return {contrast: noise_level(slices, brain) for contrast, slices in prepared.slices.items()}


def acquired_noise(low: LowResolution, prepared: Prepared) -> float:
    """Noise of the acquired target within its slices, 0..1."""
    inside = resample(prepared.brain.volume, low.volume, transform=low.back, interpolation="nearest").array != 0
    across = int(np.argmax(low.volume.spacing_mm))
    return noise_level(np.moveaxis(low.volume.array, across, 0), np.moveaxis(inside, across, 0))


def synthesis_variants(
    generator: Generator,
    prepared: Prepared,
    target: Contrast,
    noise: Mapping[Contrast, float],
    execution: Execution,
    progress: Progress,
    *,
    seed: int,
) -> Iterator[Variant]:
    """Synthesise the whole brain from perturbed and incomplete sources, one after the other.

    Args:
        generator: Weights loaded; moved to the device and left there.
        prepared: What was translated.
        target: Contrast that is wanted.
        noise: Of :func:`source_noise`.
        execution: Where and how.
        progress: Told of stage ``uncertainty``, 0..1, with time left for the branch after each.
        seed: Of the perturbations, not negative.

    Raises:
        CancelledError: If the caller asks to stop.
    """
    left_out = tuple(prepared.slices) if len(prepared.slices) > 1 else ()
    total = len(MEMBERS) + len(left_out)
    for number, member in enumerate(MEMBERS):
        draw = seed * len(MEMBERS) + number
        shown = progress.part(number / total, (number + SYNTHESIS_SHARE) / total, stage="uncertainty")
        yield _perturbed(generator, prepared, target, noise, member, draw, execution, shown)
    for number, contrast in enumerate(left_out, start=len(MEMBERS)):
        fewer = replace(prepared, slices=without_source(prepared.slices, contrast))
        shown = progress.part(number / total, (number + SYNTHESIS_SHARE) / total, stage="uncertainty")
        made = synthesize_brain(generator, fewer, target, execution, shown)
        yield Variant(f"without {contrast}", fewer, made.slices, None, made.fallbacks)


class ResolvedSpread:
    """Gathers what the branch makes of variants with one acquired target."""

    def __init__(
        self,
        resolver: SuperResolver,
        component: SuperResolutionCard,
        low: LowResolution,
        prepared: Prepared,
        resolved: NDArray[np.float32],
    ) -> None:
        """Begin with the result itself.

        Args:
            resolver: Weights loaded.
            component: What it was trained for.
            low: What was acquired, normalised by its own percentile.
            prepared: The sources.
            resolved: ``(len(prepared.indices), H, W)``, the result, 0..1.
        """
        self._resolver, self._component, self._low = resolver, component, low
        self._noise = acquired_noise(low, prepared)
        self._perturbed, self._dropped = Moments(resolved), Moments(resolved)
        self._names: list[str] = []
        self._fallbacks: list[str] = []

    def add(self, variant: Variant, execution: Execution, progress: Progress) -> None:
        """Resolve a variant.

        Args:
            variant: Of :func:`synthesis_variants`.
            execution: Where and how.
            progress: Asked whether to stop, told nothing.

        Raises:
            CancelledError: If the caller asks to stop.
        """
        low = self._low
        if variant.seed is not None:
            low = perturbed_acquired(low, self._noise, seed=variant.seed)
        low = at_full_resolution_scale(low, variant.prepared, variant.synthetic)
        silent = Progress(None, progress.cancelled)
        made = resolve_slices(
            self._resolver, self._component, variant.prepared, low, variant.synthetic, execution, silent
        )
        (self._dropped if variant.seed is None else self._perturbed).add(made.slices)
        self._names.append(variant.name)
        self._fallbacks += [*variant.fallbacks, *made.fallbacks]

    def spread(self, noise: Mapping[Contrast, float]) -> Spread:
        """What came of all that were added, at least one of them perturbed.

        Args:
            noise: Of the sources; that of the acquired target is added.
        """
        return Spread(
            self._perturbed.standard_deviation(),
            self._dropped.standard_deviation() if self._dropped.count > 1 else None,
            {**noise, self._low.target: self._noise},
            tuple(self._names),
            tuple(dict.fromkeys(self._fallbacks)),
        )


def perturbed_acquired(low: LowResolution, noise: float, *, seed: int) -> LowResolution:
    """The acquired target as it might as well have come out.

    Args:
        low: Normalised.
        noise: Standard deviation of its noise, in its units.
        seed: Not negative; the draw is that of its contrast, whatever the sources.

    Returns:
        With noise and gain, 0 where it was 0.
    """
    chance = Chance(seed * len(Contrast) + low.target.channel, torch.device("cpu"))
    values = torch.from_numpy(np.ascontiguousarray(low.volume.array))
    scan = as_acquisitions(values, None, low.volume.spacing_mm)
    noisy = RicianNoise(noise).apply(scan, chance)[0] * (1 + chance.uniform((1,), -GAIN, GAIN)) * (values > 0)
    return replace(low, volume=low.volume.with_array(noisy.numpy()))


def _perturbed(
    generator: Generator,
    prepared: Prepared,
    target: Contrast,
    noise: Mapping[Contrast, float],
    member: Member,
    seed: int,
    execution: Execution,
    progress: Progress,
) -> Variant:
    """Synthesised from sources that may be mirrored, as the network may answer otherwise then, and turned back."""
    size = prepared.grid.slices_voxel_size_mm
    sources = perturbed_sources(prepared.slices, noise, member, voxel_size_mm=size, seed=seed)
    made = synthesize_brain(generator, replace(prepared, slices=sources), target, execution, progress)
    upright = {contrast: _turned(slices, member) for contrast, slices in sources.items()}
    return Variant(member.name, replace(prepared, slices=upright), _turned(made.slices, member), seed, made.fallbacks)


def _turned(slices: NDArray[np.float32], member: Member) -> NDArray[np.float32]:
    return np.ascontiguousarray(slices[:, :, ::-1]) if member.mirrored else slices
