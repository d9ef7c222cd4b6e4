"""ROOD's scores, the slope and the verdict against numbers and sentences worked out by hand."""

import pytest

from MRTranslateLib.metrics.regions import RegionScores
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.robustness.cell import Cell, RegionResult
from MRTranslateLib.robustness.summary import (
    rood_degradation,
    rood_overall,
    slope_per_level,
    summarize_regions,
    summarize_types,
)
from MRTranslateLib.robustness.verdict import NO_LIMITS, judge

EQUAL = float("inf")


def scores(ssim=1.0, psnr=None, nmae=0.0):
    return RegionScores(num_voxels=10, psnr=psnr, ssim=ssim, nmae=nmae, nrmse=0.0, bias=0.0)


def cell(name, level, change, *, ssim=1.0, psnr=None, region="lesion"):
    error = None if psnr is None else scores(psnr=None if psnr == EQUAL else psnr)
    result = RegionResult(relative_change=change, change=scores(ssim), error=error)
    return Cell(
        perturbation=name,
        level=level,
        track="clean",
        label="",
        perturbed=(),
        regions={region: result},
        network_seconds=1.0,
        seconds=1.0,
        fallbacks=(),
    )


def limit(share, region="lesion"):
    return RobustnessLimit(region=region, max_relative_change=share, derived_from="Nobody, by hand.")


def verdict_of(cells, *limits):
    return judge(limits, cells, summarize_types(cell("none", 0, 0.0, region=next(iter(cells[0].regions))), cells))


def test_overall_weighs_the_clean_score_with_one_and_level_s_with_two_thirds_to_the_s():
    # 27 + 18 + 12 + 8 = 65 twenty-sevenths in all.
    assert rood_overall(30.0, {1: 27.0, 2: 24.0, 3: 21.0}) == pytest.approx((27 * 30 + 18 * 27 + 12 * 24 + 8 * 21) / 65)


def test_degradation_leaves_the_clean_score_out_of_the_weights():
    assert rood_degradation(30.0, {1: 27.0, 2: 24.0, 3: 21.0}) == pytest.approx((18 * 3 + 12 * 6 + 8 * 9) / 38)


def test_levels_that_were_not_run_are_left_out_of_both_sums():
    assert rood_degradation(1.0, {5: 0.25}) == pytest.approx(0.75)


def test_scores_of_no_level_are_refused():
    with pytest.raises(ValueError, match="at least one level"):
        rood_overall(1.0, {})


def test_the_slope_of_a_straight_line_from_zero_is_its_own():
    assert slope_per_level({1: 0.02, 3: 0.06, 5: 0.10}) == pytest.approx(0.02)


def test_the_worst_type_is_the_one_that_degrades_most():
    cells = [cell("blur", 1, 0.2, ssim=0.9, psnr=20.0), cell("motion", 1, 0.1, ssim=0.8, psnr=22.0)]
    (region,) = summarize_regions(summarize_types(cell("none", 0, 0.0, psnr=25.0), cells))
    assert (region.worst, region.worst_against_reference) == ("motion", "blur")
    assert region.mean_degradation == pytest.approx(0.15)


def test_a_perfect_match_with_the_reference_leaves_psnr_out_instead_of_inventing_one():
    (summary,) = summarize_types(cell("none", 0, 0.0, psnr=25.0), [cell("blur", 1, 0.1, psnr=EQUAL)])
    assert summary.error_psnr_db is None


def test_without_limits_there_are_numbers_and_no_judgement():
    verdict = verdict_of([cell("motion", 1, 0.05), cell("motion", 2, 0.123)])
    assert verdict.within_limits is None
    assert verdict.sentences == (NO_LIMITS, "The largest change of the lesion was 12 % (Motion, level 2).")


def test_a_limit_broken_from_some_level_on_is_told_as_above_the_last_good_one():
    changes = {1: 0.02, 2: 0.08, 3: 0.11, 4: 0.2, 5: 0.3}
    verdict = verdict_of([cell("motion", level, change) for level, change in changes.items()], limit(0.10))
    assert verdict.within_limits is False
    assert verdict.sentences[0] == "Caution: motion above level 2 changes the lesion by more than 10 %."


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({1: 0.2, 2: 0.3}, "from level 1 on"),
        ({1: 0.0, 2: 0.3, 3: 0.1, 4: 0.2}, "at levels 2 and 4"),
        ({1: 0.0, 2: 0.3, 3: 0.1}, "at level 2"),
    ],
)
def test_where_a_limit_is_broken_is_said_as_it_is(changes, where):
    verdict = verdict_of([cell("spike", at, change) for at, change in changes.items()], limit(0.1))
    assert verdict.sentences[0] == f"Caution: k-space spike {where} changes the lesion by more than 10 %."


def test_a_change_of_exactly_the_limit_is_within_it():
    verdict = verdict_of([cell("blur", 5, 0.1)], limit(0.1))
    assert verdict.within_limits is True
    assert verdict.sentences[0] == "Within limits: no perturbation up to level 5 changes the lesion by more than 10 %."


def test_a_limit_for_a_region_that_was_not_measured_does_not_pass():
    verdict = verdict_of([cell("blur", 5, 0.1, region="brain")], limit(0.5))
    assert verdict.within_limits is None
    assert "which was not measured" in verdict.sentences[0]
