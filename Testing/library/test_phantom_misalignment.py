"""A known motion moves landmarks where it says."""

from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.phantoms import brain_grid, misalign
from MRTranslateLib.volume import Volume

LANDMARK_MM = np.array([22.0, -35.0, 17.0])


def spot(spacing_mm=(3.0, 3.0, 3.0), rotation_deg=(0.0, 0.0, 0.0)) -> Volume:
    """A Gaussian spot of 6 mm around the landmark."""
    grid = brain_grid(spacing_mm, rotation_deg=rotation_deg)
    away = grid.points_mm() - LANDMARK_MM[:, None]
    return Volume(np.exp(-(away**2).sum(axis=0) / (2 * 6.0**2)).reshape(grid.shape), grid.affine)


def centroid_mm(volume: Volume) -> np.ndarray:
    ijk = np.indices(volume.shape).reshape(3, -1)
    weights = volume.array.ravel()
    return volume.affine[:3, :3] @ (ijk @ weights / weights.sum()) + volume.affine[:3, 3]


@pytest.mark.parametrize("turned_grid_deg", [(0, 0, 0), (12, -20, 35)])
def test_the_returned_motion_says_where_a_landmark_went(turned_grid_deg):
    volume = spot((2.5, 3.0, 4.0), turned_grid_deg)
    moved = misalign(volume, rotation_deg=(8, -5, 11), translation_mm=(4, -6, 3))
    expected = moved.original_to_moved @ [*LANDMARK_MM, 1]
    assert np.linalg.norm(expected[:3] - LANDMARK_MM) > 5
    np.testing.assert_allclose(centroid_mm(moved.volume), expected[:3], atol=0.1)
    np.testing.assert_array_equal(moved.volume.affine, volume.affine)


def test_translation_is_in_ras_millimetres():
    moved = misalign(spot(), translation_mm=(9, 0, 0))
    np.testing.assert_allclose(centroid_mm(moved.volume), [22 + 9, -35, 17], atol=0.05)


def test_rotation_about_the_superior_axis_turns_right_to_anterior_about_the_centre_of_the_grid():
    # The grid's centre is at (0, -17, 4): the landmark's offset (22, -18) becomes (18, 22).
    moved = misalign(spot(), rotation_deg=(0, 0, 90))
    np.testing.assert_allclose(centroid_mm(moved.volume), [18, -17 + 22, 17], atol=0.5)


def test_no_motion_changes_nothing():
    volume = spot()
    moved = misalign(volume)
    np.testing.assert_allclose(moved.volume.array, volume.array, atol=1e-6)
    np.testing.assert_array_equal(moved.original_to_moved, np.eye(4))


def test_the_motion_is_rigid():
    motion = misalign(spot(), rotation_deg=(30, -50, 70), translation_mm=(1, 2, 3)).original_to_moved
    np.testing.assert_allclose(motion[:3, :3] @ motion[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(motion[:3, :3]) == pytest.approx(1)
