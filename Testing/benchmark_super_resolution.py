"""Does a low-resolution target help? The super-resolution branch against synthesis alone and against interpolation.

    python Testing/benchmark_super_resolution.py [--steps 300] [--generator-steps 300] [--seeds 1]

Phantoms at 2.5 mm (96 x 96), T1w and T2w to FLAIR. A small 2.5D U-Net is trained to synthesise, then frozen, and one
branch is trained on top for ratio 2, 4 and 8 and for thick slices. Prints peak signal-to-noise ratios in the brain of
people that nothing was trained on, and the processor seconds of training: minutes on one core, a proof of learning.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices, build_generator, one_hot
from MRTranslateLib.networks.low_resolution_target import LowResolutionTarget, of_brain
from MRTranslateLib.networks.super_resolution import (
    SuperResolver,
    build_super_resolver,
    translate_or_super_resolve,
)
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.volume import to_canonical, to_slices
from training.data.degradation import k_space_downsample, through_plane_matrix
from training.losses.distinction import distinction_loss, infinite_ratio_difference

SPACING_MM = 2.5
THICKNESS_MM = 10.0
SOURCES, TARGET = (Contrast.T1W, Contrast.T2W), Contrast.FLAIR
TRAINED, TESTED = range(100, 110), range(200, 203)
"""Seeds of the phantoms."""
TESTED_SLICES = 16
"""Per person, evenly over the brain."""
METHODS = ("synthesis", "interpolation", "combined", "branch")
"""``interpolation`` is of brain alone; for thick slices that is the smoothest thin ones which average to them.
``combined`` is an untrained branch: the synthetic image made to agree with what was acquired."""
ROUTES = ("r = 2", "r = 4", "r = 8", "thick slices")
GENERATOR = {"num_neighbours": 3, "widths": [16, 32, 64], "detail_width": 8, "voxel_width": 32, "blocks_per_level": 1}
BRANCH = {
    "ratios": [1, 2, 4, 8],
    "num_neighbours": 3,
    "widths": [48, 32, 24, 16],
    "heads": [4, 4, 2, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 8,
    "blocks_per_scale": 1,
    "modulation_width": 16,
    "deformable_stride": 2,
}


@dataclass(frozen=True)
class Person:
    """Normalised slices ``(5, S, H, W)`` and the brain ``(S, H, W)``."""

    images: Tensor
    brain: Tensor

    def thick(self, volume: Tensor) -> Tensor:
        """``(S, H, W)`` as thick slices show it, brought back."""
        scan = {"slice_spacing_mm": SPACING_MM, "thickness_mm": THICKNESS_MM, "gap_mm": 0.0}
        matrix = through_plane_matrix(len(volume), **scan).to(volume)
        return torch.einsum("st,thw->shw", matrix, volume)


def make_person(seed: int) -> Person:
    phantom = make_phantom(seed, grid=brain_grid((SPACING_MM,) * 3), contrasts=[*SOURCES, TARGET])
    brain = to_slices(to_canonical(phantom.brain_mask).array)
    images = torch.zeros(len(Contrast), *brain.shape)
    for contrast, volume in phantom.volumes.items():
        slices = to_slices(to_canonical(volume).array)
        images[contrast.channel] = torch.from_numpy(slices / np.percentile(slices[brain], 99.5)).clamp(0, 1)
    return Person(images, torch.from_numpy(np.ascontiguousarray(brain)))


@dataclass(frozen=True)
class Batch:
    """Slices of several people.

    Attributes:
        sources: For the generator.
        sharp: Three neighbouring slices of the target, ``(B, 3, H, W)``.
        people: Whose they are and which.
        brain: ``(B, 1, H, W)``.
    """

    sources: SourceSlices
    sharp: Tensor
    people: list[tuple[Person, int]]
    brain: Tensor


def draw(picks: list[tuple[Person, int]]) -> Batch:
    stacks = torch.stack([person.images[:, middle - 1 : middle + 2] for person, middle in picks])
    brain = torch.stack([person.brain[middle, None] for person, middle in picks]).float()
    availability = torch.zeros(len(picks), len(Contrast))
    availability[:, [contrast.channel for contrast in SOURCES]] = 1
    height = torch.tensor([middle / len(person.brain) for person, middle in picks])
    sources = SourceSlices(stacks * availability[:, :, None, None, None], availability, height)
    return Batch(sources, stacks[:, TARGET.channel], picks, brain)


def synthesise(generator: Generator, person: Person) -> Tensor:
    """The synthetic target ``(S, H, W)``, zero outside the brain."""
    volume = torch.zeros(person.brain.shape)
    for middle in brain_slices(person):
        images = generator.sample(draw([(person, middle)]).sources, one_hot(TARGET, 1))
        volume[middle] = images[0, TARGET.channel] * person.brain[middle]
    return volume


def brain_slices(person: Person) -> list[int]:
    inside = person.brain.any(dim=2).any(dim=1).nonzero()[:, 0].tolist()
    return [middle for middle in inside if 0 < middle < len(person.brain) - 1]


def acquire(route: str, batch: Batch, synthetic: dict[int, Tensor]) -> LowResolutionTarget:
    """The low-resolution target of a route; ``synthetic`` holds each person's synthetic volume, by ``id``."""
    count = len(batch.people)
    if route == "thick slices":
        shown = [person.thick(person.images[TARGET.channel])[i - 1 : i + 2] for person, i in batch.people]
        seen = [person.thick(synthetic[id(person)])[i, None] for person, i in batch.people]
        share = [person.thick(person.brain.float())[i - 1 : i + 2] for person, i in batch.people]
        size = torch.tensor([(THICKNESS_MM / SPACING_MM, 1.0, 1.0)]).expand(count, -1)
        return LowResolutionTarget(torch.stack(shown), size, torch.stack(seen), torch.stack(share))
    ratio = int(route.removeprefix("r = "))
    size = torch.tensor([(1.0, float(ratio), float(ratio))]).expand(count, -1)
    share = k_space_downsample(batch.brain, ratio).expand(-1, batch.sharp.shape[1], -1, -1)
    return LowResolutionTarget(k_space_downsample(batch.sharp, ratio), size, share=share)


