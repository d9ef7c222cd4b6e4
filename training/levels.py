"""Fits how bright a target is from a source and the result as a whole: a ridge regression over the training people.

Three signs for some fifteen people are as much as can be fitted; which was decided on the training people, each told
from the others. Two of the T2w, its median and how far its halves differ, tell the log of FLAIR's median to 0.11, where
a constant is 0.20 off; with how bright the brightest of the result is, to 0.09. From T1w alone they tell nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.level import brightest_sign, level_signs
from MRTranslateLib.networks.level_model import LevelModel
from training.data.cache import CachedScan
from training.evaluation import Predict
from training.export import all_routes

RIDGE = 3.0
"""Weight of the squared slopes, of standardised signs, against the sum of squared errors.

Between 2 and 3 the error on people left out is least; more rather than less, since the generator has seen the lesions
of training people and so makes their results' brightest brighter than other people's.
"""
MIN_PEOPLE = 5
EVERY = 5
"""Each so many slices are translated to see how bright the brightest of a result is."""
VOXEL_MM = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class _Line:
    """A log-linear relation in the signs' own units."""

    intercept: float
    slopes: NDArray[np.float64]

    def log_level(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        level: NDArray[np.float64] = self.intercept + signs @ self.slopes
        return level


def fit_levels(
    scans: Sequence[CachedScan], wanted: Sequence[tuple[Contrast, Contrast]], predict: Predict
) -> tuple[LevelModel, ...]:
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
    return tuple(fit_level(scans, target, source, predict) for target, source in sources.items())


def fit_level(scans: Sequence[CachedScan], target: Contrast, source: Contrast, predict: Predict) -> LevelModel:
    """The level of ``target`` from ``source`` and what is made from it.

    Args:
        scans: Of the training people; those without either contrast are passed over.
        target: Whose median is told.
        source: From which.
        predict: Translates as the generator does, before any level.

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
    signs = [_signs_by_route(scan, target, source, predict) for scan in known]
    medians = [float(np.median(scan.images[target][scan.brain])) / 255 for scan in known]
    line = _fitted([row.mean(axis=0) for row in signs], np.log(medians))
    return LevelModel(
        target=target,
        source=source,
        intercept=line.intercept,
        per_median=float(line.slopes[0]),
        per_asymmetry=float(line.slopes[1]),
        per_brightest=float(line.slopes[2]),
        lowest=min(medians),
        highest=max(medians),
        num_people=len(set(people)),
        relative_error=_error_on_others(signs, np.log(medians), people),
    )


def _signs_by_route(scan: CachedScan, target: Contrast, source: Contrast, predict: Predict) -> NDArray[np.float64]:
    """``(R, 3)``: the signs of a person for each set of sources with ``source``."""
    rows = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::EVERY]
    results = [
        predict(scan, (sources, made), rows)[scan.brain[rows]]
        for sources, made in all_routes()
        if made == target and source in sources and scan.images.keys() >= {*sources}
    ]
    signs = level_signs(scan.unit(source), VOXEL_MM, results[0])
    by_route = [dataclasses.replace(signs, brightest=brightest_sign(result)) for result in results]
    return np.array([dataclasses.astuple(each) for each in by_route])


def _fitted(signs: Sequence[NDArray[np.float64]], wanted: NDArray[np.float64]) -> _Line:
    table = np.array(signs)
    middle, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    standard = (table - middle) / spread
    small = RIDGE * np.eye(standard.shape[1])
    slopes = np.linalg.solve(standard.T @ standard + small, standard.T @ (wanted - wanted.mean())) / spread
    return _Line(float(wanted.mean() - middle @ slopes), slopes)


def _error_on_others(signs: Sequence[NDArray[np.float64]], wanted: NDArray[np.float64], people: Sequence[str]) -> float:
    """Each person told by a line through the others; root mean square of the logarithm's error over people."""
    squares = []
    for place, person in enumerate(people):
        others = [other for other, name in enumerate(people) if name != person]
        line = _fitted([signs[other].mean(axis=0) for other in others], wanted[others])
        squares.append(float(np.mean(np.square(line.log_level(signs[place]) - wanted[place]))))
    return math.sqrt(sum(squares) / len(squares))
