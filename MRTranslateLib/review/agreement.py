"""How well two series of ratings of the same items agree beyond chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.review.bootstrap import Weights, weighted_mean

SMALLEST = 1e-9
"""Below this a mean square of whole numbers is 0 but for rounding."""


def weighted_kappa(first: NDArray[np.float64], second: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Cohen's kappa with quadratic weights.

    ``1 - mean((x - y)^2) / mean over all pairs ((x_i - y_j)^2)`` (Cohen, Psychological Bulletin 1968; 70: 213-220, with
    disagreement weights ``(i - j)^2``); the lower mean is ``mean x^2 + mean y^2 - 2 mean x mean y``. With these weights
    kappa is an intraclass correlation (Fleiss, Cohen, Educational and Psychological Measurement 1973; 33: 613-619).

    Args:
        first: Ratings, shape ``(num_items,)``.
        second: Ratings of the same items by the other, or on the other showing.
        weights: How often each item counts, shape ``(..., num_items)``, not all 0.

    Returns:
        Shape ``(...)``, at most 1 (all equal); 0 is chance. NaN where both gave one and the same rating throughout:
        there is nothing to agree on beyond chance.
    """
    product = weighted_mean(first, weights) * weighted_mean(second, weights)
    by_chance = weighted_mean(first**2, weights) + weighted_mean(second**2, weights) - 2 * product
    seen = weighted_mean((first - second) ** 2, weights)
    is_defined = by_chance > SMALLEST
    return np.where(is_defined, 1 - seen / np.where(is_defined, by_chance, 1), np.nan)
