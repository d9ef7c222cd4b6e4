"""Scans in other views: axes, and what a configuration may ask for."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.training.conftest import tiny_scan
from training.config import ConfigError, config_from_mapping
from training.data.views import from_view, in_view, scan_in_view, scans_in_views


@pytest.mark.parametrize("view", ["axial", "coronal", "sagittal"])
def test_a_view_and_back_is_the_volume_itself(view):
    volume = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(from_view(in_view(volume, view), view), volume)


@pytest.mark.parametrize(("view", "place"), [("axial", (1, 2, 3)), ("coronal", (2, 1, 3)), ("sagittal", (3, 1, 2))])
def test_slices_run_along_the_axis_of_the_view_and_up_is_up(view, place):
    volume = np.zeros((4, 5, 6))
    volume[1, 2, 3] = 1  # superior, anterior, right
    assert np.argwhere(in_view(volume, view)).tolist() == [list(place)]


def test_images_and_masks_of_a_scan_turn_together():
    scan = tiny_scan("sub-a", 1)
    turned = scan_in_view(scan, "coronal")
    assert turned.brain.shape == turned.lesion.shape == (40, 12, 36)
    assert all(volume.shape == turned.brain.shape for volume in turned.images.values())
    assert all(not volume[~turned.brain].any() for volume in turned.images.values())
    assert np.argwhere(turned.lesion)[:, 1].tolist() == [6] * 16


def test_each_person_counts_once_per_view():
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)]
    seen = scans_in_views(scans, ("axial", "sagittal"))
    assert [scan.case_id for scan in seen] == ["sub-a", "sub-b"] * 2
    assert [scan.brain.shape for scan in seen] == [(12, 40, 36)] * 2 + [(36, 12, 40)] * 2
    assert seen[0] is scans[0]


@pytest.mark.parametrize("views", [[], ["axial", "axial"], ["oblique"]])
def test_impossible_views_are_refused(tiny_values, views):
    tiny_values["data"]["views"] = views
    with pytest.raises(ConfigError, match=r"views|oblique"):
        config_from_mapping(tiny_values, where="run.yaml")


def test_sagittal_slices_are_not_mirrored(tiny_values):
    tiny_values["data"]["views"] = ["sagittal"]
    with pytest.raises(ConfigError, match="mirror_probability must be 0 with that view"):
        config_from_mapping(tiny_values, where="run.yaml")
    tiny_values["augmentation"]["mirror_probability"] = 0.0
    assert config_from_mapping(tiny_values, where="run.yaml").data.views == ("sagittal",)
