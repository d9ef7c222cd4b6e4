from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from MRTranslateLib.errors import InputError
from MRTranslateLib.metrics.files import evaluate_volumes
from MRTranslateLib.volume import Volume

SHAPE = (20, 20, 16)
AFFINE = np.diag([8.0, 9.0, 9.0, 1.0])
"""So that the ellipsoid of 16 x 16 x 12 voxels has the size of a brain."""


@pytest.fixture
def brain():
    i, j, k = np.ogrid[:20, :20, :16]
    return Volume((((i - 10) / 8) ** 2 + ((j - 10) / 8) ** 2 + ((k - 8) / 6) ** 2 <= 1).astype(np.uint8), AFFINE)


@pytest.fixture
def reference(brain):
    """A stripped scan in arbitrary units, and positive everywhere in the brain."""
    texture = gaussian_filter(np.random.default_rng(1).random(SHAPE), 1)
    return Volume(brain.array * (200 + 5000 * (texture - texture.min())), AFFINE)


@pytest.fixture
def perfect(reference, brain):
    """What a translation without error would write: 1000 at the reference's own 99.5th percentile."""
    return Volume(reference.array / np.percentile(reference.array[brain.array == 1], 99.5) * 1000, AFFINE)


def test_a_perfect_synthetic_is_perfect_whatever_the_units_of_the_reference(perfect, reference, brain):
    report = evaluate_volumes(perfect, reference.with_array(reference.array * 0.037), brain_mask=brain)
    assert report.brain.nmae < 1e-6
    assert report.brain.ssim == pytest.approx(1)
    assert report.notes == () or "identical" in report.notes[0]


def test_the_synthetic_is_not_rescaled_by_its_own_statistics(perfect, reference, brain):
    report = evaluate_volumes(perfect.with_array(perfect.array * 0.5), reference, brain_mask=brain)
    assert report.brain.nrmse == pytest.approx(0.5, abs=0.01)
    assert report.brain.bias < -0.1


def test_both_are_clipped_to_the_range_that_is_judged(perfect, reference, brain):
    spiked = np.where(perfect.array >= 1000, 1e6, perfect.array)
    below = np.where(perfect.array == 0, -300, spiked)
    report = evaluate_volumes(perfect.with_array(below), reference, brain_mask=brain)
    assert report.brain.nmae < 1e-6


def test_without_a_brain_mask_the_brain_is_where_a_stripped_reference_is_positive(perfect, reference, brain):
    dimmed = perfect.with_array(perfect.array * 0.9)
    assert evaluate_volumes(dimmed, reference) == evaluate_volumes(dimmed, reference, brain_mask=brain)


def with_skull(volume):
    return volume.with_array(np.maximum(volume.array, np.random.default_rng(2).uniform(0, 150, SHAPE)))


def test_a_reference_with_skull_is_measured_in_the_brain_of_the_synthetic_and_says_so(perfect, reference, brain):
    report = evaluate_volumes(perfect, with_skull(reference))
    assert report.brain == evaluate_volumes(perfect, with_skull(reference), brain_mask=brain).brain
    assert "measured in the brain of the synthetic volume" in report.notes[0]


def test_where_both_show_more_than_a_brain_a_mask_is_needed(perfect, reference, brain):
    head = with_skull(reference)
    with pytest.raises(InputError, match=r"neither the reference nor the synthetic volume.*give a brain mask"):
        evaluate_volumes(with_skull(perfect), head)
    assert evaluate_volumes(perfect, head, brain_mask=brain).brain.nmae < 1e-6


def test_a_reference_with_negative_brain_intensities_is_refused(perfect, reference, brain):
    with pytest.raises(InputError, match="the reference is negative in"):
        evaluate_volumes(perfect, reference.with_array(reference.array - 1500), brain_mask=brain)


def test_a_mask_and_a_synthetic_in_another_axis_order_lie_on_the_same_grid(perfect, reference, brain):
    def flipped(volume):
        mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
        mirror[0, 3] = SHAPE[0] - 1
        return Volume(volume.array[::-1], volume.affine @ mirror)

    lopsided = brain.with_array(brain.array * (np.arange(20) < 13)[:, None, None])
    plain = evaluate_volumes(perfect, reference, brain_mask=lopsided)
    assert evaluate_volumes(flipped(perfect), reference, brain_mask=flipped(lopsided)) == plain


def test_a_synthetic_in_other_units_is_noted_with_its_level(perfect, reference, brain):
    report = evaluate_volumes(perfect.with_array(perfect.array / 1000), reference, brain_mask=brain)
    assert "reaches 1 where about 1000 is expected" in report.notes[0]


def test_a_brain_mask_on_another_grid_is_refused(perfect, reference, brain):
    with pytest.raises(InputError, match=r"brain mask .* another grid"):
        evaluate_volumes(perfect, reference, brain_mask=Volume(brain.array[1:], AFFINE))


def test_a_synthetic_on_another_grid_is_refused_as_such_with_and_without_a_brain_mask(perfect, reference, brain):
    smaller = Volume(perfect.array[:, 1:], AFFINE)
    for options in ({"brain_mask": brain}, {}):
        with pytest.raises(InputError, match=r"the synthetic .* another grid"):
            evaluate_volumes(smaller, with_skull(reference), **options)
