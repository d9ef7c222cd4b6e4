"""How far the translations of one acquisition lie apart when it is changed within what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.slices import SliceJob, translate_slices
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.members import MEMBERS, perturbed_sources
from MRTranslateLib.uncertainty.noise_level import noise_level


@dataclass(frozen=True, eq=False)
class Spread:
    """Standard deviations over translations, per voxel of the translated slices.

    Attributes:
        perturbed: ``(len(job.indices), H, W)`` float32, over the translation itself and those of perturbed sources.
        dropped: The same over the translation itself and those with one source less; None with a single source.
        noise: Noise of each source as it was estimated, 0..1.
        members: What was translated beside the translation itself, in words.
        fallbacks: What had to be given up, in words.
    """

    perturbed: NDArray[np.float32]
    dropped: NDArray[np.float32] | None
    noise: dict[Contrast, float]
    members: tuple[str, ...]
    fallbacks: tuple[str, ...]


def spread_slices(
    generator: Generator,
    job: SliceJob,
    synthetic: NDArray[np.float32],
    execution: Execution,
    progress: Progress,
    *,
    seed: int,
) -> Spread:
    """Translate perturbed and incomplete sources. The same input on the same device and threads gives the same bits.

    Args:
        generator: Weights loaded; moved to the device and left there.
        job: What was translated.
        synthetic: ``(len(job.indices), H, W)``, the translation, 0..1.
        execution: Where and how.
        progress: Told of each batch as stage ``uncertainty``, 0..1.
        seed: Of the perturbations, not negative.

    Raises:
        CancelledError: If the caller asks to stop.
    """
    brain = np.logical_or.reduce([slices > 0 for slices in job.sources.values()])
    noise = {contrast: noise_level(slices, brain) for contrast, slices in job.sources.items()}
    num_runs = len(MEMBERS) + (len(job.sources) if len(job.sources) > 1 else 0)
    runs = _Runs(generator, execution, progress, num_runs)
    perturbed = Moments(synthetic)
    for number, member in enumerate(MEMBERS):
        progress.step("uncertainty", number / num_runs)
        sources = perturbed_sources(
            job.sources, noise, member, voxel_size_mm=job.voxel_size_mm, seed=seed * len(MEMBERS) + number
        )
        made = runs.translate(replace(job, sources=sources))
        perturbed.add(made[:, :, ::-1] if member.mirrored else made)
    names = [member.name for member in MEMBERS]
    dropped = Moments(synthetic) if len(job.sources) > 1 else None
    if dropped is not None:
        for contrast in job.sources:
            dropped.add(runs.translate(replace(job, sources=without_source(job.sources, contrast))))
            names.append(f"without {contrast}")
    return Spread(
        perturbed.standard_deviation(),
        None if dropped is None else dropped.standard_deviation(),
        noise,
        tuple(names),
        tuple(dict.fromkeys(runs.fallbacks)),
    )


@dataclass
class _Runs:
    """The generator over one member after the other, with the progress of all."""

    generator: Generator
    execution: Execution
    progress: Progress
    total: int
    done: int = 0
    fallbacks: list[str] = field(default_factory=list)

    def translate(self, job: SliceJob) -> NDArray[np.float32]:
        member = self.progress.part(self.done / self.total, (self.done + 1) / self.total, stage="uncertainty")
        result = translate_slices(self.generator, job, self.execution, member)
        self.done += 1
        self.fallbacks += result.fallbacks
        return result.slices


class Moments:
    """Running mean and sum of squared deviations (Welford), so that members need not be kept."""

    def __init__(self, first: NDArray[np.float32]) -> None:
        self.count = 1
        self.mean = first.copy()
        self.squares = np.zeros_like(first)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count one more."""
        self.count += 1
        step = values - self.mean
        self.mean += step / np.float32(self.count)
        self.squares += step * (values - self.mean)

    def standard_deviation(self) -> NDArray[np.float32]:
        """With ``count - 1``: the members are a sample."""
        deviation: NDArray[np.float32] = np.sqrt(self.squares / np.float32(self.count - 1))
        return deviation


def without_source(
    sources: Mapping[Contrast, NDArray[np.float32]], left_out: Contrast
) -> dict[Contrast, NDArray[np.float32]]:
    """The sources but one."""
    return {contrast: slices for contrast, slices in sources.items() if contrast != left_out}
