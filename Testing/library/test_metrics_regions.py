from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from MRTranslateLib.errors import InputError
from MRTranslateLib.metrics.regions import Report, evaluate_regions
from MRTranslateLib.metrics.similarity import structural_similarity
from MRTranslateLib.volume import Volume

OBLIQUE = np.array([[0.0, -0.9, 0.1, 3], [0.9, 0, 0, -5], [0.2, 0.1, -3, 7], [0, 0, 0, 1]])
"""Axes permuted, two of them flipped: slices lie along the third axis, feet last."""
SHAPE = (16, 18, 14)


def volume(array):
    return Volume(np.asarray(array), OBLIQUE)


@pytest.fixture
def reference():
    return volume(np.random.default_rng(4).random(SHAPE))


@pytest.fixture
def brain():
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:13, 3:15, 2:12] = 1
    return volume(mask)


@pytest.fixture
def lesion():
    """Label 1 of 8 voxels and label 3 of 12, all inside the brain."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:7, 5:7, 5:7] = 1
    labels[8:10, 5:7, 5:8] = 3
    return volume(labels)


def test_each_region_has_the_error_that_was_put_there(reference, brain, lesion):
    error = np.select([lesion.array == 1, lesion.array == 3, brain.array == 1], [-0.2, 0.1, 0.01], 7.0)
    report = evaluate_regions(volume(reference.array + error), reference, brain, lesion)
    assert report.lesion_labels[1].bias == pytest.approx(-0.2)
    assert report.lesion_labels[3].bias == pytest.approx(0.1)
    assert report.healthy.bias == pytest.approx(0.01)
    assert report.lesion_labels[1].psnr == pytest.approx(-20 * math.log10(0.2))
    assert report.lesion.nmae == pytest.approx((8 * 0.2 + 12 * 0.1) / 20)
    assert report.brain.num_voxels == 1200 == report.healthy.num_voxels + report.lesion.num_voxels
    assert report.lesion_labels.keys() == {1, 3}


def test_similarity_of_the_brain_is_that_of_the_whole_frame_in_the_mask(reference, brain):
    synthetic = volume(np.random.default_rng(5).random(SHAPE))
    expected = structural_similarity(reference.array, synthetic.array, data_range=1.0, mask=brain.array)
    assert evaluate_regions(synthetic, reference, brain, None).brain.ssim == pytest.approx(expected)


def test_the_data_range_reaches_psnr_and_ssim(reference, brain):
    synthetic = volume(reference.array + 0.1)
    scaled = [evaluate_regions(synthetic, reference, brain, None, data_range=r).brain for r in (1.0, 10.0)]
    assert scaled[1].psnr - scaled[0].psnr == pytest.approx(20)
    assert scaled[1].ssim > scaled[0].ssim


def test_flicker_runs_across_axial_slices_whatever_the_orientation(brain):
    # The third axis of the OBLIQUE grid runs from head to feet.
    true = np.broadcast_to(np.arange(SHAPE[2], dtype=float), SHAPE)
    report = evaluate_regions(volume(3 * true), volume(true), brain, None)
    assert report.flicker == pytest.approx(3)


def test_identical_images_have_null_psnr_and_a_note(reference, brain, lesion):
    report = evaluate_regions(reference, reference, brain, lesion)
    assert report.brain.psnr is None
    assert report.brain.ssim == pytest.approx(1)
    assert "identical in the brain: PSNR is infinite" in report.notes[0]


def test_a_lesion_that_alone_is_identical_is_noted(reference, brain, lesion):
    synthetic = volume(np.where(lesion.array, reference.array, reference.array + 0.1))
    report = evaluate_regions(synthetic, reference, brain, lesion)
    assert report.lesion.psnr is None
    assert "identical in the lesion" in report.notes[0]


def test_a_dark_reference_has_null_nrmse(brain):
    report = evaluate_regions(volume(np.full(SHAPE, 0.5)), volume(np.zeros(SHAPE)), brain, None)
    assert report.brain.nrmse is None
    assert report.flicker is None


def test_without_a_lesion_mask_the_report_has_the_brain_alone(reference, brain):
    report = evaluate_regions(volume(reference.array + 0.1), reference, brain, None)
    assert (report.lesion, report.lesion_labels, report.healthy, report.notes) == (None, {}, None, ())


def test_lesion_outside_the_brain_is_left_out_and_counted(reference, brain, lesion):
    labels = lesion.array.copy()
    labels[0, 0, :5] = 2
    report = evaluate_regions(volume(reference.array + 0.1), reference, brain, volume(labels))
    assert report.lesion.num_voxels == 20
    assert 2 not in report.lesion_labels
    assert report.notes == ("5 voxels of the lesion mask lie outside the brain mask and were left out",)


def test_a_lesion_that_fills_the_brain_leaves_no_healthy_remainder(reference, brain):
    report = evaluate_regions(volume(reference.array + 0.1), reference, brain, brain)
    assert report.healthy is None
    assert "no healthy remainder" in report.notes[0]


def test_a_report_survives_json(reference, brain, lesion):
    report = evaluate_regions(reference, reference, brain, lesion)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


@pytest.mark.parametrize("which", ["synthetic", "brain mask", "lesion mask"])
def test_another_grid_is_refused_by_name(reference, brain, lesion, which):
    inputs = {"synthetic": reference, "brain mask": brain, "lesion mask": lesion}
    shifted = OBLIQUE.copy()
    shifted[0, 3] += 0.5
    inputs[which] = Volume(inputs[which].array, shifted)
    with pytest.raises(InputError, match=f"the {which} .* another grid than the reference"):
        evaluate_regions(inputs["synthetic"], reference, inputs["brain mask"], inputs["lesion mask"])


def test_an_empty_brain_mask_is_refused(reference):
    with pytest.raises(InputError, match="brain mask is empty"):
        evaluate_regions(reference, reference, volume(np.zeros(SHAPE)), None)


def test_an_empty_lesion_mask_is_refused(reference, brain):
    with pytest.raises(InputError, match="lesion mask is empty: leave it out"):
        evaluate_regions(reference, reference, brain, volume(np.zeros(SHAPE)))


def test_a_lesion_wholly_outside_the_brain_is_refused(reference, brain):
    labels = np.zeros(SHAPE)
    labels[0] = 1
    with pytest.raises(InputError, match="all 252 voxels of the lesion mask lie outside"):
        evaluate_regions(reference, reference, brain, volume(labels))


def test_nan_in_the_synthetic_is_refused_with_its_count(reference, brain):
    spoilt = reference.array.copy()
    spoilt[6, 6, 6:9] = np.nan
    with pytest.raises(InputError, match="the synthetic holds 3 NaN"):
        evaluate_regions(volume(spoilt), reference, brain, None)


def test_the_order_of_axes_in_a_file_changes_nothing(reference, brain, lesion):
    synthetic = volume(np.random.default_rng(5).random(SHAPE))

    def turned(one):
        permuted = one.affine[:, [2, 0, 1, 3]]
        return Volume(one.array.transpose(2, 0, 1), permuted)

    plain = evaluate_regions(synthetic, reference, brain, lesion)
    assert evaluate_regions(turned(synthetic), reference, turned(brain), turned(lesion)) == plain