def fit(module: torch.nn.Module, loss: Callable[[int], Tensor], steps: int, learning_rate: float) -> float:
    """Train a module; returns the processor seconds it took."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    started = time.process_time()
    for step in range(steps):
        optimizer.zero_grad()
        loss(step).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return time.process_time() - started


def random_batch(people: list[Person], rng: np.random.Generator, count: int) -> Batch:
    chosen = [people[index] for index in rng.integers(len(people), size=count)]
    return draw([(person, int(rng.choice(brain_slices(person)))) for person in chosen])


def train_generator(people: list[Person], seed: int, steps: int) -> Generator:
    torch.manual_seed(seed)
    rng, generator = np.random.default_rng(seed), build_generator("unet25d", GENERATOR)

    def loss(step: int) -> Tensor:
        batch = random_batch(people, rng, 4)
        predicted = generator.train_pred(batch.sources, one_hot(TARGET, 4))[:, TARGET.channel, None]
        return masked_error(predicted, batch)

    seconds = fit(generator, loss, steps, 3e-3)
    print(f"seed {seed}: generator {steps} steps in {seconds:.0f} s of processor time", flush=True)
    return generator.eval().requires_grad_(False)


def train_branch(people: list[Person], generator: Generator, seed: int, steps: int) -> SuperResolver:
    rng, resolver = np.random.default_rng(seed), build_super_resolver(BRANCH)
    volumes = {id(person): synthesise(generator, person) for person in people}

    def loss(step: int) -> Tensor:
        batch = random_batch(people, rng, 2)
        synthetic = torch.stack([volumes[id(person)][middle, None] for person, middle in batch.people])
        given = acquire(ROUTES[step % len(ROUTES)], batch, volumes)
        resolved = resolver(given, synthetic, batch.sources.images[:, :, 1])
        difference = infinite_ratio_difference(batch.sharp[:, 1:2], synthetic)
        return masked_error(resolved.prediction, batch) + distinction_loss(resolved.distinction, difference)

    seconds = fit(resolver, loss, steps, 1e-3)
    print(f"seed {seed}: branch {steps} steps in {seconds:.0f} s of processor time", flush=True)
    return resolver.eval()


def masked_error(predicted: Tensor, batch: Batch) -> Tensor:
    return ((predicted - batch.sharp[:, 1:2]).abs() * batch.brain).sum() / batch.brain.sum()


def score(generator: Generator, branches: list[SuperResolver], people: list[Person]) -> dict[str, list[float]]:
    """Ratio over all brain voxels of a person (data range 1), mean over people; per route one of each method."""
    scores: dict[str, list[float]] = {}
    volumes = {id(person): synthesise(generator, person) for person in people}
    for route in ROUTES:
        rows = []
        for person in people:
            inside = brain_slices(person)
            chosen = [inside[round(index)] for index in np.linspace(0, len(inside) - 1, TESTED_SLICES)]
            errors = [slice_errors(generator, branches, volumes, draw([(person, middle)]), route) for middle in chosen]
            rows.append([float(-10 * torch.cat(each).square().mean().log10()) for each in zip(*errors, strict=True)])
        scores[route] = [statistics.mean(column) for column in zip(*rows, strict=True)]
    return scores


def slice_errors(
    generator: Generator, branches: list[SuperResolver], volumes: dict[int, Tensor], batch: Batch, route: str
) -> list[Tensor]:
    """Differences from the truth in the brain of one slice, for each of ``METHODS``."""
    code, given, truth = one_hot(TARGET, 1), acquire(route, batch, volumes), batch.sharp[:, 1:2]
    images = [
        translate_or_super_resolve(generator, None, batch.sources, code)[:, TARGET.channel, None],
        of_brain(*(enlarged(values[:, 1:2], truth) for values in (given.images, given.share))),
    ]
    for branch in branches:
        result = translate_or_super_resolve(generator, branch, batch.sources, code, given)
        images.append(result[:, TARGET.channel, None])
    return [(image - truth)[batch.brain > 0] for image in images]


def enlarged(images: Tensor, like: Tensor) -> Tensor:
    """By bicubic interpolation in plane; thick slices are on the full grid already."""
    return functional.interpolate(images, size=like.shape[-2:], mode="bicubic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--generator-steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    trained, tested = [make_person(seed) for seed in TRAINED], [make_person(seed) for seed in TESTED]
    count = sum(values.numel() for values in build_super_resolver(BRANCH).parameters())
    print(f"{len(trained)} people to train, {len(tested)} to test; branch of {count / 1e6:.2f} M parameters")
    runs = []
    for seed in range(arguments.seeds):
        generator = train_generator(trained, seed, arguments.generator_steps)
        torch.manual_seed(seed)
        untrained = build_super_resolver(BRANCH).eval()
        branch = train_branch(trained, generator, seed, arguments.steps)
        runs.append(score(generator, [untrained, branch], tested))
    print(f"{'PSNR in the brain, dB':<24}{''.join(method.rjust(16) for method in METHODS)}")
    for route in ROUTES:
        cells = []
        for index in range(len(METHODS)):
            values = [run[route][index] for run in runs]
            spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread}".rjust(16))
        print(f"{route:<24}{''.join(cells)}")


if __name__ == "__main__":
    main()
