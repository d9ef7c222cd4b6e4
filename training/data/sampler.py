"""Draws batches of 2.5D training slices; a step's batch depends on the seed and the step's number alone.

That makes resuming exact: there is no generator state to keep, and batches may be drawn ahead and in any order. Slices
stay 8-bit, as the cache holds them, until they lie on the device: a quarter of the bytes to draw, to keep and to move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from training.config import DataConfig
from training.data.cache import CachedScan
from training.data.intensity_style import IntensityStyles
from training.data.lesion_graft import LesionGrafts

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
        given: ``(G, 2)`` int64, slice and channel of every 1 of ``availability``, in order; to find them by looking
            at ``availability`` the host would have to wait for the device.
    """

    images: Tensor
    acquired: Tensor
    availability: Tensor
    height: Tensor
    brain: Tensor
    lesion: Tensor
    given: Tensor

    @property
    def target_code(self) -> Tensor:
        """``(B, 5)``, 1 for each contrast that was acquired but is withheld from the generator."""
        return self.acquired - self.availability


@dataclass(frozen=True)
class StoredBatch:
    """The same on the host, as the cache holds it.

    Attributes:
        images: ``(B, 5, N, H, W)`` uint8, 255 is the 99.5th percentile of the brain.
        acquired: ``(B, 5)`` float32 0/1.
        availability: ``(B, 5)`` float32 0/1.
        height: ``(B,)`` float32 0..1.
        brain: ``(B, 1, H, W)`` bool.
        lesion: ``(B, 1, H, W)`` bool.
    """

    images: Tensor
    acquired: Tensor
    availability: Tensor
    height: Tensor
    brain: Tensor
    lesion: Tensor

    @classmethod
    def empty(cls, num_slices: int, num_neighbours: int, size: tuple[int, int], *, pinned: bool) -> StoredBatch:
        """Memory for a batch, with anything in it.

        Args:
            num_slices: B.
            num_neighbours: N.
            size: H and W.
            pinned: In memory that a CUDA device reads by itself, while the host goes on.
        """

        def make(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(num_slices, *shape, dtype=dtype, pin_memory=pinned)

        return cls(
            make(NUM_CONTRASTS, num_neighbours, *size, dtype=torch.uint8),
            make(NUM_CONTRASTS),
            make(NUM_CONTRASTS),
            make(),
            make(1, *size, dtype=torch.bool),
            make(1, *size, dtype=torch.bool),
        )

    def to(self, device: torch.device) -> TrainingBatch:
        """Move to a device and convert there; out of pinned memory, the host does not wait for it."""
        given = self.availability.nonzero()
        moved = {name: values.to(device, non_blocking=True) for name, values in (vars(self) | {"given": given}).items()}
        moved["images"] = _to_unit(moved["images"])
        moved["brain"], moved["lesion"] = moved["brain"].float(), moved["lesion"].float()
        return TrainingBatch(**moved)


class SliceSampler:
    """Draws people evenly, then slices, with an extra share of slices that cut a lesion."""

    def __init__(self, scans: list[CachedScan], config: DataConfig, *, num_neighbours: int, seed: int) -> None:
        self.scans = [scan for scan in scans if len(scan.images) >= 2]
        if not self.scans:
            raise ValueError("no scan has two contrasts: nothing to translate")
        self.config, self.num_neighbours, self.seed = config, num_neighbours, seed
        self._source_sets = [[contrast.channel for contrast in names] for names in config.source_sets]
        self._styles = IntensityStyles(self.scans) if config.style_probability > 0 else None
        self._grafts = LesionGrafts(self.scans) if config.graft_probability > 0 else None
        self._brain_slices = [np.flatnonzero(scan.brain.any(axis=(1, 2))) for scan in self.scans]
        self._lesion_slices = [np.flatnonzero(scan.lesion.any(axis=(1, 2))) for scan in self.scans]

    def draw(
        self, step: int, batch_size: int, *, rows: Iterable[int] | None = None, num_neighbours: int | None = None
    ) -> TrainingBatch:
        """The batch of one step on the CPU; arguments as for :meth:`draw_stored`."""
        drawn = self.draw_stored(step, batch_size, rows=rows, num_neighbours=num_neighbours)
        return drawn.to(torch.device("cpu"))

    def draw_stored(
        self,
        step: int,
        batch_size: int,
        *,
        rows: Iterable[int] | None = None,
        num_neighbours: int | None = None,
        pinned: bool = False,
    ) -> StoredBatch:
        """The batch of one step, not converted yet; may be called from several threads at once.

        Args:
            step: Number of the step.
            batch_size: Of the whole batch.
            rows: Which of its slices, for one of several processes; all by default. A slice is the same whoever draws.
            num_neighbours: Slices per contrast if another number than usual.
            pinned: See :meth:`StoredBatch.empty`.
        """
        rng = np.random.default_rng((self.seed, step))
        people = rng.permutation(len(self.scans))[:batch_size]
        if len(people) < batch_size:
            people = rng.integers(len(self.scans), size=batch_size)
        wanted = tuple(range(batch_size) if rows is None else rows)
        count = self.num_neighbours if num_neighbours is None else num_neighbours
        batch = StoredBatch.empty(len(wanted), count, self.config.crop_voxels, pinned=pinned)
        arrays = {name: values.numpy() for name, values in vars(batch).items()}
        for place, row in enumerate(wanted):
            one = {name: values[place : place + 1] for name, values in arrays.items()}
            self._draw_one(one, int(people[row]), np.random.default_rng((self.seed, step, row)))
        return batch

    def _draw_one(self, one: dict[str, NDArray[Any]], person: int, rng: np.random.Generator) -> None:
        """Fill one slice of a batch, ``(1, ...)`` by name."""
        scan, brain_slices, lesion_slices = self.scans[person], self._brain_slices[person], self._lesion_slices[person]
        from_lesion = len(lesion_slices) > 0 and rng.random() < self.config.lesion_fraction
        middle = int(rng.choice(lesion_slices if from_lesion else brain_slices))
        window = self._window(scan.brain.shape, rng)
        _fill_stacks(one["images"][0], scan, middle, window)
        _fill_window(one["lesion"][0, 0], scan.lesion[middle], window)
        if self._grafts is not None and rng.random() < self.config.graft_probability:
            self._graft(self._grafts, one, person, middle, window, rng)
        if self._styles is not None and rng.random() < self.config.style_probability:
            for contrast, table in self._styles.draw(person, rng).items():
                stack = one["images"][0, contrast.channel]
                stack[...] = table[stack]
        acquired = one["acquired"][0]
        acquired[:] = 0
        acquired[[contrast.channel for contrast in scan.images]] = 1
        one["availability"][0] = self._draw_sources(acquired, rng)
        one["height"][0] = (middle - brain_slices[0]) / max(brain_slices[-1] - brain_slices[0], 1)
        _fill_window(one["brain"][0, 0], scan.brain[middle], window)

    def _graft(
        self,
        grafts: LesionGrafts,
        one: dict[str, NDArray[Any]],
        person: int,
        middle: int,
        window: Window,
        rng: np.random.Generator,
    ) -> None:
        """Put another person's lesion into a slice, images and mask alike."""
        stacks, lesion = one["images"][0], one["lesion"][0, 0]
        graft = grafts.draw(person, middle, stacks.shape[1], rng)
        if graft is not None:
            seen = graft.seen_through(partial(_windowed, window=window))
            seen.onto(stacks)
            place = stacks.shape[1] // 2
            lesion |= (seen.share[place] > 0.5) & (stacks[:, place] > 0).any(axis=0)

    def stack(self, scan: CachedScan, middle: int) -> NDArray[np.float32]:
        """``(5, N, H, W)``, 0..1: a whole slice with its neighbours."""
        height, width = scan.brain.shape[1:]
        stored = np.empty((NUM_CONTRASTS, self.num_neighbours, height, width), np.uint8)
        _fill_stacks(stored, scan, middle, ((0, 0), (height, width)))
        return _unit(stored)

    def _draw_sources(self, acquired: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        channels = np.flatnonzero(acquired)
        availability = np.zeros_like(acquired)
        possible = [chosen for chosen in self._source_sets if acquired[chosen].all() and len(chosen) < len(channels)]
        if possible and rng.random() < self.config.source_set_share:
            availability[possible[int(rng.integers(len(possible)))]] = 1
            return availability
        weights = np.array(self.config.source_count_weights)[: len(channels) - 1]
        count = 1 + rng.choice(len(weights), p=weights / weights.sum())
        availability[rng.permutation(channels)[:count]] = 1
        return availability

    def _window(self, shape: tuple[int, ...], rng: np.random.Generator) -> Window:
        """First row and column of the crop and its size; a crop larger than the slice is centred on it."""
        starts = []
        for length, crop in zip(shape[1:], self.config.crop_voxels, strict=True):
            spare = length - crop
            starts.append(int(rng.integers(0, spare + 1)) if spare > 0 else spare // 2)
        return (starts[0], starts[1]), self.config.crop_voxels


def _to_unit(images: Tensor) -> Tensor:
    """uint8 to float32 0..1, the same bits on every device."""
    if images.device.type == "cpu":
        return torch.from_numpy(_unit(images.numpy()))  # PyTorch divides mixed types several times slower
    # A divisor on the device: by a number of the host, CUDA would multiply with its rounded reciprocal.
    return images / torch.full((), 255.0, device=images.device)


def _unit(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(images, np.float32(255), dtype=np.float32)


def _fill_stacks(target: NDArray[np.uint8], scan: CachedScan, middle: int, window: Window) -> None:
    """Fill ``(5, N, H, W)`` with a slice and its neighbours; zero where there is no slice or no contrast."""
    first = middle - target.shape[1] // 2
    start, stop = max(first, 0), min(first + target.shape[1], len(scan.brain))
    missing = [contrast.channel for contrast in Contrast if contrast not in scan.images]
    target[missing] = 0
    for contrast, volume in scan.images.items():
        stack = target[contrast.channel]
        stack[: start - first], stack[stop - first :] = 0, 0
        _fill_window(stack[start - first : stop - first], volume[start:stop], window)


def _windowed(stack: NDArray[Any], window: Window) -> NDArray[Any]:
    target = np.empty((*stack.shape[:-2], *window[1]), stack.dtype)
    _fill_window(target, stack, window)
    return target


def _fill_window(target: NDArray[Any], source: NDArray[Any], window: Window) -> None:
    """Fill ``(..., H, W)`` with a window of ``source`` that may reach over its border; outside is zero."""
    (row, column), (height, width) = window
    rows = slice(max(row, 0), min(row + height, source.shape[-2]))
    columns = slice(max(column, 0), min(column + width, source.shape[-1]))
    inside = target[..., rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
    if inside.shape != target.shape:
        target[...] = 0
    inside[...] = source[..., rows, columns]
