"""How wide the 90 % interval must be, and what the uncertainty map is worth, on people who were not trained on.

A table per target from the error signal to the 90 % quantile of the absolute error, as split conformal prediction takes
it, never falling. On the people it was fitted on it covers 90 % by construction, so its coverage is that on each person
by a table fitted on the others.

References:
    J. Lei et al. Distribution-free predictive inference for regression. JASA 113 (2018) 1094: quantiles of held-out
    residuals [stated]; by bins of a signal, and one person left out at a time, is ours: voxels of a brain are not
    exchangeable with those of another, so nothing is guaranteed and the coverage is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.inference.slices import translate_slices
from MRTranslateLib.inference.uncertainty import SEED
from MRTranslateLib.models.bundle import Bundle, rewrite_card
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty, UncertaintyCalibration, UncertaintyQuality
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.interval import calibrated_widths
from MRTranslateLib.uncertainty.signal import error_signal
from MRTranslateLib.uncertainty.spread import spread_slices
from training.calibration import (
    HARD_SHARE,
    VOXELS_PER_CASE,
    nearness_to_lesion,
    source_gradient,
)
from training.data.cache import CachedScan
from training.evaluation import Route, slice_job

COVERAGE = 0.9
"""That the interval states."""
NUM_BINS = 40
"""Of the signal, equally full."""
EVERY = 8
"""Every so-manieth slice is judged: neighbours tell little more, and every voxel costs seven translations or more."""

UNCERTAINTY_PROTOCOL = (
    f"People of the val split, prepared as for training, every {EVERY}th slice. Calibration: per target, the 90 % "
    "quantile of the absolute error among voxels of equal signal (root of the summed squares of the spread over "
    "perturbed and dropped sources, a tenth of the distance to the brain's median, and 0.3 voxels of the gradient of "
    "the sources), equally many voxels of each translation, bins pooled where it would fall, widened so that it holds "
    "90 % of each person's errors together when fitted on the others. Coverage: share of a person's absolute errors "
    "within the half-width by a table made without that person, mean over people. AUROC of the signal, of the gradient "
    "magnitude of the sources (Gaussian, sigma 1 voxel, mean over the sources given) and, for people with a drawn "
    "lesion, of the nearness to it, against the tenth of the voxels with the largest absolute error; mean over people. "
    "Form and weights of the signal were chosen on some of the same slices. With a low-resolution target, acquired "
    "anew from the real one as for super-resolution: the same with it kept, given its own noise again and a gain of "
    "3 %, on five slices of each person, 4 mm apart, at one of three heights; a table per target and acquisition."
)
UNCERTAINTY_COMMAND = "python -m training uncertainty --model NAME --data FOLDER"


@dataclass(frozen=True, eq=False)
class Case:
    """One translation of one person; some voxels of the brain as vectors, areas under the ROC curve over all judged.

    Attributes:
        person: Who is left out together.
        signal: Error signals.
        error: Absolute errors, 0..1.
        uncertainty: Area of the signal.
        gradient: Area of the gradient magnitude of the sources.
        distance: Area of the nearness to the lesion; None without a drawn lesion.
    """

    person: str
    signal: NDArray[np.float32]
    error: NDArray[np.float32]
    uncertainty: float
    gradient: float
    distance: float | None


@dataclass(frozen=True)
class UncertaintyEvidence:
    """What was measured of a bundle's uncertainty map.

    Attributes:
        calibrations: A table per target that somebody has.
        quality: A row per route that somebody has.
        low_resolution: The same with an acquired low-resolution target, per target and acquisition; empty for models
            that take none.
    """

    calibrations: tuple[UncertaintyCalibration, ...]
    quality: tuple[UncertaintyQuality, ...]
    low_resolution: tuple[LowResolutionUncertainty, ...] = ()


def judge_uncertainty(
    bundle: Bundle, scans: Sequence[CachedScan], routes: Sequence[Route], *, threads: int, every: int = EVERY
) -> UncertaintyEvidence:
    """Measure the uncertainty map and fit its calibration.

    Args:
        bundle: Whose generator is judged.
        scans: People of the val split.
        routes: Which translations; those that nobody has are left out.
        threads: CPU threads.
        every: Judge each ``every``-th slice that holds brain.

    Raises:
        InputError: If nobody has the contrasts of any route.
    """
    generator = load_generator(bundle)
    cases = {
        route: [
            _judge(generator, scan, route, threads, every)
            for scan in scans
            if {*route[0], route[1]} <= scan.images.keys()
        ]
        for route in routes
    }
    cases = {route: judged for route, judged in cases.items() if judged}
    if not cases:
        raise InputError(
            "nobody on the val split has the contrasts of any route: give data that the model can translate"
        )
    tables, rows = [], []
    for target in dict.fromkeys(target for _, target in cases):
        table, measured = calibrate_target({route: judged for route, judged in cases.items() if route[1] == target})
        tables.append(table)
        rows += measured
    return UncertaintyEvidence(tuple(tables), tuple(rows))


def calibrate_target(
    cases: Mapping[Route, Sequence[Case]], *, acquired: str = ""
) -> tuple[UncertaintyCalibration, list[UncertaintyQuality]]:
    """The table of one target and a row per route.

    Args:
        cases: Per route to that target, none of them empty.
        acquired: How the target was acquired besides, for the statement; empty where it was not.
    """
    target = next(iter(cases))[1]
    every_case = [case for judged in cases.values() for case in judged]
    covered = coverage_on_others(every_case, target)
    table = fit_intervals(every_case, target, coverage=covered, acquired=acquired)
    left = iter(covered)
    return table, [_row(route, judged, [next(left) for _ in judged], table) for route, judged in cases.items()]


def write_uncertainty(bundle: Bundle, evidence: UncertaintyEvidence) -> None:
    """Put calibrations and measures into the card of a bundle, in place of those it had; its weights stay as they are.

    Raises:
        MRTranslateError: If the card cannot be written.
    """
    rewrite_card(
        bundle,
        uncertainty_calibrations=evidence.calibrations,
        uncertainty_quality=evidence.quality,
        uncertainty_protocol=UNCERTAINTY_PROTOCOL,
        uncertainty_command=UNCERTAINTY_COMMAND,
        low_resolution_uncertainty=evidence.low_resolution,
    )


def fit_intervals(
    cases: Sequence[Case], target: Contrast, *, coverage: Sequence[float | None] = (), acquired: str = ""
) -> UncertaintyCalibration:
    """The table of 90 % quantiles by equally full bins of the signal, never falling, widened for the next person.

    People differ from each other more than the voxels of one: the table is wider by the factor that holds 90 % of the
    errors of each of these people when fitted on the others of them.

    Args:
        cases: On whom it is fitted, not empty.
        target: Translated contrast.
        coverage: Of :func:`coverage_on_others` for these cases; empty where not measured.
        acquired: How the target was acquired besides, for the statement; empty where it was not.
    """
    raw, widths = _pooled_table(cases)
    half_width = tuple(min(round(width * _inflation(cases), 4), 1.0) for width in widths)
    people = {case.person: [] for case in cases} if not coverage else _by_person(cases, coverage)
    means = [fmean(values) for values in people.values() if values]
    return UncertaintyCalibration(
        target=target,
        raw=raw,
        half_width=half_width,
        coverage=round(fmean(means), 4) if means else None,
        lowest_coverage=round(min(means), 4) if means else None,
        statement=_statement(f"{target} from an acquired one ({acquired})" if acquired else target, len(people), means),
    )


def _pooled_table(cases: Sequence[Case]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Signals and half-widths by all voxels together."""
    signal = np.concatenate([case.signal for case in cases])
    error = np.concatenate([case.error for case in cases])
    order = np.argsort(signal, kind="stable")
    return _rising_quantiles([(signal[part], error[part]) for part in np.array_split(order, NUM_BINS)])


