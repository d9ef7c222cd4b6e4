"""Draws batches of 2.5D training slices; a step's batch depends on the seed and the step's number alone.

That makes resuming exact: there is no generator state to keep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from training.config import DataConfig
from training.data.cache import CachedScan

NUM_CONTRASTS = len(Contrast)
Window: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""First row and column, which may lie outside the slice, and height and width."""


@dataclass(frozen=True)
class TrainingBatch:
    """Slices of several people.

    Attributes:
        images: ``(B, 5, N, H, W)`` float32 0..1, every acquired contrast, the sources and the targets alike.
        acquired: ``(B, 5)``, 1 where the person has the contrast.
        availability: ``(B, 5)``, 1 where it is given to the generator; a proper, non-empty subset of ``acquired``.
        height: ``(B,)``, 0 at the lowest and 1 at the highest slice of the brain.
        brain: ``(B, 1, H, W)``, 1 inside the brain.
        lesion: ``(B, 1, H, W)``, 1 inside a drawn lesion.
    """

    images: Tensor
    acquired: Tensor
    availability: Tensor
    height: Tensor
    brain: Tensor
    lesion: Tensor

    @property
    def target_code(self) -> Tensor:
        """``(B, 5)``, 1 for each contrast that was acquired but is withheld from the generator."""
        return self.acquired - self.availability

    def to(self, device: torch.device) -> TrainingBatch:
        """The same on a device."""
        return TrainingBatch(*(values.to(device, non_blocking=True) for values in vars(self).values()))


class SliceSampler:
    """Draws people evenly, then slices, with an extra share of slices that cut a lesion."""

    def __init__(self, scans: list[CachedScan], config: DataConfig, *, num_neighbours: int, seed: int) -> None:
        self.scans = [scan for scan in scans if len(scan.images) >= 2]
        if not self.scans:
            raise ValueError("no scan has two contrasts: nothing to translate")
        self.config, self.num_neighbours, self.seed = config, num_neighbours, seed
        self._brain_slices = [np.flatnonzero(scan.brain.any(axis=(1, 2))) for scan in self.scans]
        self._lesion_slices = [np.flatnonzero(scan.lesion.any(axis=(1, 2))) for scan in self.scans]

    def draw(
        self, step: int, batch_size: int, *, rows: Iterable[int] | None = None, num_neighbours: int | None = None
    ) -> TrainingBatch:
        """The batch of one step.

        Args:
            step: Number of the step.
            batch_size: Of the whole batch.
            rows: Which of its slices, for one of several processes; all by default. A slice is the same whoever draws.
            num_neighbours: Slices per contrast if another number than usual.
        """
        rng = np.random.default_rng((self.seed, step))
        people = rng.permutation(len(self.scans))[:batch_size]
        if len(people) < batch_size:
            people = rng.integers(len(self.scans), size=batch_size)
        drawn = [
            self._draw_one(int(people[row]), np.random.default_rng((self.seed, step, row)), num_neighbours)
            for row in (range(batch_size) if rows is None else rows)
        ]
        columns = [torch.from_numpy(np.stack(column)) for column in zip(*drawn, strict=True)]
        return TrainingBatch(*columns)

    def _draw_one(
        self, person: int, rng: np.random.Generator, num_neighbours: int | None
    ) -> tuple[NDArray[np.float32], ...]:
        scan, brain_slices, lesion_slices = self.scans[person], self._brain_slices[person], self._lesion_slices[person]
        from_lesion = len(lesion_slices) > 0 and rng.random() < self.config.lesion_fraction
        middle = int(rng.choice(lesion_slices if from_lesion else brain_slices))
        window = self._window(scan.brain.shape, rng)
        acquired = np.zeros(NUM_CONTRASTS, np.float32)
        acquired[[contrast.channel for contrast in scan.images]] = 1
        images = self.stack(scan, middle, window, num_neighbours)
        height = np.float32((middle - brain_slices[0]) / max(brain_slices[-1] - brain_slices[0], 1))
        brain = _crop(scan.brain[middle], window)[None].astype(np.float32)
        lesion = (_crop(scan.lesion[middle], window)[None] > 0).astype(np.float32)
        return images, acquired, self._draw_sources(acquired, rng), np.asarray(height), brain, lesion

    def stack(
        self, scan: CachedScan, middle: int, window: Window | None = None, num_neighbours: int | None = None
    ) -> NDArray[np.float32]:
        """``(5, N, H, W)``, 0..1: a slice with its neighbours, whole or cut to a window."""
        count = self.num_neighbours if num_neighbours is None else num_neighbours
        height, width = scan.brain.shape[1:] if window is None else window[1]
        images = np.zeros((NUM_CONTRASTS, count, height, width), np.float32)
        for contrast, volume in scan.images.items():
            for neighbour in range(count):
                index = middle + neighbour - count // 2
                if 0 <= index < len(volume):
                    plane = volume[index] if window is None else _crop(volume[index], window)
                    images[contrast.channel, neighbour] = plane / np.float32(255)
        return images

    def _draw_sources(self, acquired: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        channels = np.flatnonzero(acquired)
        weights = np.array(self.config.source_count_weights)[: len(channels) - 1]
        count = 1 + rng.choice(len(weights), p=weights / weights.sum())
        availability = np.zeros_like(acquired)
        availability[rng.permutation(channels)[:count]] = 1
        return availability

    def _window(self, shape: tuple[int, ...], rng: np.random.Generator) -> Window:
        """First row and column of the crop and its size; a crop larger than the slice is centred on it."""
        starts = []
        for length, crop in zip(shape[1:], self.config.crop_voxels, strict=True):
            spare = length - crop
            starts.append(int(rng.integers(0, spare + 1)) if spare > 0 else spare // 2)
        return (starts[0], starts[1]), self.config.crop_voxels


def _crop(image: NDArray[Any], window: Window) -> NDArray[Any]:
    """Cut a window that may reach over the border; outside is zero."""
    (row, column), (height, width) = window
    result = np.zeros((height, width), image.dtype)
    rows = slice(max(row, 0), min(row + height, image.shape[0]))
    columns = slice(max(column, 0), min(column + width, image.shape[1]))
    result[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column] = image[rows, columns]
    return result
