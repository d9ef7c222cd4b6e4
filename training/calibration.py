"""What the attention map is worth on people who were not trained on, and what its values mean.

Errors are those of the bundle's own generator through :func:`training.evaluation.predict_slices`, so nothing is
interpolated between error and attention. A reconstruction: METHODS 2.3 proposes the AUROC and gives no calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from MRTranslateLib.attention.difficulty import difficulty_slices
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_generator, load_local_discriminator
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.components import AttentionCalibration, AttentionQuality
from MRTranslateLib.progress import Progress
from training.data.cache import CachedScan
from training.evaluation import Route, predict_slices, slice_job

HARD_SHARE = 0.1
"""Share of a brain's voxels that are to be found: those with the largest absolute errors (METHODS 2.3)."""
NUM_BINS = 50
"""Of the calibration, equally full."""
VOXELS_PER_CASE = 20_000
"""Drawn evenly from each translation for the calibration, so that every person counts the same."""
GRADIENT_SIGMA_VOXELS = 1.0

ATTENTION_PROTOCOL = (
    "People of the val split, prepared as for training, whole volumes. To be found: the tenth of the brain's voxels "
    "with the largest absolute error of the translation. AUROC over the voxels of one brain, mean over people, of the "
    "raw difficulty (1-M)^2 of the local discriminator; of the gradient magnitude of the sources (Gaussian, sigma 1 "
    "voxel, mean over the sources given); and, for people with a drawn lesion, of the nearness to it."
)
ATTENTION_COMMAND = "python -m training attention --model NAME --data FOLDER"


@dataclass(frozen=True, eq=False)
class _Case:
    """One translation of one person, voxels of the brain as vectors.

    Attributes:
        hard: Among the largest errors.
        raw: Raw difficulty, 0..1.
        gradient: Of the sources.
        nearness: Minus the distance to the lesion in voxels; None without a drawn lesion.
    """

    hard: NDArray[np.bool_]
    raw: NDArray[np.float32]
    gradient: NDArray[np.float32]
    nearness: NDArray[np.float32] | None


@dataclass(frozen=True)
class AttentionEvidence:
    """What was measured of a bundle's attention map.

    Attributes:
        calibration: From raw difficulty to the probability of being among the largest errors.
        quality: A row per route that somebody has.
    """

    calibration: AttentionCalibration
    quality: tuple[AttentionQuality, ...]


def judge_attention(
    bundle: Bundle, scans: Sequence[CachedScan], routes: Sequence[Route], *, threads: int
) -> AttentionEvidence:
    """Measure the attention map and fit its calibration.

    Args:
        bundle: Has a local discriminator.
        scans: People of the val split.
        routes: Which translations; those that nobody has are left out.
        threads: CPU threads.

    Raises:
        ModelError: If the bundle has no local discriminator.
        InputError: If nobody has the contrasts of any route.
    """
    bundle.card.require_attention()
    rows: list[AttentionQuality] = []
    raw, hard, people = [], [], set()
    for route in routes:
        fit = [scan for scan in scans if {*route[0], route[1]} <= scan.images.keys()]
        cases = [_judge(bundle, scan, route, threads) for scan in fit]
        cases = [case for case in cases if case.hard.any()]
        if not cases:
            continue
        rows.append(_row(route, cases))
        people |= {scan.case_id for scan in fit}
        for case in cases:
            # Evenly spaced in brain order: no chance, and every part of the brain counts.
            chosen = np.linspace(0, len(case.hard) - 1, min(VOXELS_PER_CASE, len(case.hard))).astype(np.intp)
            raw.append(case.raw[chosen])
            hard.append(case.hard[chosen])
    if not rows:
        raise InputError(
            "nobody on the val split has the contrasts of any route: give data that the model can translate"
        )
    return AttentionEvidence(
        fit_calibration(np.concatenate(raw), np.concatenate(hard), num_cases=len(people)), tuple(rows)
    )


