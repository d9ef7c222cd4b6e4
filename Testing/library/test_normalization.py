from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.normalization import IntensityScale, brain_scale, normalize, restore
from MRTranslateLib.volume import Volume


def _ramp() -> tuple[Volume, Volume]:
    """1001 brain voxels holding 0..1000 among bright voxels that are not brain."""
    array = np.full((11, 10, 20), 9999.0, np.float32)
    mask = np.zeros(array.shape, bool)
    mask.ravel()[:1001] = True
    array[mask] = np.arange(1001)
    return Volume(array, np.eye(4)), Volume(mask, np.eye(4))


def test_the_scale_is_the_99_5th_percentile_of_the_brain_alone():
    assert brain_scale(*_ramp()).percentile_value == 995.0


def test_the_scale_percentile_becomes_one_and_what_is_above_stays_one():
    result = normalize(np.array([0.0, 497.5, 995.0, 1000.0]), IntensityScale(995.0))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.array([0, 0.5, 1, 1], np.float32))


def test_negative_intensities_become_zero():
    np.testing.assert_array_equal(normalize(np.array([-5, -1, 0], np.int16), IntensityScale(10.0)), [0, 0, 0])


def test_restore_undoes_normalize_between_zero_and_the_percentile():
    array = np.linspace(0, 250, 77, dtype=np.float32)
    np.testing.assert_allclose(
        restore(normalize(array, IntensityScale(250.0)), IntensityScale(250.0)), array, rtol=1e-6
    )


def test_normalize_leaves_its_input_alone():
    array = np.array([-1.0, 2.0], np.float32)
    normalize(array, IntensityScale(1.0))
    np.testing.assert_array_equal(array, [-1.0, 2.0])


def test_an_empty_mask_is_refused():
    volume, mask = _ramp()
    with pytest.raises(InputError, match="brain mask is empty"):
        brain_scale(volume, mask.with_array(np.zeros_like(mask.array)))


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_brain_without_positive_intensities_is_refused_with_its_value(value):
    volume, mask = _ramp()
    with pytest.raises(InputError, match=f"is {value:g} where a positive value is needed"):
        brain_scale(volume.with_array(np.full(volume.shape, value)), mask)


def test_a_mask_of_another_shape_is_the_callers_mistake():
    volume, _ = _ramp()
    with pytest.raises(ValueError, match="not on the grid"):
        brain_scale(volume, Volume(np.ones((2, 2, 2), bool), np.eye(4)))
