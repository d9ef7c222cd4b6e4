from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import metrics as skimage_metrics

from MRTranslateLib.metrics import (
    normalized_mean_absolute_error,
    normalized_root_mean_square_error,
    peak_signal_noise_ratio,
    signed_bias,
    slice_flicker,
    structural_similarity,
    structural_similarity_map,
)
from MRTranslateLib.metrics.similarity import mask_box


@pytest.fixture(scope="module")
def pair():
    """A smooth random image in 0..1 and a noisy, slightly blurred version of it."""
    random = np.random.default_rng(2026)
    true = gaussian_filter(random.random((30, 26, 22)), 1.2)
    true = (true - true.min()) / np.ptp(true)
    test = np.clip(gaussian_filter(true, 0.7) + random.normal(0, 0.05, true.shape), 0, 1)
    return true, test


@pytest.fixture(scope="module")
def ball():
    """A mask that touches the border of the pair's grid on one side only."""
    i, j, k = np.ogrid[:30, :26, :22]
    return (i - 7) ** 2 + (j - 12) ** 2 + (k - 11) ** 2 <= 64


def skimage_similarity(true, test, data_range):
    return skimage_metrics.structural_similarity(
        true, test, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]


@pytest.mark.parametrize("error", [0.001, 0.1, 0.5, -0.25])
def test_psnr_of_a_constant_error_is_minus_20_log10_of_it(error):
    true = np.full((4, 4, 4), 0.5)
    psnr = peak_signal_noise_ratio(true, true + error, data_range=1.0, mask=None)
    assert psnr == pytest.approx(-20 * math.log10(abs(error)))


def test_psnr_rises_by_20_decibels_when_the_range_is_ten_times_wider(pair):
    narrow, wide = (peak_signal_noise_ratio(*pair, data_range=r, mask=None) for r in (1.0, 10.0))
    assert wide - narrow == pytest.approx(20)


def test_psnr_of_equal_images_is_infinite(pair):
    assert peak_signal_noise_ratio(pair[0], pair[0], data_range=1.0, mask=None) == math.inf


@pytest.mark.parametrize("data_range", [1.0, 1000.0])
def test_psnr_equals_skimage_on_the_voxels_of_the_mask(pair, ball, data_range):
    true, test = pair
    expected = skimage_metrics.peak_signal_noise_ratio(true[ball], test[ball], data_range=data_range)
    assert peak_signal_noise_ratio(true, test, data_range=data_range, mask=ball) == pytest.approx(expected)


def test_nrmse_equals_skimage_with_the_euclidean_norm(pair, ball):
    true, test = pair
    expected = skimage_metrics.normalized_root_mse(true[ball], test[ball], normalization="euclidean")
    assert normalized_root_mean_square_error(true, test, mask=ball) == pytest.approx(expected)


def test_nrmse_of_an_image_of_zeros_is_one(pair):
    assert normalized_root_mean_square_error(pair[0], np.zeros_like(pair[0]), mask=None) == pytest.approx(1)


def test_nrmse_against_a_reference_of_zeros_is_undefined(pair):
    assert math.isnan(normalized_root_mean_square_error(np.zeros_like(pair[0]), pair[0], mask=None))


def test_nmae_and_bias_of_a_hand_made_error():
    # Errors +2, -4, 0, 0 in a range of 10: mean absolute 1.5, mean -0.5.
    true, test = np.array([5, 5, 5, 5]), np.array([7, 1, 5, 5])
    assert normalized_mean_absolute_error(true, test, data_range=10, mask=None) == pytest.approx(0.15)
    assert signed_bias(true, test, data_range=10, mask=None) == pytest.approx(-0.05)


def test_unsigned_integers_do_not_wrap_around():
    true, test = np.full(3, 200, np.uint8), np.full(3, 100, np.uint8)
    assert signed_bias(true, test, data_range=100, mask=None) == -1


def test_the_similarity_map_equals_skimage(pair):
    expected = skimage_similarity(*pair, 1.0)
    np.testing.assert_allclose(structural_similarity_map(*pair, data_range=1.0), expected, atol=1e-12)


def test_the_similarity_map_of_another_range_equals_skimage(pair):
    true, test = (image * 1000 for image in pair)
    np.testing.assert_allclose(
        structural_similarity_map(true, test, data_range=1000), skimage_similarity(true, test, 1000), atol=1e-10
    )


def test_similarity_is_the_map_of_the_whole_frame_averaged_in_the_mask(pair, ball):
    expected = skimage_similarity(*pair, 1.0)[ball].mean()
    assert structural_similarity(*pair, data_range=1.0, mask=ball) == pytest.approx(expected, abs=1e-12)


def test_similarity_of_a_mask_smaller_than_the_window_at_a_border_equals_skimage(pair):
    mask = np.zeros(pair[0].shape, dtype=bool)
    mask[0, 24:, 10:12] = True
    expected = skimage_similarity(*pair, 1.0)[mask].mean()
    assert structural_similarity(*pair, data_range=1.0, mask=mask) == pytest.approx(expected, abs=1e-12)


def test_similarity_without_a_mask_is_the_mean_of_the_whole_map(pair):
    expected = skimage_similarity(*pair, 1.0).mean()
    assert structural_similarity(*pair, data_range=1.0, mask=None) == pytest.approx(expected, abs=1e-12)


