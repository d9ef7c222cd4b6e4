"""The local discriminator's difficulty ``(1 - M)^2`` of a finished translation, slice by slice (METHODS 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.slices import SliceJob, run_settings
from MRTranslateLib.networks.generator import one_hot
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, difficulty
from MRTranslateLib.progress import Progress

GPU_BATCH_SIZE = 32


@dataclass(frozen=True, eq=False)
class DifficultyResult:
    """Difficulty of slices and how it came about.

    Attributes:
        slices: ``(len(indices), H, W)`` float32, 0..1; meaningless outside the brain.
        fallbacks: What had to be given up, in words; empty when all went as asked.
    """

    slices: NDArray[np.float32]
    fallbacks: tuple[str, ...]


def difficulty_slices(
    discriminator: LocalDiscriminator,
    job: SliceJob,
    synthetic: NDArray[np.float32],
    execution: Execution,
    progress: Progress,
) -> DifficultyResult:
    """Judge translated slices given their sources; always in fp32, as it costs little beside the translation.

    Each slice is judged by itself: a batch on a GPU gives the same values up to rounding.

    Args:
        discriminator: Weights loaded; moved to the device and left there.
        job: What was translated.
        synthetic: ``(len(job.indices), H, W)``, the translated slices, 0..1.
        execution: Where; the slices move to the CPU when a GPU's memory runs out.
        progress: Told of each batch as stage ``attention``, 0..1.

    Raises:
        ValueError: If ``synthetic`` has not the slices of ``job``.
        CancelledError: If the caller asks to stop.
    """
    expected = (len(job.indices), *next(iter(job.sources.values())).shape[1:])
    if synthetic.shape != expected:
        raise ValueError(f"synthetic slices must be {expected} as the job's, got {synthetic.shape}")
    device, batch_size = execution.device, 1 if execution.device == "cpu" else GPU_BATCH_SIZE
    result, fallbacks = np.empty(expected, np.float32), []
    with run_settings(execution), torch.inference_mode():
        discriminator.to(device).eval()
        done = 0
        while done < len(job.indices):
            progress.step("attention", done / len(job.indices))
            chosen = slice(done, done + batch_size)
            try:
                judged = _judged(discriminator, job, job.indices[chosen], synthetic[chosen], device)
            except torch.OutOfMemoryError:
                if device == "cpu":
                    raise
                device, batch_size = "cpu", 1
                discriminator.to(device)
                torch.cuda.empty_cache()
                fallbacks.append("GPU memory ran out: the attention map was made on the CPU")
                continue
            result[chosen] = judged
            done += len(judged)
    return DifficultyResult(result, tuple(fallbacks))


def _judged(
    discriminator: LocalDiscriminator,
    job: SliceJob,
    rows: NDArray[np.intp],
    synthetic: NDArray[np.float32],
    device: str,
) -> NDArray[np.float32]:
    sources = torch.zeros(len(rows), len(Contrast), *synthetic.shape[1:])
    availability = torch.zeros(len(rows), len(Contrast))
    for contrast, volume in job.sources.items():
        availability[:, contrast.channel] = 1
        sources[:, contrast.channel] = torch.from_numpy(volume[rows])
    given = (sources, availability, one_hot(job.target, len(rows)), torch.from_numpy(synthetic)[:, None])
    confidence = discriminator.confidence(*(values.to(device) for values in given))
    judged: NDArray[np.float32] = difficulty(confidence)[:, 0].float().cpu().numpy()
    return judged
