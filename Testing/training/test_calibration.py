"""Judging an attention map: AUROC against another library, calibration against a known probability, the controls."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.attention.calibrate import calibrated
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, ModelError
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, LocalDiscriminatorParameters
from Testing.library.model_examples import example_card, example_components, example_tensors
from Testing.training.conftest import tiny_scan
from training import calibration
from training.calibration import fit_calibration, judge_attention, source_gradient

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
ROUTE = ((T1W,), FLAIR)


def test_the_calibration_finds_the_probability_it_was_drawn_from():
    random = np.random.default_rng(1)
    raw = random.random(200_000).astype(np.float32)
    table = fit_calibration(raw, random.random(200_000) < 0.3 * raw**2, num_cases=4)
    points = np.array([0.05, 0.3, 0.6, 0.9])
    np.testing.assert_allclose(calibrated(points, table), 0.3 * points**2, atol=0.02)
    assert "in 4 validation scans" in table.statement
    assert "largest 10%" in table.statement


def test_a_map_that_points_away_from_errors_is_calibrated_to_guessing():
    random = np.random.default_rng(2)
    raw = random.random(50_000).astype(np.float32)
    table = fit_calibration(raw, random.random(50_000) < 0.2 * (1 - raw), num_cases=1)
    np.testing.assert_allclose(table.calibrated, 0.1, atol=0.01)


def test_a_map_that_is_the_same_everywhere_can_be_calibrated():
    table = fit_calibration(np.full(100, 0.25, np.float32), np.arange(100) < 10, num_cases=1)
    np.testing.assert_allclose(calibrated(np.array([0.0, 0.25, 1.0]), table), 0.1, atol=1e-6)


class HardWhereTold(LocalDiscriminator):
    """Its difficulty is a given function of the candidate."""

    def __init__(self, confidence):
        super().__init__(
            LocalDiscriminatorParameters(
                widths=(8, 8, 8, 8), normalization="none", spectral_norm=False, sees_sources=True, logit_stride_voxels=8
            )
        )
        self.confidence = lambda sources, availability, target_code, candidate: confidence(candidate)


@pytest.fixture
def judge(monkeypatch, tmp_path):
    """Judge a discriminator on a translation whose error rises with its brightness, which is the source's."""
    card = msgspec.structs.replace(
        example_card(), sources=(T1W, T2W, FLAIR), targets=(T2W, FLAIR), components=example_components()
    )
    bundle = write_bundle(
        tmp_path / "tiny", card, example_tensors(), components={"local_discriminator": example_tensors()}
    )

    def predict(generator, scan, route, indices):
        truth = scan.images[route[1]][indices].astype(np.float32) / 255
        return truth + 0.1 * truth**2

    monkeypatch.setattr(calibration, "load_generator", lambda bundle: None)
    monkeypatch.setattr(calibration, "predict_slices", predict)

    def call(confidence, scans=None, routes=(ROUTE,)):
        scans = scans or (tiny_scan("sub-a", 1), tiny_scan("sub-b", 2))
        monkeypatch.setattr(calibration, "load_local_discriminator", lambda bundle: HardWhereTold(confidence))
        return judge_attention(bundle, list(scans), routes, threads=1)

    return call


def test_a_discriminator_that_knows_the_errors_finds_them_all_and_beats_the_controls(judge):
    evidence = judge(lambda candidate: 1 - candidate.clamp(0, 1))
    (row,) = evidence.quality
    assert (row.sources, row.target, row.split, row.num_cases) == ((T1W,), FLAIR, "val", 2)
    assert row.attention == pytest.approx(1, abs=1e-3)
    assert row.beats_controls
    assert evidence.calibration.calibrated[0] == 0
    assert evidence.calibration.calibrated[-1] > 0.9


def test_a_discriminator_that_fears_the_wrong_places_is_worse_than_chance_and_said_not_to_beat_the_controls(judge):
    (row,) = judge(lambda candidate: candidate.clamp(0, 1)).quality
    assert row.attention < 0.05
    assert not row.beats_controls


def test_the_distance_control_counts_only_people_with_a_drawn_lesion(judge):
    plain = tiny_scan("sub-c", 3)
    without = type(plain)(plain.case_id, plain.images, plain.brain, plain.lesion * 0, has_lesion_mask=False)
    (row,) = judge(lambda candidate: 1 - candidate, scans=(tiny_scan("sub-a", 1), without)).quality
    assert (row.num_cases, row.num_lesion_cases) == (2, 1)
    assert 0 < row.distance < 1
    (row,) = judge(lambda candidate: 1 - candidate, scans=(without,)).quality
    assert (row.num_lesion_cases, row.distance, row.attention_lesion_cases) == (0, None, None)


def test_nearness_to_a_lesion_that_holds_the_errors_finds_them(judge, monkeypatch):
    scan = tiny_scan("sub-a", 1)

    def wrong_in_lesion(generator, scan, route, indices):
        truth = scan.images[route[1]][indices].astype(np.float32) / 255
        distance = calibration.ndimage.distance_transform_edt(scan.lesion == 0)[indices]
        return truth + 0.2 * np.exp(-distance).astype(np.float32)

    monkeypatch.setattr(calibration, "predict_slices", wrong_in_lesion)
    (row,) = judge(lambda candidate: torch.full_like(candidate, 0.5), scans=(scan,)).quality
    assert row.distance > 0.99
    assert row.attention == 0.5
    assert not row.beats_controls


def test_a_tenth_of_each_brain_is_to_be_found(judge):
    table = judge(lambda candidate: torch.full_like(candidate, 0.5)).calibration
    np.testing.assert_allclose(table.calibrated, 0.1, atol=0.005)


def test_the_gradient_control_is_high_at_an_edge_of_the_source():
    scan = tiny_scan("sub-a", 1)
    step = np.zeros_like(scan.images[T1W])
    step[:, 20:] = 200
    scan.images[T1W] = step
    gradient = source_gradient(scan, ROUTE)
    assert gradient.shape == step.shape
    assert gradient[6, 19:21].min() > 10 * max(gradient[6, 5].max(), 1e-3)


def test_routes_that_nobody_has_are_left_out_and_none_at_all_is_refused(judge):
    without_t2w = tiny_scan("sub-c", 3, (T1W, FLAIR))
    routes = (ROUTE, ((T1W,), T2W))
    assert len(judge(lambda candidate: 1 - candidate, scans=(without_t2w,), routes=routes).quality) == 1
    with pytest.raises(InputError, match="nobody on the val split"):
        judge(lambda candidate: 1 - candidate, scans=(without_t2w,), routes=(((T1W,), T2W),))


def test_a_bundle_without_local_discriminator_is_refused(tmp_path):
    bundle = write_bundle(tmp_path / "tiny", example_card(), example_tensors())
    with pytest.raises(ModelError, match="without a local discriminator"):
        judge_attention(bundle, [tiny_scan("sub-a", 1)], [ROUTE], threads=1)
