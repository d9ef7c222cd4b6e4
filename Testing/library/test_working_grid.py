"""The working grid: the output's own slices, neighbours at the distance the network knows."""

import numpy as np
import pytest

from MRTranslateLib.inference.working_grid import brain_box, working_grid
from MRTranslateLib.volume import Volume


def grid_of(spacing_mm, shape=(20, 24, 10)):
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [-30, 12, 7]
    return Volume(np.zeros(shape, np.uint8), affine)


def plan(spacing_mm, shape=(20, 24, 10)):
    return working_grid(grid_of(spacing_mm, shape), in_plane_range_mm=(0.85, 1.2), neighbour_spacing_mm=1.0)


def test_a_one_millimetre_grid_is_used_as_it_is():
    planned = plan((1.0, 1.0, 1.0))
    assert planned.grid.shape == (20, 24, 10)
    np.testing.assert_array_equal(planned.grid.affine, grid_of((1.0, 1.0, 1.0)).affine)
    assert (planned.translate_every, planned.neighbour_stride, planned.resampled_in_plane) == (1, 1, False)


def test_three_millimetre_slices_are_subdivided_and_every_third_is_translated():
    planned = plan((0.9, 0.9, 3.0))
    assert planned.grid.shape == (20, 24, 28)
    assert planned.grid.spacing_mm == pytest.approx((0.9, 0.9, 1.0))
    assert (planned.translate_every, planned.neighbour_stride) == (3, 1)


def test_translated_slices_lie_where_the_outputs_slices_lie():
    output, planned = grid_of((0.9, 0.9, 3.0)), plan((0.9, 0.9, 3.0))
    for k in range(output.shape[2]):
        mine = planned.grid.affine @ [2, 3, k * planned.translate_every, 1]
        np.testing.assert_allclose(mine, output.affine @ [2, 3, k, 1], atol=1e-9)


def test_half_millimetre_slices_take_every_second_one_as_neighbour():
    planned = plan((1.0, 1.0, 0.5))
    assert (planned.translate_every, planned.neighbour_stride) == (1, 2)


def test_fine_in_plane_voxels_are_resampled_to_one_millimetre_over_the_same_field_of_view():
    output, planned = grid_of((0.5, 0.5, 1.0)), plan((0.5, 0.5, 1.0))
    assert planned.resampled_in_plane
    assert planned.grid.spacing_mm == pytest.approx((1.0, 1.0, 1.0))
    corner = planned.grid.affine @ [-0.5, -0.5, 0, 1]  # outer edges of the corner voxel
    np.testing.assert_allclose(corner, output.affine @ [-0.5, -0.5, 0, 1], atol=1e-9)


def test_the_box_holds_the_mask_and_a_margin_but_not_more_than_the_array():
    mask = np.zeros((10, 10, 10), bool)
    mask[1:4, 5:6, 7:9] = True
    assert brain_box(mask, 2) == (slice(0, 6), slice(3, 8), slice(5, 10))
