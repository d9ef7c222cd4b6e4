"""The statistics of a reading session against other programs and against what is known by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score

from MRTranslateLib.review.agreement import weighted_kappa
from MRTranslateLib.review.bootstrap import estimate, weighted_mean
from MRTranslateLib.review.discrimination import accuracy, auc


def ratings(seed, number, *, shift=0.0):
    """Whole numbers 1 to 6."""
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(rng.normal(3.3 + shift, 1.4, number)), 1, 6)


def repeated(values, weights):
    return np.repeat(values, weights.astype(int))


def drawn(seed, number):
    """How often each of some cases was drawn."""
    return np.bincount(np.random.default_rng(seed).integers(0, number, number), minlength=number).astype(float)


# --- real or synthetic --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_scikit_learn_whatever_the_weights(seed):
    real, synthetic = ratings(seed, 25), ratings(100 + seed, 25, shift=0.8)
    for weights in (np.ones(25), drawn(seed, 25)):
        truth = np.repeat([0, 1], int(weights.sum()))
        said = np.concatenate([repeated(real, weights), repeated(synthetic, weights)])
        assert auc(real, synthetic, weights) == pytest.approx(roc_auc_score(truth, said))


def test_auc_is_mann_whitney():
    real, synthetic = ratings(1, 30), ratings(2, 30, shift=0.5)
    statistic = stats.mannwhitneyu(synthetic, real).statistic
    assert auc(real, synthetic, np.ones(30)) == pytest.approx(statistic / 30**2)


def test_many_drawings_at_once_give_what_each_gives_alone():
    real, synthetic = ratings(1, 12), ratings(2, 12, shift=0.5)
    many = np.stack([drawn(seed, 12) for seed in range(5)])
    for statistic in (auc, partial(accuracy, num_points=6), weighted_kappa):
        alone = [float(statistic(real, synthetic, weights)) for weights in many]
        assert statistic(real, synthetic, many) == pytest.approx(alone)


def test_auc_is_1_when_told_apart_0_when_mistaken_and_half_when_all_are_equal():
    low, high, ones = np.full(4, 2.0), np.full(4, 5.0), np.ones(4)
    assert (auc(low, high, ones), auc(high, low, ones), auc(low, low, ones)) == (1.0, 0.0, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_is_that_of_scikit_learn_cut_at_the_middle(seed):
    real, synthetic = ratings(seed, 25), ratings(100 + seed, 25, shift=0.8)
    truth = np.repeat([False, True], 25)
    right = accuracy_score(truth, np.concatenate([real, synthetic]) > 3.5)
    assert accuracy(real, synthetic, np.ones(25), num_points=6) == pytest.approx(right)


def test_the_two_points_at_the_middle_of_a_scale_fall_to_their_sides():
    assert accuracy(np.array([3.0]), np.array([4.0]), np.ones(1), num_points=6) == 1.0
    assert accuracy(np.array([4.0]), np.array([3.0]), np.ones(1), num_points=6) == 0.0


# --- agreement ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_kappa_is_that_of_scikit_learn_whatever_the_weights(seed):
    first = ratings(seed, 30)
    second = np.clip(first + np.random.default_rng(50 + seed).integers(-2, 3, 30), 1, 6)
    for weights in (np.ones(30), drawn(seed, 30)):
        truth = cohen_kappa_score(repeated(first, weights), repeated(second, weights), weights="quadratic")
        assert weighted_kappa(first, second, weights) == pytest.approx(truth)


def test_kappa_is_1_for_equal_ratings_and_minus_1_for_opposite_ones():
    rising = np.array([1.0, 2.0, 3.0, 4.0])
    assert weighted_kappa(rising, rising, np.ones(4)) == 1.0
    assert weighted_kappa(rising, rising[::-1], np.ones(4)) == pytest.approx(-1.0)


def test_kappa_of_one_and_the_same_rating_is_not_defined():
    assert np.isnan(weighted_kappa(np.full(5, 3.0), np.full(5, 3.0), np.ones(5)))


def test_kappa_of_two_different_constants_is_chance():
    assert weighted_kappa(np.full(5, 3.0), np.full(5, 4.0), np.ones(5)) == pytest.approx(0.0)


# --- intervals ----------------------------------------------------------------------------------------------------


def mean_of(values):
    return partial(weighted_mean, values)


def test_the_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(4).normal(0.5, 1.0, 40)
    found = estimate(mean_of(values), 40)
    other = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(other.low, abs=0.03)
    assert found.high == pytest.approx(other.high, abs=0.03)


def test_the_interval_of_an_auc_is_that_of_drawing_cases_one_by_one():
    real, synthetic = ratings(1, 30), ratings(2, 30, shift=0.7)
    found = estimate(lambda weights: auc(real, synthetic, weights), 30)
    rng, truth = np.random.default_rng(9), np.repeat([0, 1], 30)
    values = []
    for _ in range(250):
        cases = rng.integers(0, 30, 30)
        values.append(roc_auc_score(truth, np.concatenate([real[cases], synthetic[cases]])))
    low, high = np.percentile(values, [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))


def test_nineteen_of_twenty_intervals_hold_the_truth():
    held = 0
    for seed in range(100):
        found = estimate(mean_of(np.random.default_rng(seed).normal(0.0, 1.0, 30)), 30)
        held += found.low <= 0.0 <= found.high
    assert 88 <= held <= 99


def test_the_same_answers_give_the_same_interval():
    values = np.arange(8.0)
    assert estimate(mean_of(values), 8) == estimate(mean_of(values), 8)


def test_one_case_has_a_value_and_no_interval_and_none_has_neither():
    one = estimate(mean_of(np.array([2.0])), 1)
    assert (one.value, one.low, one.high, one.num) == (2.0, None, None, 1)
    none = estimate(mean_of(np.array([])), 0)
    assert (none.value, none.low, none.num) == (None, None, 0)


def test_there_is_no_interval_where_most_drawings_leave_the_number_undefined():
    found = estimate(lambda weights: np.where(weights.max(axis=-1) == 1, 0.5, np.nan), 6)
    assert (found.value, found.low) == (0.5, None)
