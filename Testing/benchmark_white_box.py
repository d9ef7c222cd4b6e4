"""How far attacks with gradients can push finished runs: noise, FGSM, PGD, and PGD made against another run.

    python Testing/benchmark_white_box.py RUN [RUN ...] [--epsilon 2 4 8 16 32] [--slices 16]

RUN is a folder with a checkpoint, as `python -m training ablate` leaves them. Phantoms that no ablation trains on, T1w
and T2w to FLAIR; the bound is epsilon / 255 of the 99.5th percentile of the brain. Prints brain PSNR in dB (METHODS 8).
PGD above FGSM, or FGSM above noise, means masked gradients (METHODS 9.7). With several runs, each is also shown what
was made against the first of the others: the transfer attack, which knows nothing of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices, one_hot
from MRTranslateLib.robustness.attack.bounds import Bounds
from training.attackers.white_box import DifferentiableScore, fgsm, pgd, random_noise, transfer_pgd
from training.checkpoint import load_checkpoint
from training.config import DataConfig
from training.data.phantom_scans import phantom_scans
from training.data.sampler import SliceSampler, TrainingBatch
from training.export import shipped_generator

NUM_PEOPLE, FIRST_SEED, SPACING_MM, SLICE_SEED = 4, 9000, 3.0, 5
CROP_VOXELS = (64, 64)
TARGET = Contrast.FLAIR
COLUMNS = ("clean", "noise", "FGSM", "PGD", "transfer")


class Victim:
    """A run's generator on fixed slices: its error, with or without gradients."""

    def __init__(self, run: Path, num_slices: int) -> None:
        self.name = run.name
        self.generator: Generator = shipped_generator(load_checkpoint(run)).eval().requires_grad_(False)
        scans = phantom_scans(NUM_PEOPLE, spacing_mm=SPACING_MM, first_seed=FIRST_SEED)
        data = DataConfig(
            realign=(), crop_voxels=CROP_VOXELS, lesion_fraction=0.3, source_count_weights=(0.0, 1.0, 0.0)
        )
        sampler = SliceSampler(scans, data, num_neighbours=self.generator.num_neighbours, seed=SLICE_SEED)
        drawn: TrainingBatch = sampler.draw(0, num_slices)
        self.availability = drawn.acquired.clone()
        self.availability[:, TARGET.channel] = 0
        self.images = drawn.images * self.availability[:, :, None, None, None]
        self.height, self.brain = drawn.height, drawn.brain
        self.truth = drawn.images[:, TARGET.channel, drawn.images.shape[2] // 2, None]
        self.code = one_hot(TARGET, num_slices)

    def errors(self, images: Tensor, power: int) -> Tensor:
        """Mean of |error|^power in the brain of each slice, ``(B,)``."""
        predicted = self.generator.train_pred(SourceSlices(images, self.availability, self.height), self.code)
        difference = (predicted[:, TARGET.channel, None] - self.truth).abs() ** power
        total: Tensor = (difference * self.brain).sum((1, 2, 3)) / self.brain.sum((1, 2, 3)).clamp(min=1)
        return total

    @property
    def score(self) -> DifferentiableScore:
        """What attacks raise."""
        return lambda images: self.errors(images, 1)

    @torch.no_grad()
    def psnr_db(self, images: Tensor) -> float:
        """Mean over slices."""
        return float((-10 * self.errors(images, 2).log10()).mean())


def attacked_row(victim: Victim, other: Victim | None, bounds: Bounds) -> list[float]:
    """Brain PSNR for each of ``COLUMNS``; not a number without another run to transfer from."""
    images, brain, score = victim.images, victim.brain, victim.score
    shown = [
        images,
        random_noise(images, brain, bounds, seed=0),
        fgsm(images, brain, score, bounds),
        pgd(images, brain, score, bounds, seed=0),
    ]
    row = [victim.psnr_db(each) for each in shown]
    if other is None or other.images.shape != images.shape:
        return [*row, float("nan")]
    transferred = transfer_pgd(images, brain, other.score, lambda seen: score(seen).detach(), bounds, seed=0)
    return [*row, victim.psnr_db(transferred.images)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--epsilon", nargs="+", type=float, default=[1, 2, 4, 8, 16], help="in 1/255")
    parser.add_argument("--slices", type=int, default=16)
    arguments = parser.parse_args()
    victims = [Victim(run, arguments.slices) for run in arguments.runs]
    print(f"| run | epsilon / 255 | {' | '.join(COLUMNS)} |\n|---|---|---|---|---|---|---|")
    for victim in victims:
        others = [each for each in victims if each is not victim]
        for epsilon in arguments.epsilon:
            row = attacked_row(victim, others[0] if others else None, Bounds(epsilon / 255))
            print(f"| {victim.name} | {epsilon:g} | {' | '.join(f'{value:.2f}' for value in row)} |", flush=True)


if __name__ == "__main__":
    main()
