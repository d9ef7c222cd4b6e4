"""Runs a generator over the axial slices of a brain: one by one on a CPU, in batches on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.level import LevelCurve, level_curve
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.networks.generator import Generator, SourceSlices, one_hot
from MRTranslateLib.progress import Progress

GPU_BATCH_SIZE = 32


@dataclass(frozen=True, eq=False)
class SliceJob:
    """What is to be translated; all arrays are slices ``(S, H, W)`` of one working grid, cropped to the brain.

    Attributes:
        sources: float32 0..1 per contrast, zero outside the brain.
        target: Wanted contrast.
        indices: Slices to translate, ascending.
        brain_range: First and last slice that holds brain.
        neighbour_stride: Distance of neighbouring slices, in slices.
        voxel_size_mm: Slice distance, height, width.
    """

    sources: Mapping[Contrast, NDArray[np.float32]]
    target: Contrast
    indices: NDArray[np.intp]
    brain_range: tuple[int, int]
    neighbour_stride: int
    voxel_size_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def of(cls, prepared: Prepared, target: Contrast) -> SliceJob:
        """All slices of the output, from the sources as they were prepared."""
        grid = prepared.grid
        return cls(
            prepared.slices,
            target,
            prepared.indices,
            prepared.brain_range,
            grid.neighbour_stride,
            grid.slices_voxel_size_mm,
        )

    def level_curve(self, generator: Generator, translated: NDArray[np.float32]) -> LevelCurve | None:
        """What brings the translated slices to the level that they and the sources tell; None where none is told."""
        tissue = np.logical_or.reduce([source[self.indices] > 0 for source in self.sources.values()])
        return level_curve(generator.levels, self.target, self.sources, self.voxel_size_mm, translated, tissue)


@dataclass(frozen=True, eq=False)
class SliceResult:
    """Translated slices and how they came about.

    Attributes:
        slices: ``(len(indices), H, W)`` float32, clipped to 0..1.
        device: Where the last slice was computed.
        fallbacks: What had to be given up, in words; empty when all went as asked.
        curve: What the slices were changed by after the network; None if they are as it made them.
    """

    slices: NDArray[np.float32]
    device: str
    fallbacks: tuple[str, ...]
    curve: LevelCurve | None = None


@dataclass
class _Runner:
    """The present device and batch size; both go down when memory runs out."""

    generator: Generator
    execution: Execution
    device: str
    batch_size: int
    fallbacks: list[str] = field(default_factory=list)

    def give_way(self) -> None:
        """Halve the batch, or move to the CPU; the caller tries the same slices again."""
        if self.batch_size > 1:
            self.batch_size //= 2
            self.fallbacks.append(f"GPU memory ran out: batch size reduced to {self.batch_size}")
        else:
            self.fallbacks.append("GPU memory ran out at batch size 1: continued on the CPU")
            self.device = "cpu"
            self.generator.to("cpu")
        torch.cuda.empty_cache()

    def run(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """One batch, on the present device."""
        moved = SourceSlices(*(values.to(self.device) for values in vars(slices).values()))
        with (
            torch.inference_mode(),
            torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=self.execution.precision == "bf16"),
        ):
            return self.generator.sample(moved, target_code.to(self.device)).float().cpu()


def translate_slices(generator: Generator, job: SliceJob, execution: Execution, progress: Progress) -> SliceResult:
    """Translate the slices of a job. The same job on the same device and threads gives the same bits.

    Args:
        generator: Weights loaded; moved to the device and left there.
        job: What to do.
        execution: Where and how.
        progress: Told of each batch as stage ``translate``, 0..1.

    Raises:
        CancelledError: If the caller asks to stop.
    """
    on_gpu = execution.device != "cpu"
    runner = _Runner(generator, execution, execution.device, GPU_BATCH_SIZE if on_gpu else 1)
    height, width = next(iter(job.sources.values())).shape[1:]
    result = np.empty((len(job.indices), height, width), np.float32)
    with run_settings(execution):
        generator.to(execution.device).eval()
        done = 0
        while done < len(job.indices):
            progress.step("translate", done / len(job.indices))
            rows = job.indices[done : done + runner.batch_size]
            try:
                predicted = runner.run(stack_slices(generator, job, rows), one_hot(job.target, len(rows)))
            except torch.OutOfMemoryError:
                if runner.device == "cpu":
                    raise
                runner.give_way()
                continue
            wanted = predicted[:, job.target.channel, :height, :width]
            result[done : done + len(rows)] = wanted.clamp(0, 1).numpy()
            done += len(rows)
    curve = job.level_curve(generator, result)
    return SliceResult(result if curve is None else curve(result), runner.device, tuple(runner.fallbacks), curve)


def stack_slices(generator: Generator, job: SliceJob, rows: NDArray[np.intp]) -> SourceSlices:
    """The network's input for some slices; beyond the ends of the volume there are zeros.

    Args:
        generator: Says how many neighbours it wants and of which its sizes must be multiples.
        job: Where the slices come from.
        rows: Indices of the slices.
    """
    num_slices, height, width = next(iter(job.sources.values())).shape
    padded = [length + -length % generator.size_multiple for length in (height, width)]
    images = torch.zeros(len(rows), len(Contrast), generator.num_neighbours, *padded)
    availability = torch.zeros(len(rows), len(Contrast))
    for contrast, volume in job.sources.items():
        availability[:, contrast.channel] = 1
        for position in range(generator.num_neighbours):
            offset = (position - generator.num_neighbours // 2) * job.neighbour_stride
            for row, middle in enumerate(rows):
                if 0 <= middle + offset < num_slices:
                    plane = torch.from_numpy(volume[middle + offset])
                    images[row, contrast.channel, position, :height, :width] = plane
    lowest, highest = job.brain_range
    fractions = (torch.from_numpy(rows) - lowest) / max(highest - lowest, 1)
    return SourceSlices(images, availability, fractions.float().clamp(0, 1))


@contextmanager
def run_settings(execution: Execution) -> Iterator[None]:
    """Threads and deterministic algorithms for a run; the process's own settings come back afterwards."""
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    deterministic = torch.backends.cudnn.deterministic
    torch.set_num_threads(execution.threads)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = benchmark, deterministic
