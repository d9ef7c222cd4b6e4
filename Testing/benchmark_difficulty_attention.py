"""Does the local discriminator's attention find the errors, and does weighting by it help inside the lesion?

    python Testing/benchmark_difficulty_attention.py [--seeds 1] [--steps 500]

T1w and T2w to FLAIR on 2D slices of phantoms with lesions, tiny networks, 64 x 64 crops, one core. Each seed trains a
generator on absolute error and goes on from there in four ways, with both discriminators: uniform weights, focal
(target-driven) weights, difficulty weights, and difficulty weights from a discriminator with error-aware labels.

The level of each image is set by its healthy brain and the bias field is nearly flat: how bright FLAIR is as a whole no
source shows, and that error would drown what is asked here. On people not seen in training it prints, as the mean and
standard deviation over people and seeds:

* AUROC of ``(1 - M)^2``, and of controls that need no discriminator, against the 10 % largest absolute errors;
* the attention's mean inside the lesion and in the rest of the brain, in multiples of the slice's mean;
* mean absolute errors in brain and lesion under each weighting, in percent of the 99.5th percentile.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_gradient_magnitude
from sklearn.metrics import roc_auc_score
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices, build_generator, one_hot
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, LocalDiscriminatorParameters, difficulty
from MRTranslateLib.phantoms import brain_grid, make_phantom
from training.losses.adversarial import ADVERSARIAL_LOSSES, logit_weight
from training.losses.difficulty_attention import difficulty_weight, focal_weight, ramp, uniform_weight
from training.losses.error_aware_labels import closeness, error_aware_discriminator_loss
from training.losses.gradient_difference import gradient_difference
from training.losses.masked_error import masked_absolute_error
from training.networks.accuracy import DiscriminatorAccuracy, accuracy
from training.networks.global_discriminator import GlobalDiscriminator

SOURCES, TARGET = (Contrast.T1W, Contrast.T2W), Contrast.FLAIR
CROP_VOXELS, BATCH_SIZE, SPACING_MM = 64, 8, 2.0
ADVERSARIAL_WEIGHT, GRADIENT_WEIGHT, STRENGTH = 0.05, 0.05, 0.5  # METHODS 2.3
GENERATOR = {"num_neighbours": 1, "widths": [16, 32], "detail_width": 8, "voxel_width": 16, "blocks_per_level": 1}
DISCRIMINATOR = LocalDiscriminatorParameters(
    widths=(16, 32, 32, 64), normalization="group", spectral_norm=True, sees_sources=True, logit_stride_voxels=8
)
WEIGHTINGS = ("uniform", "focal", "difficulty", "error-aware")
LOSS = ADVERSARIAL_LOSSES["binary_cross_entropy"]


@dataclass(frozen=True)
class Slices:
    """Slices: sources ``(n, 2, H, W)``, the rest ``(n, 1, H, W)``; intensities about 0..1, brain and lesion 0 or 1."""

    sources: Tensor
    truth: Tensor
    brain: Tensor
    lesion: Tensor

    def take(self, *index: object) -> Slices:
        return Slices(*(values[index] for values in vars(self).values()))


def person(seed: int) -> Slices:
    """Every second axial slice of a phantom that holds enough brain."""
    grid = brain_grid((SPACING_MM, SPACING_MM, 2 * SPACING_MM), field_of_view_mm=(192, 240, 160))
    pathology = "glioma" if seed % 2 else "multiple sclerosis"
    phantom = make_phantom(seed, pathology=pathology, grid=grid, contrasts=(*SOURCES, TARGET), bias=0.03)
    brain, lesion = phantom.brain_mask.array, phantom.labels.array > 0
    images = [phantom.volumes[contrast].array for contrast in (*SOURCES, TARGET)]
    images = [np.clip(image / np.percentile(image[brain & ~lesion], 99.5), 0, 1.5) for image in images]
    kept = brain.sum(axis=(0, 1)) > 500
    stacks = np.stack([*images, brain, lesion])[..., kept].astype(np.float32).transpose(3, 0, 1, 2)
    return Slices(*torch.from_numpy(stacks).split([len(SOURCES), 1, 1, 1], dim=1))


def draw(people: list[Slices], rng: np.random.Generator) -> Slices:
    """Crops, half of them from slices that cut a lesion."""
    crops = []
    for _ in range(BATCH_SIZE):
        one = people[rng.integers(len(people))]
        with_lesion = one.lesion.sum(dim=(1, 2, 3)).nonzero().flatten().numpy()
        index = int(rng.choice(with_lesion) if rng.random() < 0.5 else rng.integers(len(one.truth)))
        row, column = (int(rng.integers(0, size - CROP_VOXELS + 1)) for size in one.truth.shape[-2:])
        crops.append(
            one.take(
                slice(index, index + 1), slice(None), slice(row, row + CROP_VOXELS), slice(column, column + CROP_VOXELS)
            )
        )
    return Slices(*(torch.cat([vars(crop)[name] for crop in crops]) for name in vars(crops[0])))


def condition(slices: Slices) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, availability and target code as discriminators take them."""
    count = len(slices.truth)
    sources = torch.zeros(count, len(Contrast), *slices.truth.shape[2:])
    sources[:, [contrast.channel for contrast in SOURCES]] = slices.sources
    availability = torch.stack([one_hot(contrast, count) for contrast in SOURCES]).sum(dim=0)
    return sources, availability, one_hot(TARGET, count)


