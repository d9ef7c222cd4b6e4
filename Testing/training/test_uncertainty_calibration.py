"""The 90 % interval: its coverage against errors of a known distribution, on people it was not fitted on."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.models.bundle import open_bundle, write_bundle
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.uncertainty.interval import calibrated_widths
from Testing.library.model_examples import example_card, example_tensors
from Testing.training.conftest import tiny_scan
from training import uncertainty_calibration
from training.uncertainty_calibration import (
    Case,
    coverage_on_others,
    fit_intervals,
    judge_uncertainty,
    write_uncertainty,
)

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W,), FLAIR)
NUM_VOXELS = 20_000


def person(seed, scale=1.0, name=None):
    """Errors are normal with a standard deviation that is twice the signal plus 0.02, times ``scale``."""
    random = np.random.default_rng(seed)
    signal = random.uniform(0, 0.1, NUM_VOXELS).astype(np.float32)
    error = np.abs(scale * (2 * signal + 0.02) * random.standard_normal(NUM_VOXELS)).astype(np.float32)
    return Case(name or f"sub-{seed}", signal, error, 0.7, 0.6, None)


def test_the_interval_is_that_of_the_distribution_the_errors_were_drawn_from():
    table = fit_intervals([person(1), person(2), person(3)], FLAIR)
    points = np.array([0.01, 0.04, 0.07, 0.09], np.float32)
    np.testing.assert_allclose(calibrated_widths(points, table), 1.645 * (2 * points + 0.02), rtol=0.08)
    assert table.target == FLAIR


def test_it_covers_nine_tenths_of_the_errors_of_people_it_has_not_seen_wherever_the_signal():
    table = fit_intervals([person(1), person(2), person(3)], FLAIR)
    case = person(9)
    inside = case.error <= calibrated_widths(case.signal, table)
    assert inside.mean() == pytest.approx(0.9, abs=0.01)
    for low in (0.0, 0.03, 0.06, 0.09):
        there = (case.signal >= low) & (case.signal < low + 0.01)
        assert inside[there].mean() == pytest.approx(0.9, abs=0.03)


def test_coverage_is_measured_on_the_person_left_out():
    # Two people as the model knows them and one whose errors are twice as large: in sample all would be 90 %.
    cases = [person(1), person(2), person(3, scale=2.0)]
    first, second, odd = coverage_on_others(cases, FLAIR)
    assert odd == pytest.approx(0.589, abs=0.02)  # a normal number is within 1.645 / 2 of its mean this often
    assert first > 0.92
    table = fit_intervals(cases, FLAIR, coverage=[first, second, odd])
    assert table.coverage == pytest.approx(np.mean([first, second, odd]), abs=1e-3)
    assert table.lowest_coverage == pytest.approx(odd, abs=1e-3)
    assert "fitted on 3 validation people" in table.statement
    assert f"{odd:.0%} at worst" in table.statement


def test_the_interval_is_widened_until_it_holds_nine_tenths_of_all_errors_each_person_judged_by_the_others():
    points = np.array([0.02, 0.05, 0.08], np.float32)
    same, differing = (
        calibrated_widths(points, fit_intervals([person(1, name=first), person(2, scale=2.0, name="sub-2")], FLAIR))
        for first in ("sub-2", "sub-1")  # as two scans of one person, and as two people
    )
    # By the wider table nearly all errors of the one are inside; four fifths of the other's make nine tenths in all.
    np.testing.assert_allclose(differing, 2 * 1.2816 / 1.6449 * same, rtol=0.05)


def test_people_who_differ_from_each_other_widen_the_interval_for_the_next():
    scales = (0.7, 1.0, 1.4)
    alike, apart = ([person(seed, scale) for seed, scale in enumerate(row)] for row in ((1.0, 1.0, 1.0), scales))
    random = np.random.default_rng(5)
    covered = {}
    for name, cases in (("alike", alike), ("apart", apart)):
        table = fit_intervals(cases, FLAIR)
        strangers = [person(seed, random.choice(scales) if name == "apart" else 1.0) for seed in range(20, 40)]
        covered[name] = np.mean([(case.error <= calibrated_widths(case.signal, table)).mean() for case in strangers])
    assert covered["alike"] == pytest.approx(0.9, abs=0.01)
    assert 0.89 < covered["apart"] < 0.96


def test_all_translations_of_a_person_are_left_out_together():
    cases = [person(1, name="sub-a"), person(2, name="sub-a", scale=2.0), person(3, name="sub-b")]
    covered = coverage_on_others(cases, FLAIR)
    assert covered[1] == pytest.approx(0.589, abs=0.02)


def test_with_a_single_person_no_coverage_is_claimed():
    cases = [person(1)]
    covered = coverage_on_others(cases, FLAIR)
    table = fit_intervals(cases, FLAIR, coverage=covered)
    assert covered == [None]
    assert (table.coverage, table.lowest_coverage) == (None, None)
    assert "was not measured" in table.statement


def test_a_signal_that_points_away_from_errors_gives_the_same_width_everywhere():
    case = person(1)
    away = Case("sub-x", 0.1 - case.signal, case.error, 0.3, 0.6, None)
    table = fit_intervals([away], FLAIR)
    np.testing.assert_allclose(table.half_width, np.quantile(case.error, 0.9), rtol=0.1)


def test_a_signal_that_is_the_same_everywhere_can_be_calibrated():
    case = person(1)
    flat = Case("sub-x", np.full(NUM_VOXELS, 0.03, np.float32), case.error, 0.5, 0.6, None)
    table = fit_intervals([flat], FLAIR)
    np.testing.assert_allclose(
        calibrated_widths(np.array([0.0, 0.03, 5.0], np.float32), table), np.quantile(case.error, 0.9), atol=1e-4
    )


class Copy(Generator):
    """Gives the first source for every target."""

    num_neighbours = 1
    size_multiple = 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def train_pred(self, slices, target_code):
        return slices.images[:, T1W.channel, :1].expand(-1, len(Contrast), -1, -1)


@pytest.fixture
def bundle(monkeypatch, tmp_path):
    """Judged is a generator that copies T1w."""
    monkeypatch.setattr(uncertainty_calibration, "load_generator", lambda bundle: Copy())
    card = msgspec.structs.replace(example_card(), sources=(T1W, T2W, FLAIR), targets=(T2W, FLAIR))
    return write_bundle(tmp_path / "tiny", card, example_tensors())


@pytest.fixture
def judged(bundle):
    scans = [tiny_scan("sub-a_ses-1", 1), tiny_scan("sub-a_ses-2", 4), tiny_scan("sub-b", 2)]
    return judge_uncertainty(bundle, scans, (ROUTE, ((T1W, T2W), FLAIR), ((T1W,), T2W)), threads=1, every=2)


def test_every_target_gets_a_table_and_every_route_a_row(judged):
    assert [table.target for table in judged.calibrations] == [FLAIR, T2W]
    assert [(row.sources, row.target) for row in judged.quality] == [ROUTE, ((T1W, T2W), FLAIR), ((T1W,), T2W)]
    for row in judged.quality:
        assert (row.num_cases, row.num_lesion_cases, row.split) == (3, 3, "val")
        assert row.lowest_coverage <= row.coverage
        assert 0 < row.distance < 1
    assert "fitted on 2 validation people" in judged.calibrations[0].statement


def test_the_tables_of_a_target_are_fitted_on_the_errors_of_all_its_routes(judged):
    # The copy is off by t - t^2 from FLAIR, at most a quarter, and by 1 - 2t from T2w, at most 0.6.
    flair, t2w = judged.calibrations
    assert 0.15 < max(flair.half_width) <= 0.26
    assert 0.3 < max(t2w.half_width) <= 0.65


def test_routes_that_nobody_has_are_left_out_and_none_at_all_is_refused(bundle):
    without_t2w = tiny_scan("sub-c", 3, (T1W, FLAIR))
    routes = (ROUTE, ((T1W,), T2W))
    assert len(judge_uncertainty(bundle, [without_t2w], routes, threads=1, every=4).quality) == 1
    with pytest.raises(InputError, match="nobody on the val split"):
        judge_uncertainty(bundle, [without_t2w], routes[1:], threads=1, every=4)


def test_what_was_measured_can_be_put_into_the_card_and_nothing_else_changes(bundle, judged):
    write_uncertainty(bundle, judged)
    card = open_bundle(bundle.folder).card
    assert card.uncertainty_calibrations == judged.calibrations
    assert card.uncertainty_quality == judged.quality
    assert card.uncertainty_command.startswith("python -m training uncertainty")
    emptied = {"uncertainty_calibrations": (), "uncertainty_quality": ()}
    emptied |= {"uncertainty_protocol": "", "uncertainty_command": ""}
    assert msgspec.structs.replace(card, **emptied) == bundle.card
