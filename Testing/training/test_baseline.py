"""The baseline learns what a voxel's own neighbourhood tells, and copes with little data."""

from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from Testing.training.conftest import tiny_scan
from training import baseline
from training.baseline import baseline_scores

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def people():
    """Four people whose contrasts are functions of each other; the last one is kept for judging."""
    return [tiny_scan(f"sub-{seed}", seed) for seed in range(4)]


@pytest.fixture(scope="module")
def scores(people):
    return {score.route: score for score in baseline_scores(people[:3], people[3:])}


def mean_psnr(train, judged, contrast):
    """PSNR of the best that one can say without looking at the sources: the mean over the training people."""
    mean = np.mean([scan.images[contrast][scan.brain].mean() for scan in train]) / 255
    return -10 * np.log10(np.mean((judged.images[contrast][judged.brain] / 255 - mean) ** 2))


def test_it_learns_a_contrast_that_is_a_function_of_another(scores, people):
    for route in (((T1W,), T2W), ((T2W,), T1W), ((T1W,), FLAIR), ((T1W, T2W), FLAIR)):
        assert scores[route].brain_psnr > mean_psnr(people[:3], people[3], route[1]) + 12


def test_it_is_judged_on_the_people_it_is_given_whole(scores):
    score = scores[((T1W,), T2W)]
    assert score.num_cases == 1
    assert score.brain_ssim > 0.9
    assert score.lesion_psnr is not None


def test_routes_that_nobody_in_training_has_are_left_out(scores):
    assert not any(Contrast.T1W_GD in (*sources, target) for sources, target in scores)
    assert len(scores) == 6


def test_people_without_a_contrast_do_not_hinder_the_others(people):
    poor = tiny_scan("sub-x", 9, (T1W, FLAIR))
    routes = {score.route: score for score in baseline_scores([poor, people[0]], [poor, people[1]])}
    assert routes[((T1W,), T2W)].num_cases == 1
    assert routes[((T1W,), FLAIR)].num_cases == 2


def test_the_same_data_give_the_same_scores(people, monkeypatch):
    monkeypatch.setattr(baseline, "VOXELS_PER_PERSON", 500)
    first, second = (baseline_scores(people[:1], people[3:]) for _ in range(2))
    assert first == second


def test_features_do_not_look_outside_the_brain(people):
    scan = people[0]
    bright = {contrast: np.where(scan.brain, image, 255).astype(np.uint8) for contrast, image in scan.images.items()}
    other = type(scan)(scan.case_id, bright, scan.brain, scan.lesion, scan.has_lesion_mask)
    route = ((T1W,), T2W)
    mine, theirs = (baseline._features(each, route)[scan.brain] for each in (scan, other))
    np.testing.assert_array_equal(mine, theirs)
