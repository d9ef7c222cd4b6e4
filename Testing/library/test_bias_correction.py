from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.bias_correction import correct_bias
from MRTranslateLib.volume import Volume


def _biased() -> tuple[Volume, np.ndarray, Volume]:
    """Two tissues in an ellipsoid under a field that falls from 1.5 to 0.7 along i."""
    shape = (72, 84, 64)
    points = (np.indices(shape) - (np.reshape(shape, (3, 1, 1, 1)) - 1) / 2) * 2.0
    brain = np.linalg.norm(points / np.reshape((66, 80, 60), (3, 1, 1, 1)), axis=0) < 1
    blobs = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(shape), 2) > 0
    clean = np.where(brain, np.where(blobs, 600.0, 400.0), 0.0)
    field = np.linspace(1.5, 0.7, shape[0])[:, None, None] * np.ones(shape)
    noisy = clean * field + np.random.default_rng(2).normal(0, 5, shape) * brain
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return Volume(np.abs(noisy).astype(np.float32), affine), blobs, Volume(brain, affine)


def _spread(array: np.ndarray, region: np.ndarray) -> float:
    return float(array[region].std() / array[region].mean())


def test_a_known_field_is_mostly_removed_and_the_mean_is_kept():
    volume, blobs, mask = _biased()
    corrected = correct_bias(volume, mask)
    for tissue in (mask.array & blobs, mask.array & ~blobs):
        assert _spread(corrected.array, tissue) < 0.3 * _spread(volume.array, tissue)
    assert corrected.array[mask.array].mean() == pytest.approx(volume.array[mask.array].mean(), rel=0.05)
    assert corrected.array.dtype == np.float32
    np.testing.assert_array_equal(corrected.affine, volume.affine)


def test_the_background_stays_zero():
    volume, _, mask = _biased()
    assert (correct_bias(volume, mask).array[volume.array == 0] == 0).all()


def test_an_empty_mask_is_refused():
    volume, _, mask = _biased()
    with pytest.raises(InputError, match="brain mask is empty"):
        correct_bias(volume, mask.with_array(np.zeros_like(mask.array)))
