"""Attacks rise with time and stop rising when clean accuracy suffers."""

import math

import pytest

from training.attackers.curriculum import SeverityCurriculum


def test_the_level_rises_evenly_over_the_ramp_and_stays():
    curriculum = SeverityCurriculum(30.0)
    levels = [curriculum.advance(progress) for progress in (0, 0.15, 0.3, 1.0)]
    assert levels == pytest.approx([0, 1.5, 3, 3])


def test_a_loss_of_more_than_0_3_db_on_clean_data_holds_the_level():
    curriculum = SeverityCurriculum(30.0)
    curriculum.advance(0.1)
    assert not curriculum.observe(29.71)
    assert curriculum.observe(29.69)
    assert curriculum.advance(0.3) == pytest.approx(1.0)


def test_it_rises_on_from_where_it_was_held_when_accuracy_is_back():
    curriculum = SeverityCurriculum(30.0)
    curriculum.advance(0.1)
    curriculum.observe(29.0)
    curriculum.advance(0.5)
    assert not curriculum.observe(29.9)
    assert curriculum.advance(0.55) == pytest.approx(1.5)


def test_an_accuracy_that_is_no_number_holds_the_level():
    assert SeverityCurriculum(30.0).observe(math.nan)


def test_the_voxel_bound_follows_the_level():
    curriculum = SeverityCurriculum(30.0)
    assert curriculum.bound(8 / 255) == pytest.approx(4 / 255)
    curriculum.advance(0.15)
    assert curriculum.bound(8 / 255) == pytest.approx(6 / 255)
    curriculum.advance(1)
    assert curriculum.bound(8 / 255) == pytest.approx(8 / 255)


def test_it_resumes_exactly():
    first, second = SeverityCurriculum(30.0), SeverityCurriculum(30.0)
    first.advance(0.1)
    first.observe(29.0)
    second.load_state_dict(first.state_dict())
    for curriculum in (first, second):
        curriculum.advance(0.2)
        curriculum.observe(30.0)
    assert first.advance(0.25) == second.advance(0.25)


def test_time_does_not_run_backwards_and_ranges_are_checked():
    curriculum = SeverityCurriculum(30.0)
    curriculum.advance(0.2)
    with pytest.raises(ValueError, match=r"progress went back from 0.2 to 0.1"):
        curriculum.advance(0.1)
    with pytest.raises(ValueError, match=r"level 6"):
        SeverityCurriculum(30.0, max_level=6)