def test_similarity_of_flat_images_is_the_luminance_term():
    # No variance: SSIM = (2ab + C1) / (a^2 + b^2 + C1) with C1 = 0.01^2.
    dark, bright = np.full((12, 12, 12), 0.2), np.full((12, 12, 12), 0.6)
    expected = (2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)
    assert structural_similarity(dark, bright, data_range=1.0, mask=None) == pytest.approx(expected)


def test_similarity_of_float32_images_agrees_with_float64(pair, ball):
    single = tuple(image.astype(np.float32) for image in pair)
    expected = structural_similarity(*pair, data_range=1.0, mask=ball)
    assert structural_similarity(*single, data_range=1.0, mask=ball) == pytest.approx(expected, abs=1e-6)


def test_empty_background_around_the_head_changes_no_masked_metric(pair, ball):
    # Six voxels of background between the brain and the border: farther than the window reaches.
    true, test, mask = (np.pad(image * ball, 6) for image in (*pair, np.ones_like(pair[0])))
    wide_true, wide_test, wide_mask = (np.pad(image, 9) for image in (true, test, mask))
    for metric in (peak_signal_noise_ratio, structural_similarity, normalized_mean_absolute_error, signed_bias):
        near = metric(true, test, data_range=1.0, mask=mask)
        assert metric(wide_true, wide_test, data_range=1.0, mask=wide_mask) == pytest.approx(near, rel=1e-12)
    assert slice_flicker(wide_true, wide_test, mask=wide_mask, axis=2) == pytest.approx(
        slice_flicker(true, test, mask=mask, axis=2)
    )


def test_what_lies_outside_the_mask_counts_in_no_intensity_metric(pair, ball):
    true, test = pair
    spoilt = np.where(ball, test, 99.0)
    for metric in (peak_signal_noise_ratio, normalized_mean_absolute_error, signed_bias):
        assert metric(true, spoilt, data_range=1.0, mask=ball) == metric(true, test, data_range=1.0, mask=ball)
    assert normalized_root_mean_square_error(true, spoilt, mask=ball) == normalized_root_mean_square_error(
        true, test, mask=ball
    )
    assert slice_flicker(true, spoilt, mask=ball, axis=2) == slice_flicker(true, test, mask=ball, axis=2)


def test_flicker_of_equal_images_is_one(pair, ball):
    assert slice_flicker(pair[0], pair[0], mask=ball, axis=2) == 1


def test_flicker_of_a_hand_made_stack():
    # The reference climbs by 1 from slice to slice; the synthetic swings by 3.
    true = np.broadcast_to(np.arange(5.0), (4, 4, 5))
    test = np.broadcast_to([0.0, 3.0, 0.0, 3.0, 0.0], (4, 4, 5))
    assert slice_flicker(true, test, mask=None, axis=2) == pytest.approx(3)


def test_flicker_sees_only_the_axis_asked_for():
    true = np.add.outer(np.arange(4.0), np.arange(5.0))
    test = np.add.outer(np.arange(4.0), 3 * np.arange(5.0))
    assert slice_flicker(true, test, mask=None, axis=0) == pytest.approx(1)
    assert slice_flicker(true, test, mask=None, axis=1) == pytest.approx(3)


def test_flicker_compares_no_voxel_of_the_mask_with_one_outside():
    true = np.array([[0.0, 1.0, 2.0, 50.0]])
    test = np.array([[0.0, 2.0, 4.0, -70.0]])
    mask = np.array([[1, 1, 1, 0]])
    assert slice_flicker(true, test, mask=mask, axis=1) == pytest.approx(2)


def test_flicker_against_a_reference_that_never_changes_is_undefined():
    assert math.isnan(slice_flicker(np.ones((2, 3)), np.eye(2, 3), mask=None, axis=1))


def test_a_mask_box_is_widened_but_stays_inside_the_array():
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask[1, 4:6, 9] = True
    assert mask_box(mask, margin=2) == (slice(0, 4), slice(2, 8), slice(7, 10))


@pytest.mark.parametrize(
    "metric", [peak_signal_noise_ratio, structural_similarity, normalized_mean_absolute_error, signed_bias]
)
class TestRefusals:
    def test_an_empty_mask_is_refused(self, metric, pair):
        with pytest.raises(ValueError, match="mask is empty"):
            metric(*pair, data_range=1.0, mask=np.zeros(pair[0].shape))

    def test_a_mask_of_another_shape_is_refused_with_both_shapes(self, metric, pair):
        with pytest.raises(ValueError, match=r"\(30, 26, 21\).*\(30, 26, 22\)"):
            metric(*pair, data_range=1.0, mask=np.ones((30, 26, 21)))

    def test_images_of_different_shapes_are_refused(self, metric, pair):
        with pytest.raises(ValueError, match="differ in shape"):
            metric(pair[0], pair[1][1:], data_range=1.0, mask=None)

    @pytest.mark.parametrize("data_range", [0.0, -1.0, math.nan, math.inf])
    def test_a_data_range_that_is_no_width_is_refused(self, metric, pair, data_range):
        with pytest.raises(ValueError, match="data_range must be positive"):
            metric(*pair, data_range=data_range, mask=None)
