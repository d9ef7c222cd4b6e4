"""Quality on the validation split, per route: brain and lesion PSNR of whole volumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import json_text, write_text_atomic
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.slices import SliceJob, translate_slices
from MRTranslateLib.metrics import peak_signal_noise_ratio, slice_flicker, structural_similarity
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.progress import Progress
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


def route_from_name(name: str) -> Route:
    """The route that :func:`route_name` names.

    Raises:
        UsageError: If there is none.
    """
    sources, _, target = name.partition(">")
    try:
        route = tuple(Contrast(source) for source in sources.split("+")), Contrast(target)
    except ValueError:
        raise UsageError(f"{name!r} is no route: write sources and target as in T1w+T2w>FLAIR") from None
    if route[1] in route[0]:
        raise UsageError(f"{name!r}: the target is among the sources")
    return route


Predict = Callable[[CachedScan, Route, NDArray[np.intp]], NDArray[np.float32]]
"""The slices ``(len(indices), H, W)`` of a scan, 0..1, by a route."""


def slice_job(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> SliceJob:
    """What the library would be asked to do with some slices of a prepared scan."""
    sources, target = route
    occupied = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    brain_range = int(occupied[0]), int(occupied[-1])
    return SliceJob({contrast: scan.unit(contrast) for contrast in sources}, target, indices, brain_range, 1)


def predict_slices(
    generator: Generator, scan: CachedScan, route: Route, indices: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Translate some slices of a prepared scan as the library does, fp32 on the device of the generator's weights."""
    job = slice_job(scan, route, indices)
    execution = Execution(str(next(generator.parameters()).device), "fp32", torch.get_num_threads())
    return translate_slices(generator, job, execution, Progress()).slices


@dataclass(frozen=True)
class RouteScore:
    """Quality of one route, means over people; PSNR in dB with data range 1.

    Attributes:
        route: Sources and target.
        num_cases: People in the means.
        brain_psnr: In the brain.
        brain_ssim: 3D Gaussian SSIM averaged in the brain; None where only some slices were judged.
        lesion_psnr: In drawn lesions; None where nobody has one.
        flicker: Change from slice to slice as a share of the real one's (METHODS 5.2), 1 is ideal; None where only some
            slices were judged or the real ones do not change.
        num_lesion_cases: People with a drawn lesion, in the lesions' mean.
    """

    route: Route
    num_cases: int
    brain_psnr: float
    brain_ssim: float | None
    lesion_psnr: float | None
    flicker: float | None = None
    num_lesion_cases: int = 0


def score_routes(
    predict: Predict, scans: Sequence[CachedScan], routes: Sequence[Route], *, every: int = 1
) -> list[RouteScore]:
    """Judge a translator on whole volumes.

    Args:
        predict: What is judged.
        scans: People; those without a route's contrasts are passed over.
        routes: Which translations; those that nobody has are left out of the result.
        every: Judge each ``every``-th slice only; then there is neither SSIM nor flicker.
    """
    scores = []
    for route in routes:
        judged = [
            _score_scan(predict, scan, route, every) for scan in scans if {*route[0], route[1]} <= scan.images.keys()
        ]
        if judged:
            brain, *others = zip(*judged, strict=True)
            ssim, lesion, flicker = (_mean_of_known(values) for values in others)
            num_lesion_cases = sum(value is not None for value in others[1])
            scores.append(RouteScore(route, len(judged), fmean(brain), ssim, lesion, flicker, num_lesion_cases))
    return scores


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _score_scan(
    predict: Predict, scan: CachedScan, route: Route, every: int
) -> tuple[float, float | None, float | None, float | None]:
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::every]
    predicted = predict(scan, route, indices)
    truth = scan.images[route[1]][indices].astype(np.float32) / 255
    brain, lesion = scan.brain[indices], scan.lesion[indices] > 0
    ssim, flicker = None, None
    if every == 1:
        ssim = structural_similarity(truth, predicted * brain, data_range=1.0, mask=brain)
        ratio = slice_flicker(truth, predicted, mask=brain, axis=0)
        flicker = None if math.isnan(ratio) else ratio
    return (
        peak_signal_noise_ratio(truth, predicted, data_range=1.0, mask=brain),
        ssim,
        peak_signal_noise_ratio(truth, predicted, data_range=1.0, mask=lesion) if lesion.any() else None,
        flicker,
    )


def write_scores(path: Path, scores: Sequence[RouteScore]) -> None:
    """Keep scores as JSON; an existing file is replaced."""
    write_text_atomic(path, json_text(scores), overwrite=True)


def read_scores(path: Path) -> list[RouteScore]:
    """Scores that :func:`write_scores` kept.

    Raises:
        InputError: If the file is missing or holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[RouteScore])
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: no scores ({error}); write them with python -m training baseline") from None


def flat_table(scores: Sequence[RouteScore]) -> dict[str, float]:
    """``{"T1w>T2w brain": dB, "T1w>T2w lesion": dB, ...}``, for logs."""
    table: dict[str, float] = {}
    for score in scores:
        table[f"{route_name(score.route)} brain"] = score.brain_psnr
        if score.lesion_psnr is not None:
            table[f"{route_name(score.route)} lesion"] = score.lesion_psnr
    return table
