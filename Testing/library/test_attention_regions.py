"""Regions, hardest spots and calibration of an attention map, on arrays whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.attention.attention_map import attention_map
from MRTranslateLib.attention.calibrate import UNCALIBRATED, calibrated
from MRTranslateLib.attention.hard_regions import MAX_REGIONS, hard_regions
from MRTranslateLib.attention.regions import attention_regions
from MRTranslateLib.cli.attention_text import render_attention
from MRTranslateLib.models.components import AttentionCalibration
from MRTranslateLib.volume import Volume

HALVED = AttentionCalibration(raw=(0.0, 1.0), calibrated=(0.0, 0.5), statement="Half of it.")
LPS_2MM = np.array([[-2.0, 0, 0, 30], [0, -2.0, 0, 40], [0, 0, 2.0, -10], [0, 0, 0, 1]])


def grid(values: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    return Volume(values.astype(np.float32), np.eye(4) if affine is None else affine)


def names(regions) -> list[str]:
    return [region.name for region in regions]


def by_name(regions):
    return {region.name: region for region in regions}


def test_lesion_rim_and_remainder_divide_the_brain():
    brain = np.ones((31, 31, 31), bool)
    lesion = np.zeros(brain.shape, np.uint8)
    lesion[15, 15, 15] = 1
    attention = np.full(brain.shape, 0.1)
    attention[15, 15, 15] = 0.9
    regions = by_name(attention_regions(grid(attention), brain, lesion))
    assert list(regions) == ["brain", "lesion", "rim of 5 mm", "healthy remainder"]
    distance = np.sqrt(((np.indices(brain.shape) - 15) ** 2).sum(axis=0))
    assert regions["rim of 5 mm"].volume_ml == pytest.approx(((distance <= 5).sum() - 1) / 1000)
    assert regions["lesion"].mean == 0.9
    parts = sum(regions[name].volume_ml for name in ("lesion", "rim of 5 mm", "healthy remainder"))
    assert parts == pytest.approx(regions["brain"].volume_ml)


def test_the_rim_is_measured_in_millimetres_along_every_axis():
    brain = np.ones((21, 21, 21), bool)
    lesion = np.zeros(brain.shape, np.uint8)
    lesion[10, 10, 10] = 1
    attention = np.zeros(brain.shape)
    attention[10, 10, 11] = 1  # 6 mm away: not in the rim
    attention[11, 10, 10] = 0.5  # 1 mm away
    regions = by_name(attention_regions(grid(attention, np.diag([1.0, 1.0, 6.0, 1.0])), brain, lesion))
    assert regions["rim of 5 mm"].mean == pytest.approx(0.5 / 80, rel=1e-2)  # 81 grid points within 5 of the origin
    assert regions["rim of 5 mm"].volume_ml == pytest.approx(80 * 6 / 1000)


def test_each_lesion_label_is_a_region_and_voxels_outside_the_brain_are_none():
    brain = np.zeros((20, 20, 20), bool)
    brain[:10] = True
    lesion = np.zeros(brain.shape, np.uint8)
    lesion[2, 2, 2], lesion[4, 4, 4], lesion[15] = 1, 3, 2
    assert names(attention_regions(grid(np.zeros(brain.shape)), brain, lesion))[1:4] == [
        "lesion",
        "lesion label 1",
        "lesion label 3",
    ]


def test_without_a_mask_the_octants_follow_the_patient_and_not_the_array():
    brain = np.ones((10, 10, 10), bool)
    attention = np.zeros(brain.shape)
    attention[:5, :5, :5] = 1.0  # in LPS the first half of i and j is right and anterior
    regions = attention_regions(grid(attention, LPS_2MM), brain, None)
    assert len(regions) == 9
    means = {region.name: region.mean for region in regions[1:]}
    assert [name for name, mean in means.items() if mean > 0] == ["right anterior inferior"]
    assert means["right anterior inferior"] == 1.0
    assert regions[0].mean == 0.125


def blobs() -> tuple[np.ndarray, np.ndarray]:
    brain = np.zeros((40, 40, 40), bool)
    brain[2:38, 2:38, 2:38] = True
    raw = np.zeros(brain.shape)
    raw[5:10, 5:10, 5:10] = 0.6  # 125 voxels
    raw[20:30, 20:30, 20:30] = 0.5  # 1000 voxels
    raw[24, 25, 26] = 0.8
    raw[35, 35, 35] = 0.9  # 1 voxel: too small
    return raw, brain


def test_hard_regions_are_found_without_a_mask_the_largest_first_at_their_hardest_voxel():
    raw, brain = blobs()
    found = hard_regions(grid(raw, LPS_2MM), raw.astype(np.float32), brain)
    assert [region.volume_ml for region in found] == [8.0, 1.0]
    assert found[0].position_mm == (30 - 48, 40 - 50, -10 + 52)
    assert found[0].maximum == pytest.approx(0.8)
    assert found[0].mean == pytest.approx(0.5003, abs=1e-4)


def test_a_flat_map_has_no_hard_regions_and_says_so():
    raw, brain = np.full((20, 20, 20), 0.3), np.ones((20, 20, 20), bool)
    made = attention_map(grid(raw), brain, calibration=None)
    assert made.report.hard_regions == ()
    assert made.report.summary.endswith("no region stands out.")


def test_what_is_hard_outside_the_brain_is_not_looked_at():
    raw, brain = blobs()
    report = attention_map(grid(raw), brain, calibration=None).report
    raw[0] = 1.0
    made = attention_map(grid(raw), brain, calibration=None)
    assert not made.volume.array[~brain].any()
    assert made.report == report


def test_there_are_never_too_many_hard_regions():
    raw = np.zeros((80, 80, 80))
    for index in range(27):
        i, j, k = (12 + 24 * (index // step % 3) for step in (9, 3, 1))
        raw[i : i + 7, j : j + 7, k : k + 7] = 1.0
    assert len(hard_regions(grid(raw), raw.astype(np.float32), np.ones(raw.shape, bool))) == MAX_REGIONS


def test_calibration_is_its_table_and_constant_beyond_it():
    table = AttentionCalibration(raw=(0.2, 0.4, 0.8), calibrated=(0.1, 0.1, 0.5), statement="x")
    values = calibrated(np.array([0.0, 0.2, 0.3, 0.6, 0.8, 1.0]), table)
    np.testing.assert_allclose(values, [0.1, 0.1, 0.1, 0.3, 0.5, 0.5], atol=1e-6)
    assert values.dtype == np.float32


def test_calibration_changes_the_values_and_not_where_the_hard_regions_are():
    raw, brain = blobs()
    plain = attention_map(grid(raw), brain, calibration=None)
    half = attention_map(grid(raw), brain, calibration=HALVED)
    np.testing.assert_allclose(half.volume.array, plain.volume.array / 2)
    assert [spot.position_mm for spot in half.report.hard_regions] == [
        spot.position_mm for spot in plain.report.hard_regions
    ]
    assert half.report.hard_regions[0].maximum == pytest.approx(0.4)
    assert (plain.report.statement, plain.report.calibrated) == (UNCALIBRATED, False)
    assert (half.report.statement, half.report.calibrated) == ("Half of it.", True)


def test_the_text_names_the_hardest_region_and_the_place_of_the_largest_spot():
    raw, brain = blobs()
    lesion = np.zeros(brain.shape, np.uint8)
    lesion[20:30, 20:30, 20:30] = 1
    report = attention_map(grid(raw), brain, calibration=None, lesion=lesion).report
    assert "highest in the lesion (0.50)" in report.summary
    assert "(1.0 ml, mean 0.50) at R 24, A 25, S 26 mm" in report.summary
    text = render_attention(report)
    assert "healthy remainder" in text
    assert "means no probability" in " ".join(text.split())


@pytest.mark.parametrize(
    ("raw", "values", "message"),
    [
        ((0.5,), (0.5,), "2 or more"),
        ((0.1, 0.2), (0.1,), "equally many"),
        ((0.2, 0.2), (0.1, 0.2), "raw must rise"),
        ((0.1, 0.2), (0.2, 0.1), "must not fall"),
    ],
)
def test_a_table_that_is_not_monotone_is_no_calibration(raw, values, message):
    with pytest.raises(ValueError, match=message):
        AttentionCalibration(raw=raw, calibrated=values, statement="x")


def test_the_hardest_share_is_that_of_the_brain_and_not_of_the_image():
    brain = np.zeros((40, 40, 40), bool)
    brain[:, :, :20] = True
    raw = np.zeros(brain.shape)
    raw[:, :, :20] = np.linspace(0.1, 0.5, 40)[:, None, None]  # rises along i
    raw[:, :, 20:] = 0.9
    (found,) = hard_regions(grid(raw), raw.astype(np.float32), brain)
    assert found.volume_ml == pytest.approx(0.05 * brain.sum() / 1000)