def fit_calibration(
    raw: NDArray[np.float32], hard: NDArray[np.bool_], *, num_cases: int, num_bins: int = NUM_BINS
) -> AttentionCalibration:
    """The monotone table that fits best, by isotonic regression of the share of hard voxels in equally full bins.

    Args:
        raw: Raw difficulties, 0..1, of voxels of several people.
        hard: Whether each is among the largest errors of its brain.
        num_cases: People, for the statement.
        num_bins: At most.
    """
    order = np.argsort(raw, kind="stable")
    bins = [part for part in np.array_split(order, num_bins) if len(part)]
    centres = np.round([raw[part].mean(dtype=np.float64) for part in bins], 6)
    shares = np.array([hard[part].mean() for part in bins])
    weights = np.array([len(part) for part in bins])
    points = np.unique(centres)
    merged = [np.average(shares[centres == point], weights=weights[centres == point]) for point in points]
    together = [weights[centres == point].sum() for point in points]
    if len(points) == 1:  # a discriminator that says the same everywhere
        points, merged, together = np.array([0.0, 1.0]), [merged[0]] * 2, [1.0, 1.0]
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(points, merged, sample_weight=together).predict(points)
    return AttentionCalibration(
        raw=tuple(float(value) for value in np.clip(points, 0, 1)),
        calibrated=tuple(float(value) for value in np.maximum.accumulate(np.round(fitted, 4))),
        statement=(
            f"The value is the probability that a voxel's absolute error is among the largest {HARD_SHARE:.0%} of "
            f"its brain: the share of such voxels among those of equal difficulty in {num_cases} validation scans, on "
            f"which it was fitted; {HARD_SHARE:g} is what guessing gives."
        ),
    )


def source_gradient(scan: CachedScan, route: Route) -> NDArray[np.float32]:
    """The naive control: gradient magnitude ``(S, H, W)`` of the sources, their mean."""
    magnitudes = [
        ndimage.gaussian_gradient_magnitude(scan.images[contrast].astype(np.float32), GRADIENT_SIGMA_VOXELS)
        for contrast in route[0]
    ]
    mean: NDArray[np.float32] = np.mean(magnitudes, axis=0)
    return mean


def nearness_to_lesion(scan: CachedScan) -> NDArray[np.float32] | None:
    """The other naive control: minus the distance to the drawn lesion in voxels ``(S, H, W)``; None without one."""
    if not (scan.has_lesion_mask and scan.lesion.any()):
        return None
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(scan.lesion == 0)
    return -distance.astype(np.float32)


def _judge(bundle: Bundle, scan: CachedScan, route: Route, threads: int) -> _Case:
    """Translate one person and lay the error beside the attention."""
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    torch.set_num_threads(threads)
    synthetic = predict_slices(load_generator(bundle), scan, route, indices)
    job = slice_job(scan, route, indices)
    execution = Execution("cpu", "fp32", threads)
    raw = difficulty_slices(load_local_discriminator(bundle), job, synthetic, execution, Progress()).slices
    brain = scan.brain[indices]
    error = np.abs(synthetic - scan.images[route[1]][indices].astype(np.float32) / 255)[brain]
    near = nearness_to_lesion(scan)
    nearness = None if near is None else near[indices][brain]
    hard = error > np.quantile(error, 1 - HARD_SHARE)
    return _Case(hard, raw[brain], source_gradient(scan, route)[indices][brain], nearness)


def _row(route: Route, cases: Sequence[_Case]) -> AttentionQuality:
    attention = [float(roc_auc_score(case.hard, case.raw)) for case in cases]
    pairs = [
        (own, float(roc_auc_score(case.hard, case.nearness)))
        for own, case in zip(attention, cases, strict=True)
        if case.nearness is not None
    ]
    return AttentionQuality(
        sources=route[0],
        target=route[1],
        split="val",
        num_cases=len(cases),
        attention=round(fmean(attention), 4),
        gradient=round(fmean(float(roc_auc_score(case.hard, case.gradient)) for case in cases), 4),
        num_lesion_cases=len(pairs),
        attention_lesion_cases=round(fmean(own for own, _ in pairs), 4) if pairs else None,
        distance=round(fmean(near for _, near in pairs), 4) if pairs else None,
    )
