"""How much of a misalignment label correction recovers: system C's network, trained on phantoms on the CPU.

    python Testing/benchmark_label_correction.py [--steps 1200] [--affine-level 2] [--elastic-voxels 2] [--seeds 1]

No training pair is aligned and no training pair's misalignment is known to the training: each slice of the target was
moved once (RegGAN's affine level, then elastic). A small generator learns T1w to T2w from these pairs; the correction
learns from its translations, moved by flows of our own, and by comparing corrected targets with translations; what the
flows of many slices have in common is taken off them, as ``subtract_mean_flow`` does (one seed of three drifted without
it). A second generator learns from the targets as they are. Prints what is recovered on phantoms that nobody has seen,
the share of the brain that folds, and what either generator is worth against the aligned truth, with several seeds as
mean and standard deviation. Asked for: 70 % and below 0.1 %.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from MRTranslateLib.networks.warp import folding_share, warp
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.preprocessing.normalization import brain_scale, normalize
from MRTranslateLib.volume import to_canonical, to_slices
from training.data.misalignment import Misalignment, draw_misalignment
from training.distributed import ALONE
from training.losses.label_correction import image_terms, known_flow_terms
from training.losses.masked_error import masked_absolute_error, masked_squared_error
from training.monitors import FoldingMonitor, GaugeMonitor
from training.networks.label_correction import CorrectedTarget, LabelCorrection
from training.stages.mean_flow import MeanFlow

SOURCE, TARGET = Contrast.T1W, Contrast.T2W
TRAINING_SEEDS, TEST_SEEDS = range(10, 26), range(100, 104)
PATHOLOGIES = ("glioma", "none", "multiple sclerosis")
SPACING_MM, FIELD_OF_VIEW_MM = (3.0, 3.0, 3.0), (192.0, 192.0, 156.0)
SIZE = (64, 64)
LEAST_BRAIN_VOXELS = 600
"""Slices with less show hardly anything to register."""
BATCH_SIZE = 8
WARM_UP_SHARE = 0.15
"""Of the steps, in which the generators learn alone."""
LEARNING_RATE = 1e-3
OVERDRIVE = 1.25
"""Known flows are drawn this much larger than the unknown ones, so that those lie well inside."""
TRANSLATION_NOISE = 0.02
"""Added to translations before they are moved: real targets are noisy, and smooth ones are easier to match."""
PARAMETERS = RegistrationUNetParameters(
    widths=(16, 32, 32, 32), bottleneck_width=64, num_bottleneck_blocks=2, max_flow_voxels=12.0, diffeomorphic=False
)


@dataclass(frozen=True)
class Slices:
    """Axial slices of several phantoms, 0..1: ``(S, 1, 64, 64)`` each, ``moved`` being the misaligned target."""

    source: Tensor
    target: Tensor
    brain: Tensor
    moved: Tensor
    motion: Misalignment


def make_slices(seeds: range, affine_level: float, elastic_voxels: float, random: torch.Generator) -> Slices:
    """Phantoms cut into slices, each target moved by its own motion."""
    parts = torch.cat([_phantom_slices(seed) for seed in seeds])
    source, target, brain = parts.split(1, dim=1)
    motion = draw_misalignment(
        len(parts), SIZE, affine_level=affine_level, elastic_voxels=elastic_voxels, random=random
    )
    return Slices(source, target, brain, motion.move(target), motion)


def _phantom_slices(seed: int) -> Tensor:
    grid = brain_grid(SPACING_MM, field_of_view_mm=FIELD_OF_VIEW_MM)
    phantom = make_phantom(seed, pathology=PATHOLOGIES[seed % 3], grid=grid, contrasts=(SOURCE, TARGET))
    mask = to_canonical(phantom.brain_mask)
    images = [to_canonical(phantom.volumes[contrast]) for contrast in (SOURCE, TARGET)]
    scaled = [normalize(image.array, brain_scale(image, mask)) * mask.array for image in images]
    stacks = np.stack([to_slices(array.astype(np.float32)) for array in (*scaled, mask.array)], axis=1)
    return torch.from_numpy(stacks[stacks[:, 2].sum(axis=(1, 2)) >= LEAST_BRAIN_VOXELS])


def small_generator() -> nn.Sequential:
    """Enough for phantoms, whose contrasts depend on the tissue under each voxel."""
    layers: list[nn.Module] = []
    for in_channels, kernel in ((1, 5), (32, 3), (32, 3)):
        layers += [nn.Conv2d(in_channels, 32, kernel, padding=kernel // 2), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.Conv2d(32, 1, 1))


def route(source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, availability and target code as the networks want them."""
    sources = torch.zeros(len(source), len(Contrast), *source.shape[2:])
    sources[:, SOURCE.channel] = source[:, 0]
    availability, target_code = torch.zeros(2, len(source), len(Contrast))
    availability[:, SOURCE.channel], target_code[:, TARGET.channel] = 1, 1
    return sources, availability, target_code


