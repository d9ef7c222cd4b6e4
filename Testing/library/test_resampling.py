from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from MRTranslateLib.preprocessing.resampling import ras_matrix, resample, sitk_transform
from MRTranslateLib.volume import Volume, to_sitk


def _affine(angles_deg, spacing, origin) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    return affine


def _smooth(seed: int, shape) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    return (100 + 1000 * ndimage.gaussian_filter(noise, 3)).astype(np.float32)


@pytest.fixture
def oblique() -> Volume:
    return Volume(_smooth(0, (40, 36, 20)), _affine((12, -7, 20), (0.9, 0.9, 3.0), (-20, 14, 5)))


def _plane(volume: Volume) -> Volume:
    """Intensity is 3 x - 2 y + 5 z + 400 at RAS mm: linear interpolation is exact on it."""
    index = np.indices(volume.shape).reshape(3, -1)
    ras = volume.affine[:3, :3] @ index + volume.affine[:3, 3:]
    return volume.with_array((np.array([3, -2, 5]) @ ras + 400).reshape(volume.shape))


@pytest.mark.parametrize("interpolation", ["linear", "bspline", "nearest"])
def test_the_same_grid_gives_the_array_unchanged(oblique, interpolation):
    assert resample(oblique, oblique, interpolation=interpolation).array is oblique.array


def test_linear_resampling_onto_another_oblique_grid_is_exact_on_a_plane(oblique):
    onto = Volume(np.zeros((12, 10, 9)), _affine((-5, 9, 31), (1.1, 1.3, 2.0), (-22, 32, 20)))
    result, truth = resample(_plane(oblique), onto), _plane(onto)
    index = (
        np.linalg.inv(oblique.affine) @ onto.affine @ np.vstack([np.indices(onto.shape).reshape(3, -1), np.ones(1080)])
    )
    between = (index[:3] >= 0) & (index[:3] <= np.array(oblique.shape)[:, None] - 1)
    inside = between.all(axis=0).reshape(onto.shape)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(result.array[inside], truth.array[inside], atol=1e-2)
    np.testing.assert_array_equal(result.affine, onto.affine)


def test_a_transform_takes_points_of_the_target_to_points_of_the_source(oblique):
    motion = _affine((3, 4, -6), 1.0, (2.0, -3.0, 1.0))
    moved = Volume(_plane(oblique).array, motion @ oblique.affine)  # what was at x lies at motion(x)
    result = resample(moved, oblique, transform=motion)
    np.testing.assert_allclose(result.array[1:-1, 1:-1, 1:-1], _plane(oblique).array[1:-1, 1:-1, 1:-1], atol=1e-2)


def test_linear_agrees_with_simpleitk(oblique):
    onto = Volume(np.zeros((30, 30, 30)), _affine((0, 0, 5), (1.0, 1.0, 1.5), (-15, 20, 8)))
    truth = sitk.GetArrayFromImage(sitk.Resample(to_sitk(oblique), to_sitk(onto), sitk.Transform(), sitk.sitkLinear))
    np.testing.assert_array_equal(resample(oblique, onto).array, truth.transpose(2, 1, 0))


def test_a_transform_to_simpleitk_and_back_is_itself():
    matrix = _affine((3, 40, -6), 1.0, (2.0, -3.0, 11.0))
    np.testing.assert_allclose(ras_matrix(sitk_transform(matrix)), matrix, atol=1e-12)


@pytest.mark.parametrize("interpolation", ["linear", "bspline", "nearest"])
def test_outside_is_zero_even_where_the_volume_holds_no_zero(oblique, interpolation):
    far = Volume(np.zeros((4, 4, 4)), _affine((0, 0, 0), 1.0, (500, 500, 500)))
    positive = oblique.with_array(np.abs(oblique.array) + 50)
    assert (resample(positive, far, interpolation=interpolation).array == 0).all()


def test_bspline_is_clipped_to_the_range_of_the_volume():
    array = np.full((16, 16, 16), 10, np.int16)
    array[5:11, 5:11, 5:11] = 500
    onto = Volume(np.zeros((15, 15, 15)), _affine((0, 0, 0), 1.0, (0.4, 0.4, 0.4)))
    result = resample(Volume(array, np.eye(4)), onto, interpolation="bspline").array
    assert result.min() == 10
    assert result.max() == 500


def test_bspline_is_closer_to_a_smooth_truth_than_linear(oblique):
    x = np.indices((32, 32, 32)).sum(0)
    onto = Volume(np.zeros((30, 30, 30)), _affine((0, 0, 0), 1.0, (0.5, 0.5, 0.5)))
    truth = np.sin((np.indices((30, 30, 30)).sum(0) + 1.5) / 2)
    source = Volume(np.sin(x / 2), np.eye(4))
    errors = [
        np.abs(resample(source, onto, interpolation=kind).array - truth)[4:-4, 4:-4, 4:-4].max()
        for kind in ("linear", "bspline")
    ]
    assert errors[1] < errors[0] / 4


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, ">i2", np.int64])
def test_nearest_keeps_labels_and_dtype(dtype):
    array = np.zeros((8, 8, 8), dtype)
    array[2:5, 3, 4] = 1
    onto = Volume(np.zeros((16, 16, 16)), _affine((0, 0, 0), 0.5, (-0.25, -0.25, -0.25)))
    result = resample(Volume(array, np.eye(4)), onto, interpolation="nearest").array
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, array.repeat(2, 0).repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("matrix", [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_a_matrix_that_is_no_transform_is_refused(oblique, matrix):
    with pytest.raises(ValueError, match="invertible"):
        resample(oblique, oblique, transform=matrix)


def test_an_unknown_interpolation_is_refused(oblique):
    with pytest.raises(ValueError, match="unknown interpolation 'cubic'"):
        resample(oblique, oblique, interpolation="cubic")
