"""The mean of views: a copy stays a copy, and the jumps of one view shrink by their number."""

from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.metrics import slice_flicker
from Testing.training.conftest import tiny_scan
from training.multi_view import mean_of_views, whole_volume

ROUTE = ((Contrast.T1W,), Contrast.T1W_GD)


def copy(scan, route, indices):
    return scan.images[route[0][0]][indices].astype(np.float32) / 255


def jumping(scan, route, indices):
    """A copy whose slices are alternately too bright and too dark."""
    sign = np.where(indices % 2 == 0, 1, -1).astype(np.float32)
    return copy(scan, route, indices) + 0.1 * sign[:, None, None]


def even_scan():
    """T1w without any change from slice to slice, so that all of it is flicker."""
    scan = tiny_scan("sub-a", 1)
    scan.images[Contrast.T1W][:] = 128
    scan.brain[:] = True
    return scan


@pytest.mark.parametrize("views", [("axial",), ("axial", "sagittal"), ("coronal", "sagittal", "axial")])
def test_the_mean_of_copies_is_the_copy_on_the_axial_grid(views):
    scan = tiny_scan("sub-a", 1)
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::2]
    mean = mean_of_views(dict.fromkeys(views, copy))(scan, ROUTE, indices)
    np.testing.assert_allclose(mean, copy(scan, ROUTE, indices), atol=1e-6)


@pytest.mark.parametrize("others", [("sagittal",), ("sagittal", "coronal")])
def test_jumps_between_axial_slices_shrink_by_the_number_of_views(others):
    scan = even_scan()
    predictors = {"axial": jumping} | dict.fromkeys(others, copy)
    mean = mean_of_views(predictors)(scan, ROUTE, np.arange(12))
    alone = jumping(scan, ROUTE, np.arange(12))
    ratio = slice_flicker(alone, mean, mask=scan.brain, axis=0)
    assert ratio == pytest.approx(1 / len(predictors), abs=1e-5)


def test_a_sagittal_view_jumps_along_its_own_axis():
    scan = even_scan()
    mean = mean_of_views({"sagittal": jumping})(scan, ROUTE, np.arange(12))
    assert np.abs(np.diff(mean, axis=0)).max() < 1e-6
    np.testing.assert_allclose(np.abs(np.diff(mean, axis=2)), 0.2, atol=1e-6)


def test_slices_without_brain_are_not_translated():
    scan = tiny_scan("sub-a", 1)
    asked = []

    def noted(scan, route, indices):
        asked.extend(indices.tolist())
        return copy(scan, route, indices)

    volume = whole_volume(noted, scan, ROUTE)
    assert asked == np.flatnonzero(scan.brain.any(axis=(1, 2))).tolist()
    assert volume.shape == scan.brain.shape


def test_no_view_is_refused():
    with pytest.raises(ValueError, match="give at least one predictor"):
        mean_of_views({})
