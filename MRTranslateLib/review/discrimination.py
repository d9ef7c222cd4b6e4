"""Can readers tell real from synthetic? Area under the ROC curve and accuracy of their confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.review.bootstrap import Weights, weighted_mean


def auc(real: NDArray[np.float64], synthetic: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Area under the empirical ROC curve of ratings that rise with confidence in "synthetic".

    It is the probability that a synthetic image is rated higher than a real one, ties counted half, which is the
    Mann-Whitney statistic U / (m n) (Bamber, J. Math. Psychology 1975; 12: 387-415; Hanley, McNeil, Radiology 1982;
    143: 29-36). All pairs count, also those within a case.

    Args:
        real: Rating of each case's real image, shape ``(num_cases,)``.
        synthetic: Rating of its synthetic image.
        weights: How often each case counts, shape ``(..., num_cases)``.

    Returns:
        Shape ``(...)``, 0..1; 0.5 is chance, below it readers err systematically.
    """
    higher = np.sign(synthetic[:, None] - real[None, :]) / 2 + 0.5
    area: NDArray[np.float64] = (weights @ higher * weights).sum(axis=-1) / weights.sum(axis=-1) ** 2
    return area


def accuracy(
    real: NDArray[np.float64], synthetic: NDArray[np.float64], weights: Weights, *, num_points: int
) -> NDArray[np.float64]:
    """Share of images called right, when ratings in the upper half of an even scale mean "synthetic".

    Args:
        real: As for :func:`auc`.
        synthetic: As for :func:`auc`.
        weights: As for :func:`auc`.
        num_points: Of the scale.

    Returns:
        Shape ``(...)``, 0..1; as many are real as synthetic, so 0.5 is chance.
    """
    right = (real <= num_points / 2).astype(np.float64) + (synthetic > num_points / 2)
    return weighted_mean(right / 2, weights)
