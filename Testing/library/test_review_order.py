"""What comes twice and in which order: the rules hold whatever the seed, and no order tells what an item is."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from MRTranslateLib.errors import UsageError
from MRTranslateLib.review.order import MIN_BETWEEN, check_repeat, draw_order, draw_showings, num_between

BOTH = ("real", "synthetic")
SIZES = [(2, 0.25), (2, 1.0), (3, 0.2), (4, 0.5), (5, 1.0), (12, 0.2), (40, 0.3)]


def draw(num_cases, repeat, seed, kinds=BOTH):
    cases = [f"case{number}" for number in range(num_cases)]
    rng = np.random.default_rng(seed)
    showings = draw_showings(cases, kinds, repeat=repeat, rng=rng)
    order = draw_order(showings, num_between=num_between(num_cases * len(kinds)), rng=rng)
    return showings, order


def seeds(num_cases):
    return range(200 if num_cases < 10 else 20)


@pytest.mark.parametrize(("num_cases", "repeat"), SIZES)
def test_every_showing_comes_once(num_cases, repeat):
    for seed in seeds(num_cases):
        showings, order = draw(num_cases, repeat, seed)
        assert sorted(order) == list(range(len(showings)))


@pytest.mark.parametrize(("num_cases", "repeat"), SIZES)
def test_a_case_never_comes_twice_in_a_row(num_cases, repeat):
    for seed in seeds(num_cases):
        showings, order = draw(num_cases, repeat, seed)
        assert all(showings[first][0] != showings[second][0] for first, second in pairwise(order))


@pytest.mark.parametrize(("num_cases", "repeat"), SIZES)
def test_a_repeat_is_never_near_its_first_showing(num_cases, repeat):
    least = min(MIN_BETWEEN, num_cases)
    for seed in seeds(num_cases):
        showings, order = draw(num_cases, repeat, seed)
        sequence = [showings[index] for index in order]
        places = {showing: [at for at, each in enumerate(sequence) if each == showing] for showing in sequence}
        assert all(at[1] - at[0] - 1 >= least for at in places.values() if len(at) == 2)


@pytest.mark.parametrize(("num_cases", "repeat"), SIZES)
def test_the_share_is_repeated_once_and_of_either_kind_alike(num_cases, repeat):
    for seed in seeds(num_cases):
        showings, _ = draw(num_cases, repeat, seed)
        twice = [showing for showing, number in Counter(showings).items() if number == 2]
        assert len(twice) == len(showings) - 2 * num_cases == round(2 * num_cases * repeat)
        kinds = Counter(kind for _, kind in twice)
        assert abs(kinds["real"] - kinds["synthetic"]) <= 1


def test_an_odd_repeat_is_of_either_kind():
    kinds = [draw(4, 0.125, seed)[0][-1][1] for seed in range(400)]
    assert 0.4 < kinds.count("real") / len(kinds) < 0.6


def test_few_repeats_are_of_different_cases():
    for seed in range(50):
        showings, _ = draw(10, 0.5, seed)
        twice = [case for (case, _), number in Counter(showings).items() if number == 2]
        assert len(set(twice)) == len(twice) == 10


def test_each_place_in_the_order_is_as_often_real_as_synthetic():
    num_draws = 600
    is_real = np.zeros(12)
    for seed in range(num_draws):
        showings, order = draw(5, 0.2, seed)
        is_real += [showings[index][1] == "real" for index in order]
    deviations = (is_real / num_draws - 0.5) / np.sqrt(0.25 / num_draws)
    assert np.abs(deviations).max() < 3.5


def test_what_came_before_does_not_tell_what_comes_next():
    same = total = 0
    for seed in range(400):
        showings, order = draw(6, 0.2, seed)
        kinds = [showings[index][1] for index in order]
        same += sum(first == second for first, second in pairwise(kinds))
        total += len(kinds) - 1
    # Blind to kinds, neighbours are of different cases: of the 10 other items 5 are of either kind.
    assert abs(same / total - 0.5) < 0.03


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    assert draw(6, 0.2, 1) == draw(6, 0.2, 1)
    assert draw(6, 0.2, 1)[1] != draw(6, 0.2, 2)[1]


def test_results_alone_are_repeated_and_kept_apart_too():
    for seed in range(100):
        showings, order = draw(4, 0.5, seed, kinds=("synthetic",))
        assert len(showings) == 6
        assert all(showings[first] != showings[second] for first, second in pairwise(order))


def test_one_case_cannot_be_kept_apart():
    with pytest.raises(UsageError, match="1 case is too few"):
        draw(1, 0.0, 0)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_no_share_is_refused_with_its_value(share):
    with pytest.raises(UsageError, match=f"cannot repeat a share of {share:g}"):
        check_repeat(share)
