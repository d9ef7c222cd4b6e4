"""What a training step sees: augmented sources, clean targets, and every wanted contrast as one row of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.networks.generator import SourceSlices, Truth
from training.data.sampler import TrainingBatch


@dataclass(frozen=True)
class Pairs:
    """Every wanted contrast of every slice as one row, for networks that look at one contrast at a time.

    Attributes:
        rows: ``(P,)``, the slice of the batch.
        channels: ``(P,)``, the wanted contrast.
        sources: ``(P, 5, H, W)``, the middle slices as given to the generator, 0..1.
        availability: ``(P, 5)``.
        target_code: ``(P, 5)``, one-hot.
        truth: ``(P, 1, H, W)``, the real target, 0..1.
        brain: ``(P, 1, H, W)``, 0/1.
        lesion: ``(P, 1, H, W)``, 0/1.
    """

    rows: Tensor
    channels: Tensor
    sources: Tensor
    availability: Tensor
    target_code: Tensor
    truth: Tensor
    brain: Tensor
    lesion: Tensor

    def pick(self, predicted: Tensor) -> Tensor:
        """``(P, 1, H, W)``: the wanted contrasts of ``(B, 5, H, W)``."""
        return predicted[self.rows, self.channels][:, None]

    @property
    def condition(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sources, availability and target code: the arguments that most networks share."""
        return self.sources, self.availability, self.target_code


@dataclass(frozen=True)
class StepBatch:
    """One step's slices after augmentation.

    Attributes:
        slices: What the generator is given.
        target_code: ``(B, 5)``, every acquired contrast that is withheld.
        truth: ``(B, 5, H, W)``, middle slices of every acquired contrast, not changed in brightness.
        stacks: ``(B, 5, N, H, W)``, the same with neighbouring slices, as many as the stage asked for.
        source_stacks: ``(B, 5, N, H, W)``, the sources with as many; zero where a contrast is not given.
        brain: ``(B, 1, H, W)``, 0/1.
        lesion: ``(B, 1, H, W)``, 0/1.
    """

    slices: SourceSlices
    target_code: Tensor
    truth: Tensor
    stacks: Tensor
    source_stacks: Tensor
    brain: Tensor
    lesion: Tensor

    def pairs(self) -> Pairs:
        """Every wanted contrast as one row, slices in order."""
        rows, channels = self.target_code.nonzero(as_tuple=True)
        return Pairs(
            rows,
            channels,
            middle_slices(self.slices)[rows],
            self.slices.availability[rows],
            torch.eye(self.target_code.shape[1], device=rows.device)[channels],
            self.truth[rows, channels][:, None],
            self.brain[rows],
            self.lesion[rows],
        )


def step_batch(batch: TrainingBatch, source_images: Tensor, num_neighbours: int) -> StepBatch:
    """From a drawn batch and its augmented sources, of which the generator sees the middle slices."""
    middle = batch.images.shape[2] // 2
    seen = source_images[:, :, middle - num_neighbours // 2 : middle + num_neighbours // 2 + 1]
    return StepBatch(
        SourceSlices(seen, batch.availability, batch.height),
        batch.target_code,
        batch.images[:, :, middle],
        batch.images,
        source_images,
        batch.brain,
        batch.lesion,
    )


def truth_of(batch: StepBatch, random: torch.Generator) -> Truth:
    """What a generator's own objective may learn from, with a seed of this step."""
    return Truth(batch.truth, int(torch.randint(1 << 31, (1,), generator=random)))


def middle_slices(slices: SourceSlices) -> Tensor:
    """``(B, 5, H, W)``: the slices that are translated, zero where a contrast is missing."""
    middle = slices.images[:, :, slices.images.shape[2] // 2]
    return middle * slices.availability[:, :, None, None].to(middle)