def _inflation(cases: Sequence[Case]) -> float:
    """By how much the pooled table of the others is too narrow for a person, 1 or more; 1 for a single person."""
    ratios = []
    for person in {case.person: None for case in cases}:
        others = [case for case in cases if case.person != person]
        if not others:
            return 1.0
        raw, widths = _pooled_table(others)
        for case in cases:
            if case.person == person:
                ratios.append(case.error / np.maximum(np.interp(case.signal, raw, widths), 1e-4))
    return max(float(np.quantile(np.concatenate(ratios), COVERAGE)), 1.0)


def _rising_quantiles(
    bins: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean signal and quantile of the error per bin of signals and errors.

    Where quantiles would fall, neighbouring bins are pooled (the pool-adjacent-violators algorithm with quantiles).
    """
    by_centre: dict[float, list[NDArray[np.float32]]] = {}
    for signals, errors in bins:
        if len(signals):
            by_centre.setdefault(round(float(signals.mean(dtype=np.float64)), 6), []).append(errors)
    centres = list(by_centre)
    # Blocks of [number of centres, errors]; the quantile of a pooled block is that of its errors, not a mean.
    blocks: list[tuple[int, NDArray[np.float32], float]] = []
    for errors in (np.concatenate(parts) for parts in by_centre.values()):
        count = 1
        while blocks and np.quantile(errors, COVERAGE) < blocks[-1][2]:
            former, before, _ = blocks.pop()
            count, errors = count + former, np.concatenate([before, errors])
        blocks.append((count, errors, float(np.quantile(errors, COVERAGE))))
    widths = [width for count, _, width in blocks for _ in range(count)]
    if len(centres) == 1:  # a signal that says the same everywhere
        centres, widths = [centres[0], centres[0] + 1], widths * 2
    return tuple(centres), tuple(widths)


def coverage_on_others(cases: Sequence[Case], target: Contrast) -> list[float | None]:
    """Of each case the share of errors inside the interval fitted on all other people; None where there are none."""
    covered: list[float | None] = []
    tables: dict[str, UncertaintyCalibration | None] = {}
    for case in cases:
        if case.person not in tables:
            others = [other for other in cases if other.person != case.person]
            tables[case.person] = fit_intervals(others, target) if others else None
        table = tables[case.person]
        covered.append(None if table is None else float((case.error <= calibrated_widths(case.signal, table)).mean()))
    return covered


def _by_person(cases: Sequence[Case], coverage: Sequence[float | None]) -> dict[str, list[float]]:
    people: dict[str, list[float]] = {case.person: [] for case in cases}
    for case, covered in zip(cases, coverage, strict=True):
        if covered is not None:
            people[case.person].append(covered)
    return people


def _statement(target: str, num_people: int, coverages: Sequence[float]) -> str:
    text = (
        f"Half the width of the interval around the synthetic {target} that is to hold {COVERAGE:.0%} of the errors, "
        f"fitted on {num_people} validation {'person' if num_people == 1 else 'people'}"
    )
    if not coverages:
        return f"{text}; its coverage on anybody else was not measured."
    return (
        f"{text}; on each of them, by a table fitted on the others, it held {fmean(coverages):.0%} on average and "
        f"{min(coverages):.0%} at worst."
    )


def _judge(generator: Generator, scan: CachedScan, route: Route, threads: int, every: int) -> Case:
    """Translate one person and lay the error beside the signal."""
    occupied = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    indices = occupied[(len(occupied) - 1) % every // 2 :: every]
    job = slice_job(scan, route, indices)
    execution = Execution("cpu", "fp32", threads)
    synthetic = translate_slices(generator, job, execution, Progress()).slices
    spread = spread_slices(generator, job, synthetic, execution, Progress(), seed=SEED)
    return case_of(scan, route, indices, synthetic, error_signal(spread, job, synthetic))


def case_of(
    scan: CachedScan,
    route: Route,
    indices: NDArray[np.intp],
    synthetic: NDArray[np.float32],
    signals: NDArray[np.float32],
) -> Case:
    """Errors beside error signals.

    Args:
        scan: Whose real target is the truth.
        route: Which translation.
        indices: Of the judged slices in the scan.
        synthetic: ``(len(indices), H, W)``, the translation.
        signals: Same shape.
    """
    brain = scan.brain[indices]
    signal = signals[brain]
    error = np.abs(synthetic - scan.images[route[1]][indices].astype(np.float32) / 255)[brain]
    hard = error > np.quantile(error, 1 - HARD_SHARE)
    nearness = nearness_to_lesion(scan)
    # Evenly spaced in brain order: no chance, and every part of the brain counts.
    chosen = np.linspace(0, len(error) - 1, min(VOXELS_PER_CASE, len(error))).astype(np.intp)
    return Case(
        scan.case_id.partition("_")[0],
        signal[chosen],
        error[chosen],
        float(roc_auc_score(hard, signal)),
        float(roc_auc_score(hard, source_gradient(scan, route)[indices][brain])),
        None if nearness is None else float(roc_auc_score(hard, nearness[indices][brain])),
    )


def _row(
    route: Route, cases: Sequence[Case], coverage: Sequence[float | None], table: UncertaintyCalibration
) -> UncertaintyQuality:
    measured = [fmean(values) for values in _by_person(cases, coverage).values() if values]
    pairs = [(case.uncertainty, case.distance) for case in cases if case.distance is not None]
    return UncertaintyQuality(
        sources=route[0],
        target=route[1],
        split="val",
        num_cases=len(cases),
        coverage=round(fmean(measured), 4) if measured else None,
        lowest_coverage=round(min(measured), 4) if measured else None,
        mean_half_width=round(fmean(float(calibrated_widths(case.signal, table).mean()) for case in cases), 4),
        uncertainty=round(fmean(case.uncertainty for case in cases), 4),
        gradient=round(fmean(case.gradient for case in cases), 4),
        num_lesion_cases=len(pairs),
        uncertainty_lesion_cases=round(fmean(own for own, _ in pairs), 4) if pairs else None,
        distance=round(fmean(near for _, near in pairs), 4) if pairs else None,
    )
