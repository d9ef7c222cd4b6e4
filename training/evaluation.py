"""Quality on the validation split, per route: brain and lesion PSNR of whole volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices, one_hot
from training.data.cache import CachedScan

Route = tuple[tuple[Contrast, ...], Contrast]
"""Sources and target."""

T1W, T1W_GD, T2W, FLAIR = Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR
REPORTED_ROUTES: tuple[Route, ...] = (
    ((T1W,), T2W),
    ((T2W,), T1W),
    ((T1W,), FLAIR),
    ((T2W,), FLAIR),
    ((T1W, T2W), FLAIR),
    ((T1W, FLAIR), T2W),
    ((T1W, T2W, FLAIR), T1W_GD),
)


def route_name(route: Route) -> str:
    """``T1w+T2w>FLAIR``."""
    return f"{'+'.join(route[0])}>{route[1]}"


Predict = Callable[[CachedScan, Route, NDArray[np.intp]], NDArray[np.float32]]
"""The slices ``(len(indices), H, W)`` of a scan, 0..1, by a route."""


def predict_slices(
    generator: Generator, scan: CachedScan, route: Route, indices: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Translate some slices of a prepared scan with a generator, fp32 on the device of its weights."""
    sources, target = route
    device = next(generator.parameters()).device
    multiple, count = generator.size_multiple, generator.num_neighbours
    height, width = scan.brain.shape[1:]
    padded = [length + -length % multiple for length in (height, width)]
    brain_slices = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    result = np.empty((len(indices), height, width), np.float32)
    for row, middle in enumerate(indices):
        images = torch.zeros(1, len(Contrast), count, *padded)
        availability = torch.zeros(1, len(Contrast))
        for contrast in sources:
            availability[0, contrast.channel] = 1
            for neighbour in range(count):
                index = int(middle) + neighbour - count // 2
                if 0 <= index < len(scan.brain):
                    plane = scan.images[contrast][index].astype(np.float32) / 255
                    images[0, contrast.channel, neighbour, :height, :width] = torch.from_numpy(plane)
        position = torch.tensor([(middle - brain_slices[0]) / max(brain_slices[-1] - brain_slices[0], 1)])
        slices = SourceSlices(images.to(device), availability.to(device), position.float().to(device))
        predicted = generator.sample(slices, one_hot(target, 1).to(device))[0, target.channel]
        result[row] = predicted[:height, :width].clamp(0, 1).float().cpu().numpy()
    return result


def quality_table(
    predict: Predict, scans: Sequence[CachedScan], routes: Sequence[Route], *, every: int = 1
) -> dict[str, float]:
    """Mean over people of brain and lesion PSNR (data range 1), for each route.

    Args:
        predict: What is judged.
        scans: People; those without a route's contrasts are passed over.
        routes: Which translations.
        every: Judge each ``every``-th slice only.

    Returns:
        ``{"T1w>T2w brain": dB, "T1w>T2w lesion": dB, ...}``, for routes that at least one person offers.
    """
    table: dict[str, float] = {}
    for route in routes:
        sources, target = route
        regions: dict[str, list[float]] = {"brain": [], "lesion": []}
        for scan in scans:
            if not {*sources, target} <= scan.images.keys():
                continue
            indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::every]
            error = predict(scan, route, indices) - scan.images[target][indices].astype(np.float32) / 255
            regions["brain"].append(_psnr(error[scan.brain[indices]]))
            if scan.lesion[indices].any():
                regions["lesion"].append(_psnr(error[scan.lesion[indices] > 0]))
        for region, values in regions.items():
            if values:
                table[f"{route_name(route)} {region}"] = fmean(values)
    return table


def _psnr(error: NDArray[np.float32]) -> float:
    return float(-10 * np.log10(np.mean(np.square(error, dtype=np.float64))))
