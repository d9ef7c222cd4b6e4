"""Fits how bright a target is from a source as a whole: a ridge regression over the training people.

Two signs for some fifteen people are as much as can be fitted; which two was decided on the training people, each told
from the others. For FLAIR from T2w they halve the error of a constant (0.11 against 0.21 of the logarithm), which no
pair of signs does when people are shuffled. From T1w, or for other targets, they are no better than a constant or than
the generator's own level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.level import level_signs
from MRTranslateLib.networks.level_model import LevelModel
from training.data.cache import CachedScan

RIDGE = 1.0
"""Weight of the squared slopes, of standardised signs, against the sum of squared errors."""
MIN_PEOPLE = 5
VOXEL_MM = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class _Line:
    """A log-linear relation in the signs' own units."""

    intercept: float
    slopes: NDArray[np.float64]

    def log_level(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        level: NDArray[np.float64] = self.intercept + signs @ self.slopes
        return level


def fit_levels(scans: Sequence[CachedScan], wanted: Sequence[tuple[Contrast, Contrast]]) -> tuple[LevelModel, ...]:
    """:func:`fit_level` for each target and the source that tells its level.

    Raises:
        UsageError: If a target is to be told from itself or from two sources.
        InputError: See :func:`fit_level`.
    """
    sources: dict[Contrast, Contrast] = {}
    for target, source in wanted:
        if source == target:
            raise UsageError(f"--level {target} {source}: a contrast cannot tell its own level; name another source")
        if target in sources:
            raise UsageError(f"--level: {target} is to be told from {sources[target]} and from {source}; name one")
        sources[target] = source
    return tuple(fit_level(scans, target, source) for target, source in sources.items())


def fit_level(scans: Sequence[CachedScan], target: Contrast, source: Contrast) -> LevelModel:
    """The level of ``target`` from ``source``.

    Args:
        scans: Of the training people; those without either contrast are passed over.
        target: Whose median is told.
        source: From which.

    Raises:
        InputError: If fewer than ``MIN_PEOPLE`` people have both.
    """
    known = [scan for scan in scans if {target, source} <= scan.images.keys()]
    people = [scan.case_id.partition("_")[0] for scan in known]
    if len(set(people)) < MIN_PEOPLE:
        raise InputError(
            f"{len(set(people))} people have {source} and {target}, and {MIN_PEOPLE} are needed to tell the level of "
            f"{target}; leave --level {target} {source} out"
        )
    measured = [level_signs(scan.unit(source), VOXEL_MM) for scan in known]
    signs = np.array([(each.median, each.asymmetry) for each in measured])
    medians = np.array([np.median(scan.images[target][scan.brain]) / 255 for scan in known])
    line = _fitted(signs, np.log(medians))
    return LevelModel(
        target=target,
        source=source,
        intercept=line.intercept,
        per_median=float(line.slopes[0]),
        per_asymmetry=float(line.slopes[1]),
        lowest=float(medians.min()),
        highest=float(medians.max()),
        num_people=len(set(people)),
        relative_error=_error_on_others(signs, np.log(medians), people),
    )


def _fitted(signs: NDArray[np.float64], wanted: NDArray[np.float64]) -> _Line:
    middle, spread = signs.mean(axis=0), np.maximum(signs.std(axis=0), 1e-6)
    standard = (signs - middle) / spread
    small = RIDGE * np.eye(standard.shape[1])
    slopes = np.linalg.solve(standard.T @ standard + small, standard.T @ (wanted - wanted.mean())) / spread
    return _Line(float(wanted.mean() - middle @ slopes), slopes)


def _error_on_others(signs: NDArray[np.float64], wanted: NDArray[np.float64], people: Sequence[str]) -> float:
    """Each person told by a line through the others; root mean square of the logarithm's error."""
    squares = []
    for person in set(people):
        own = np.array([other == person for other in people])
        line = _fitted(signs[~own], wanted[~own])
        squares += list(np.square(line.log_level(signs[own]) - wanted[own]))
    return math.sqrt(sum(squares) / len(squares))
