"""From cells to a few numbers: ROOD's overall score and degradation, slope per level, the worst type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from MRTranslateLib.robustness.cell import Cell, RegionResult
from MRTranslateLib.robustness.plan import Track

LEVEL_WEIGHT = 2 / 3
"""Weight of level s is this to the power of s: mild artefacts are frequent, so they count most (ROOD-MRI, stated)."""


class ScoreSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A score over the levels of one type; higher is better.

    Attributes:
        clean: Of the unperturbed result.
        overall: See :func:`rood_overall`.
        degradation: See :func:`rood_degradation`.
    """

    clean: float
    overall: float
    degradation: float


class TypeSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One perturbation on one track in one region.

    Attributes:
        perturbation: Key of the bank.
        track: Scale of intensities.
        region: Name.
        consistency_ssim: SSIM against the unperturbed result, whose own is 1.
        error_psnr_db: PSNR against the real scan; None without one.
        error_ssim: SSIM against the real scan; None without one.
        largest_relative_change: Over the levels; None where no change is defined.
        largest_at_level: Where.
        slope_per_level: Of the relative change, see :func:`slope_per_level`; None where no change is defined.
    """

    perturbation: str
    track: Track
    region: str
    consistency_ssim: ScoreSummary
    error_psnr_db: ScoreSummary | None
    error_ssim: ScoreSummary | None
    largest_relative_change: float | None
    largest_at_level: int | None
    slope_per_level: float | None


class RegionSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All types of one track in one region.

    Attributes:
        track: Scale of intensities.
        region: Name.
        mean_overall: Mean over the types of the overall consistency SSIM.
        mean_degradation: Mean over the types of its degradation.
        worst: The type with the largest degradation of the consistency SSIM.
        worst_against_reference: The type with the largest degradation of the PSNR; None without a real scan.
    """

    track: Track
    region: str
    mean_overall: float
    mean_degradation: float
    worst: str
    worst_against_reference: str | None


def rood_overall(clean: float, by_level: Mapping[int, float]) -> float:
    """Score over clean and perturbed input, ``(M_0 + sum_s w_s M_s) / (1 + sum_s w_s)``, ``w_s = (2/3)^s``.

    Args:
        clean: M_0.
        by_level: M_s for the levels that were run, at least one; others are left out of both sums.

    References:
        METHODS 1.7, stated by ROOD-MRI (Boone et al., NeuroImage 2023).

    Example:
        >>> round(rood_overall(1.0, {1: 0.4}), 4)  # (1 + 2/3 x 0.4) / (1 + 2/3)
        0.76
    """
    weights = _weights(by_level)
    return (clean + sum(weights[level] * score for level, score in by_level.items())) / (1 + sum(weights.values()))


def rood_degradation(clean: float, by_level: Mapping[int, float]) -> float:
    """What perturbation costs on average, ``sum_s w_s (M_0 - M_s) / sum_s w_s``; 0 is none.

    Arguments and source as :func:`rood_overall`.

    Example:
        >>> round(rood_degradation(1.0, {1: 0.7, 2: 0.2}), 4)  # (2/3 x 0.3 + 4/9 x 0.8) / (10/9)
        0.5
    """
    weights = _weights(by_level)
    return sum(weights[level] * (clean - score) for level, score in by_level.items()) / sum(weights.values())


def slope_per_level(by_level: Mapping[int, float]) -> float:
    """Least-squares slope of a change through nothing at level 0, ``sum s c_s / sum s^2`` (our proposal).

    Args:
        by_level: c_s for at least one level above 0.
    """
    return sum(level * change for level, change in by_level.items()) / sum(level**2 for level in by_level)


def summarize_types(unperturbed: Cell, cells: Sequence[Cell]) -> tuple[TypeSummary, ...]:
    """A summary per type, track and region, in the order of the cells."""
    groups: dict[tuple[str, Track], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.perturbation, cell.track), []).append(cell)
    return tuple(
        _summarize(name, track, region, clean, {cell.level: cell.regions[region] for cell in group})
        for (name, track), group in groups.items()
        for region, clean in unperturbed.regions.items()
    )


def summarize_regions(types: Sequence[TypeSummary]) -> tuple[RegionSummary, ...]:
    """A summary per track and region."""
    groups: dict[tuple[Track, str], list[TypeSummary]] = {}
    for summary in types:
        groups.setdefault((summary.track, summary.region), []).append(summary)
    return tuple(
        RegionSummary(
            track=track,
            region=region,
            mean_overall=float(np.mean([each.consistency_ssim.overall for each in group])),
            mean_degradation=float(np.mean([each.consistency_ssim.degradation for each in group])),
            worst=max(group, key=lambda each: each.consistency_ssim.degradation).perturbation,
            worst_against_reference=_worst_against_reference(group),
        )
        for (track, region), group in groups.items()
    )


def _summarize(
    name: str, track: Track, region: str, clean: RegionResult, by_level: dict[int, RegionResult]
) -> TypeSummary:
    changes = {
        level: result.relative_change for level, result in by_level.items() if result.relative_change is not None
    }
    largest = max(changes, key=lambda level: changes[level], default=None)
    errors = {level: result.error for level, result in by_level.items() if result.error is not None}
    psnrs = {level: error.psnr for level, error in errors.items() if error.psnr is not None}
    has_psnr = clean.error is not None and clean.error.psnr is not None and len(psnrs) == len(by_level)
    return TypeSummary(
        perturbation=name,
        track=track,
        region=region,
        consistency_ssim=_score(1.0, {level: result.change.ssim for level, result in by_level.items()}),
        error_psnr_db=_score(clean.error.psnr, psnrs) if has_psnr and clean.error and clean.error.psnr else None,
        error_ssim=None
        if clean.error is None
        else _score(clean.error.ssim, {level: error.ssim for level, error in errors.items()}),
        largest_relative_change=None if largest is None else changes[largest],
        largest_at_level=largest,
        slope_per_level=slope_per_level(changes) if changes else None,
    )


def _score(clean: float, by_level: Mapping[int, float]) -> ScoreSummary:
    return ScoreSummary(
        clean=clean, overall=rood_overall(clean, by_level), degradation=rood_degradation(clean, by_level)
    )


def _worst_against_reference(group: Sequence[TypeSummary]) -> str | None:
    measured = {each.perturbation: each.error_psnr_db.degradation for each in group if each.error_psnr_db is not None}
    return max(measured, key=lambda name: measured[name], default=None)


def _weights(by_level: Mapping[int, float]) -> dict[int, float]:
    if not by_level or min(by_level) < 1:
        raise ValueError(f"scores are needed for at least one level from 1 on, got levels {sorted(by_level)}")
    return {level: LEVEL_WEIGHT**level for level in by_level}