def translate(generator: Generator, slices: Slices) -> Tensor:
    sources, availability, code = condition(slices)
    batch = SourceSlices(sources[:, :, None], availability, torch.full((len(sources),), 0.5))
    return generator.train_pred(batch, code)[:, TARGET.channel, None] * slices.brain


def base_steps(num_steps: int) -> int:
    """Steps on absolute error alone; the rest is adversarial."""
    return num_steps * 3 // 5


class Training:
    """Generator and discriminators of one weighting; ``step`` counts both stages."""

    def __init__(self, seed: int, num_steps: int) -> None:
        torch.manual_seed(seed)
        self.seed, self.num_steps, self.step = seed, num_steps, 0
        self.generator = build_generator("unet25d", GENERATOR)
        self.local, self.overall = LocalDiscriminator(DISCRIMINATOR), GlobalDiscriminator(DISCRIMINATOR)
        self.for_generator = torch.optim.Adam(self.generator.parameters(), 2e-3, betas=(0.5, 0.99))
        judges = [*self.local.parameters(), *self.overall.parameters()]
        self.for_judges = torch.optim.Adam(judges, 1e-3, betas=(0.5, 0.99))
        self.accuracy = DiscriminatorAccuracy(50)

    def run(self, people: list[Slices], until: int, weighting: str) -> None:
        while self.step < until:
            batch = draw(people, np.random.default_rng((self.seed, self.step)))
            synthetic = translate(self.generator, batch)
            adversarial = self.step >= base_steps(self.num_steps)
            if adversarial:
                self.judges_step(batch, synthetic.detach(), error_aware=weighting == "error-aware")
            weight = self.weight(weighting, batch, synthetic) if adversarial else uniform_weight(batch.brain)
            loss = masked_absolute_error(synthetic, batch.truth, batch.brain * weight)
            loss = loss + GRADIENT_WEIGHT * gradient_difference(synthetic, batch.truth, batch.brain)
            if adversarial:
                loss = loss + ADVERSARIAL_WEIGHT * self.deception(batch, synthetic)
            self.for_generator.zero_grad()
            loss.backward()
            self.for_generator.step()
            self.step += 1

    def judges_step(self, batch: Slices, synthetic: Tensor, *, error_aware: bool) -> None:
        given = condition(batch)
        of_real, of_synthetic = (self.local(*given, image) for image in (batch.truth, synthetic))
        counted = logit_weight(batch.brain, of_real)
        close = torch.zeros_like(counted)
        if error_aware:
            close = closeness(synthetic, batch.truth, batch.brain, of_synthetic)
        loss = error_aware_discriminator_loss(of_real, of_synthetic, close, counted)  # plain labels are closeness 0
        loss = loss + LOSS.discriminator(self.overall(*given, batch.truth), self.overall(*given, synthetic), None)
        self.accuracy.update(accuracy(LOSS.margins(of_real, of_synthetic, None), counted))
        self.for_judges.zero_grad()
        loss.backward()
        self.for_judges.step()

    def deception(self, batch: Slices, synthetic: Tensor) -> Tensor:
        given = condition(batch)
        of_local, of_overall = self.local(*given, synthetic), self.overall(*given, synthetic)
        return LOSS.generator(of_local, of_local, logit_weight(batch.brain, of_local)) + LOSS.generator(
            of_overall, of_overall, None
        )

    def weight(self, weighting: str, batch: Slices, synthetic: Tensor) -> Tensor:
        strength = STRENGTH * ramp(self.step, start=self.num_steps * 7 // 10, length=self.num_steps // 10)
        if weighting == "focal":
            return focal_weight(synthetic, batch.truth, batch.brain, strength=strength)
        if weighting in ("difficulty", "error-aware"):
            with torch.no_grad():
                confidence = self.local.confidence(*condition(batch), synthetic)
            return difficulty_weight(confidence, batch.brain, strength=strength)
        return uniform_weight(batch.brain)


@torch.no_grad()
def measure(training: Training, slices: Slices) -> dict[str, float]:
    """What the heading of this file promises, of one person."""
    generator, local = training.generator.eval(), training.local.eval()
    synthetic = translate(generator, slices)
    attention = difficulty(local.confidence(*condition(slices), synthetic))
    training.generator.train()
    training.local.train()
    brain, lesion = slices.brain.bool().numpy(), slices.lesion.bool().numpy() & slices.brain.bool().numpy()
    error = (synthetic - slices.truth).abs().numpy()
    hardest = error[brain] >= np.quantile(error[brain], 0.9)
    edges = np.stack([gaussian_gradient_magnitude(one[0], 1.0) for one in slices.sources.numpy()])[:, None]
    depth = np.stack([distance_transform_edt(one[0]) for one in brain])[:, None]
    relative = (
        attention / ((attention * slices.brain).sum((2, 3), keepdim=True) / slices.brain.sum((2, 3), keepdim=True))
    ).numpy()
    return {
        "AUROC attention": float(roc_auc_score(hardest, attention.numpy()[brain])),
        "AUROC source gradient": float(roc_auc_score(hardest, edges[brain])),
        "AUROC nearness to the rim": float(roc_auc_score(hardest, -depth[brain])),
        "AUROC lesion mask": float(roc_auc_score(hardest, lesion[brain].astype(float))),
        "attention in the lesion": float(relative[lesion].mean()),
        "attention elsewhere": float(relative[brain & ~lesion].mean()),
        "brain error %": 100 * float(error[brain].mean()),
        "lesion error %": 100 * float(error[lesion].mean()),
        "accuracy of local D": training.accuracy.value,
    }


def _spread(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seen, unseen = [person(seed) for seed in range(8)], [person(seed) for seed in range(100, 104)]
    print(f"{len(seen)} people to train, {len(unseen)} unseen; {time.process_time():.0f} s to make them")
    rows: dict[str, list[dict[str, float]]] = {weighting: [] for weighting in WEIGHTINGS}
    for seed in range(arguments.seeds):
        base = Training(seed, arguments.steps)
        base.run(seen, base_steps(arguments.steps), "uniform")
        for weighting in WEIGHTINGS:
            training = copy.deepcopy(base)
            training.run(seen, arguments.steps, weighting)
            people = [measure(training, slices) for slices in unseen]
            rows[weighting].append({name: statistics.mean(row[name] for row in people) for name in people[0]})
    print(f"{'mean over people, ± over seeds':30}" + "".join(f"{weighting:>14}" for weighting in WEIGHTINGS))
    for name in rows["uniform"][0]:
        values = [[row[name] for row in rows[weighting]] for weighting in WEIGHTINGS]
        print(f"{name:30}" + "".join(f"{statistics.mean(v):8.3f} ±{_spread(v):5.3f}" for v in values))
    print(f"seeds: {arguments.seeds}, steps: {arguments.steps}, processor time: {time.process_time():.0f} s")


if __name__ == "__main__":
    main()
