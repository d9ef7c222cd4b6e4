"""How far a number would move with other cases: percentile intervals from drawing whole cases again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000
SEED = 20240229
MIN_DEFINED = 0.9
"""Share of the drawings in which a number must be defined for an interval."""

Weights = NDArray[np.float64]
"""How often each case counts, shape ``(..., num_cases)``: a row for each drawing of cases."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number with its 95 % interval.

    Attributes:
        value: None where the answers do not define it.
        low: Lower end, None without an interval.
        high: Upper end.
        num: How many cases it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    num: int


def estimate(statistic: Callable[[Weights], NDArray[np.float64]], num_cases: int) -> Estimate:
    """A statistic of all cases, and the percentile interval of the bootstrap over cases.

    All that belongs to a case (both its images, the answers of all readers) is drawn together, as observations of one
    person are not independent (Rutter, Bootstrap estimation of diagnostic accuracy with patient-clustered data,
    Academic Radiology 2000; 7: 413-419). Percentile interval: Efron, Tibshirani, An Introduction to the Bootstrap,
    1993, section 13.3. Readers are taken as they are: nothing is said of other readers.

    Args:
        statistic: Takes how often each case counts, ``(..., num_cases)``; gives ``(...)``, NaN where it is not defined.
        num_cases: How many there are.

    Returns:
        Without an interval for a single case, or where too many drawings leave the statistic undefined; the same
        answers give the same interval.
    """
    if num_cases == 0:
        return Estimate(value=None, num=0)
    value = float(statistic(np.ones(num_cases)))
    if np.isnan(value):
        return Estimate(value=None, num=num_cases)
    draws = np.random.default_rng(SEED).multinomial(num_cases, np.full(num_cases, 1 / num_cases), NUM_RESAMPLES)
    drawn = statistic(draws.astype(np.float64))
    drawn = drawn[~np.isnan(drawn)]
    if num_cases == 1 or drawn.size < MIN_DEFINED * NUM_RESAMPLES:
        return Estimate(value=value, num=num_cases)
    low, high = np.percentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Estimate(value=value, low=float(low), high=float(high), num=num_cases)


def weighted_mean(values: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Mean of ``values``, shape ``(num_cases,)``, for each drawing; shape ``(...)``."""
    mean: NDArray[np.float64] = weights @ values / weights.sum(axis=-1)
    return mean
