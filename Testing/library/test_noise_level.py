"""The noise of a source from its brain alone, against noise that was put in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.uncertainty.noise_level import MAX_NOISE, noise_level
from MRTranslateLib.volume import to_canonical, to_slices

T1W = Contrast.T1W


@pytest.fixture(scope="module")
def head():
    """A phantom's T1w without noise, about 2 mm, 0..1, and its brain, as slices."""
    phantom = make_phantom(3, grid=brain_grid((2, 2, 4)), contrasts=(T1W,), noise=0.0)
    brain = to_slices(to_canonical(phantom.brain_mask).array)
    clean = to_slices(to_canonical(phantom.volumes[T1W]).array) * brain
    return (clean / np.percentile(clean[brain], 99.5)).astype(np.float32), brain


@pytest.mark.parametrize("sigma", [0.03, 0.06])
@pytest.mark.parametrize("kind", ["gaussian", "rician"])
def test_the_noise_of_a_stripped_head_is_found_within_a_fifth(head, kind, sigma):
    clean, brain = head
    random = np.random.default_rng(1)
    noisy = clean + sigma * random.standard_normal(clean.shape)
    if kind == "rician":
        noisy = np.hypot(noisy, sigma * random.standard_normal(clean.shape))
    assert noise_level((noisy * brain).astype(np.float32), brain) == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.08])
def test_on_smooth_tissue_it_is_found_within_five_percent(sigma):
    random = np.random.default_rng(2)
    rows = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None]
    tissue = np.broadcast_to(0.3 + 0.4 * rows, (12, 64, 64))
    noisy = (tissue + sigma * random.standard_normal(tissue.shape)).astype(np.float32)
    assert noise_level(noisy, np.ones(tissue.shape, bool)) == pytest.approx(sigma, rel=0.05)


def test_the_empty_background_and_the_rim_of_the_brain_do_not_count():
    random = np.random.default_rng(3)
    brain = np.zeros((6, 48, 48), bool)
    brain[:, 12:36, 12:36] = True
    noisy = (0.8 + 0.04 * random.standard_normal(brain.shape)).astype(np.float32) * brain
    assert noise_level(noisy, brain) == pytest.approx(0.04, rel=0.1)


def test_edges_do_not_pass_for_noise():
    random = np.random.default_rng(4)
    rows = np.arange(64)[None, :, None]
    columns = np.arange(64)[None, None, :]
    tissue = np.where((rows // 12 + columns // 12) % 2, 0.8, 0.3)
    tissue = ndimage.gaussian_filter(np.broadcast_to(tissue, (8, 64, 64)).astype(np.float32), (0, 0.7, 0.7))
    noisy = (tissue + 0.01 * random.standard_normal(tissue.shape)).astype(np.float32)
    assert noise_level(noisy, np.ones(tissue.shape, bool)) == pytest.approx(0.01, rel=0.2)


def test_fine_texture_in_two_fifths_of_the_brain_does_not_count():
    random = np.random.default_rng(7)
    places = np.indices((8, 64, 64)).sum(axis=0)
    tissue = np.where((np.arange(64) < 26) & (places % 2 == 0), 0.9, 0.4)
    tissue[:, :, :26] += 0.1 * np.sin(np.arange(64) / 3)[:, None]
    noisy = (tissue + 0.01 * random.standard_normal(tissue.shape)).astype(np.float32)
    assert noise_level(noisy, np.ones(tissue.shape, bool)) == pytest.approx(0.01, rel=0.2)


def test_single_bright_voxels_do_not_count():
    random = np.random.default_rng(8)
    noisy = (0.4 + 0.01 * random.standard_normal((8, 64, 64))).astype(np.float32)
    noisy[2::4, 4::8, 4::8] = 1.0  # vessels
    assert noise_level(noisy, np.ones(noisy.shape, bool)) == pytest.approx(0.01, rel=0.2)


def test_a_clean_image_has_next_to_none_and_a_ruined_one_no_more_than_any_acquisition():
    flat = np.full((4, 32, 32), 0.5, np.float32)
    brain = np.ones(flat.shape, bool)
    assert noise_level(flat, brain) == pytest.approx(0, abs=1e-6)
    ruined = np.random.default_rng(5).random(flat.shape).astype(np.float32)
    assert noise_level(ruined, brain) == MAX_NOISE


def test_a_brain_too_thin_to_tell_has_none():
    thin = np.zeros((3, 20, 20), bool)
    thin[:, 10] = True
    assert noise_level(np.random.default_rng(6).random(thin.shape).astype(np.float32), thin) == 0