class Experiment:
    """Both generators, the correction, and one step of all three."""

    def __init__(self, data: Slices, affine_level: float, elastic_voxels: float, random: torch.Generator) -> None:
        self.data, self.random = data, random
        self.levels = {"affine_level": OVERDRIVE * affine_level, "elastic_voxels": OVERDRIVE * elastic_voxels}
        self.uncorrected, self.corrected = small_generator(), small_generator()
        self.correction = LabelCorrection(PARAMETERS)
        self.corrected.load_state_dict(self.uncorrected.state_dict())
        generators = [*self.uncorrected.parameters(), *self.corrected.parameters()]
        self.generator_optimizer = torch.optim.Adam(generators, lr=LEARNING_RATE)
        self.correction_optimizer = torch.optim.Adam(self.correction.parameters(), lr=LEARNING_RATE)
        self.mean_flow = MeanFlow(ALONE)
        self.monitors = (FoldingMonitor("label correction"), GaugeMonitor("label correction"))

    def step(self, progress: float) -> None:
        """One step; ``progress`` is 0 at the first and 1 at the last."""
        chosen = torch.randint(len(self.data.source), (BATCH_SIZE,), generator=self.random)
        source, moved, brain = (images[chosen] for images in (self.data.source, self.data.moved, self.data.brain))
        translation, label = self.corrected(source), moved
        if progress > WARM_UP_SHARE:
            label = self._correct(source, moved, brain, translation.detach(), progress)
        loss = masked_absolute_error(translation, label, brain)
        loss = loss + masked_absolute_error(self.uncorrected(source), moved, brain)
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()

    def _correct(self, source: Tensor, moved: Tensor, brain: Tensor, translation: Tensor, progress: float) -> Tensor:
        """Train the correction; returns the corrected targets."""
        for group in self.correction_optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, 2 * (1 - progress))
        motion = draw_misalignment(len(source), SIZE, random=self.random, **self.levels)
        noise = TRANSLATION_NOISE * torch.randn(translation.shape, generator=self.random)
        known = motion.move((translation + noise).clamp(0, 1) * brain)
        both = self.correction(torch.cat([moved, known]), *route(source.repeat(2, 1, 1, 1)))
        flow = self.mean_flow.taken_off(both.flow[: len(source)], brain)
        real = CorrectedTarget(warp(moved, flow), flow)
        self_moved = CorrectedTarget(both.image[len(source) :], both.flow[len(source) :])
        terms = [
            *image_terms(real, translation, brain).values(),
            *known_flow_terms(self_moved, motion.correction, brain).values(),
        ]
        self.correction_optimizer.zero_grad()
        torch.stack(terms).sum().backward()
        nn.utils.clip_grad_norm_(self.correction.parameters(), 1.0)
        self.correction_optimizer.step()
        for monitor in self.monitors:
            monitor.observe(real.flow, brain)
        return real.image.detach()


@dataclass(frozen=True)
class Outcome:
    """Shares of displacement and of brain, 0..1, and brain PSNR in dB, on phantoms that nobody has seen."""

    recovered: float
    folded: float
    uncorrected_db: float
    corrected_db: float

    def __str__(self) -> str:
        return (
            f"recovered {self.recovered:.1%} of the displacement inside the brain, {self.folded:.3%} folds; brain PSNR "
            f"of the generator {self.corrected_db:.2f} dB with correction, {self.uncorrected_db:.2f} dB without"
        )


def summary(outcomes: list[Outcome]) -> str:
    """Mean and standard deviation over the seeds, and the gain of each seed against its own control."""
    rows = {
        "recovered, %": [100 * each.recovered for each in outcomes],
        "folds, %": [100 * each.folded for each in outcomes],
        "without correction, dB": [each.uncorrected_db for each in outcomes],
        "with correction, dB": [each.corrected_db for each in outcomes],
        "gain, dB": [each.corrected_db - each.uncorrected_db for each in outcomes],
    }
    shown = (
        f"{name:<24}{statistics.mean(row):8.3f} +- {statistics.stdev(row):.3f}, {min(row):.3f} to {max(row):.3f}"
        for name, row in rows.items()
    )
    return "\n".join([f"{len(outcomes)} seeds", *shown])


@torch.no_grad()
def judge(experiment: Experiment, test: Slices) -> Outcome:
    """Recovered share, folding and what the generators are worth, on unseen phantoms."""
    batches = zip(test.moved.split(32), test.source.split(32), strict=True)
    flow = torch.cat([experiment.correction(moved, *route(source)).flow for moved, source in batches])
    share, folded = test.motion.recovered_share(flow, test.brain).item(), folding_share(flow, test.brain).item()
    quality = []
    for generator in (experiment.uncorrected, experiment.corrected):
        error = masked_squared_error(generator(test.source), test.target, test.brain).item()
        quality.append(float(-10 * np.log10(error)))
    return Outcome(share, folded, *quality)


def run(seed: int, steps: int, levels: tuple[float, float]) -> Outcome:
    """Draw the misalignments of a seed, train with it, and say how it goes four times."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    training, test = (make_slices(seeds, *levels, random) for seeds in (TRAINING_SEEDS, TEST_SEEDS))
    lengths = test.motion.correction.norm(dim=1, keepdim=True)[test.brain > 0]
    print(
        f"seed {seed}: {len(training.source)} slices of {len(TRAINING_SEEDS)} phantoms to train, {len(test.source)} of "
        f"{len(TEST_SEEDS)} to test; displacement mean {lengths.mean():.2f}, largest {lengths.max():.1f} voxels of "
        f"{SPACING_MM[0]:g} mm"
    )
    experiment = Experiment(training, *levels, random)
    wall, processor = time.perf_counter(), time.process_time()
    for step in range(steps):
        experiment.step(step / max(steps - 1, 1))
        if (step + 1) % max(steps // 4, 1) == 0:
            took = f"{time.perf_counter() - wall:.0f} s, {time.process_time() - processor:.0f} s of processor"
            print(f"step {step + 1} ({took}): {judge(experiment, test)}", flush=True)
    return judge(experiment, test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--affine-level", type=float, default=2)
    parser.add_argument("--elastic-voxels", type=float, default=2)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 1 on")
    arguments = parser.parse_args()
    levels = arguments.affine_level, arguments.elastic_voxels
    outcomes = [run(seed, arguments.steps, levels) for seed in range(1, arguments.seeds + 1)]
    if len(outcomes) > 1:
        print(summary(outcomes))


if __name__ == "__main__":
    main()
