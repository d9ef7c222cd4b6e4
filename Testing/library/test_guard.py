from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.preprocessing.guard import (
    check_distinct,
    check_field_of_view,
    check_intensities,
    check_request,
    check_spacings,
    check_volume,
)
from MRTranslateLib.volume import Volume


def _volume(shape=(20, 20, 20), spacing=(1.0, 1.0, 1.0)) -> Volume:
    return Volume(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), np.diag([*spacing, 1.0]))


def test_a_plain_volume_passes_without_warning():
    assert check_volume(_volume(), "T1w (a.nii)") == []


def test_nan_and_infinite_voxels_are_refused_and_counted():
    volume = _volume()
    volume.array[0, 0, :2] = np.nan
    volume.array[1, 1, 1] = np.inf
    with pytest.raises(InputError, match=r"^T1w \(a\.nii\) has 3 voxels that are NaN or infinite"):
        check_volume(volume, "T1w (a.nii)")


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_volume_is_refused_with_its_value(value):
    with pytest.raises(InputError, match=f"every voxel is {value};"):
        check_volume(Volume(np.full((9, 9, 9), value, np.int16), np.eye(4)), "T1w")


@pytest.mark.parametrize("shape", [(20, 20, 7), (7, 20, 20), (20, 3, 20)])
def test_fewer_than_8_slices_along_any_axis_are_refused(shape):
    with pytest.raises(InputError, match="at least 8 slices"):
        check_volume(_volume(shape), "T1w")


def test_8_slices_are_enough():
    assert check_volume(_volume((20, 20, 8), (1, 1, 5)), "T1w") == []


@pytest.mark.parametrize("spacing", [(0.01, 1, 1), (1, 1, 25)])
def test_impossible_spacings_are_refused(spacing):
    with pytest.raises(InputError, match="check its header"):
        check_volume(_volume(spacing=spacing), "T1w")


@pytest.mark.parametrize("spacing", [(0.2, 0.2, 1), (1, 1, 8)])
def test_unusual_spacings_are_warned_of(spacing):
    assert "unusual for brain-MRI" in check_volume(_volume(spacing=spacing), "T1w")[0]


def _spacing_warnings(spacing_mm) -> list[str]:
    return check_spacings(spacing_mm, "T1w", in_plane_seen_mm=(0.5, 1.2), between_slices_seen_mm=(1.0, 4.0))


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5, 4.0), (1.2, 0.5, 1.0), (0.496, 1.211, 4.03)])
def test_spacings_that_the_model_saw_pass_within_1_percent(spacing_mm):
    assert _spacing_warnings(spacing_mm) == []


def test_an_in_plane_size_is_not_judged_by_the_range_of_the_slices():
    assert _spacing_warnings((2.0, 1.0, 2.0)) == [
        "T1w has in-plane voxel size 2 mm; the model saw 0.5 to 1.2 mm, so expect less"
    ]


def test_a_slice_spacing_is_not_judged_by_the_range_in_plane():
    assert _spacing_warnings((1.0, 1.0, 0.6)) == [
        "T1w has slice spacing 0.6 mm; the model saw 1 to 4 mm, so expect less"
    ]


def test_equal_in_plane_sizes_are_named_once_and_different_ones_both():
    assert "size 2 mm;" in _spacing_warnings((2.0, 2.0, 2.0))[0]
    assert "size 0.3 and 2 mm;" in _spacing_warnings((2.0, 0.3, 2.0))[0]


def _ellipsoid(centre_mm=(0, 0, 0), radii_mm=(66, 82, 62), field_mm=(200, 220, 180)) -> Volume:
    shape = tuple(n // 4 for n in field_mm)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -2.0 * (np.array(shape) - 1)
    points = np.tensordot(affine[:3, :3], np.indices(shape), 1) + affine[:3, 3].reshape(3, 1, 1, 1)
    offsets = (points - np.reshape(centre_mm, (3, 1, 1, 1))) / np.reshape(radii_mm, (3, 1, 1, 1))
    return Volume(np.linalg.norm(offsets, axis=0) < 1, affine)


def test_a_whole_brain_inside_the_field_of_view_is_not_warned_of():
    assert check_field_of_view(_ellipsoid()) == []


def test_a_cut_vertex_is_named_with_its_direction_and_share():
    (warning,) = check_field_of_view(_ellipsoid(centre_mm=(0, 0, 50)))
    assert "cuts the brain foot-head" in warning


def test_a_slab_is_called_too_short():
    warnings = check_field_of_view(_ellipsoid(field_mm=(200, 220, 60)))
    assert any("only 60 mm of brain are seen foot-head" in warning for warning in warnings)


def test_directions_follow_the_patient_and_not_the_array():
    mask = _ellipsoid(centre_mm=(0, 0, 50))
    turned = Volume(mask.array.transpose(2, 0, 1), mask.affine[:, [2, 0, 1, 3]])
    assert check_field_of_view(turned) == check_field_of_view(mask)


def test_a_sensible_request_passes():
    check_request([Contrast.T1W, Contrast.T2W], Contrast.FLAIR)
    check_distinct({Contrast.T1W: "a", Contrast.T2W: "b"})


def test_no_sources_are_wrong_usage():
    with pytest.raises(UsageError, match="no sources"):
        check_request([], Contrast.FLAIR)


def test_the_target_among_the_sources_is_wrong_usage():
    with pytest.raises(UsageError, match="FLAIR is both source and target"):
        check_request([Contrast.T1W, Contrast.FLAIR], Contrast.FLAIR)


def test_the_same_image_as_two_contrasts_is_refused():
    with pytest.raises(InputError, match="T1w and FLAIR are the same file"):
        check_distinct({Contrast.T1W: "a", Contrast.T2W: "b", Contrast.FLAIR: "a"})


def _scan() -> tuple[Volume, Volume]:
    """Tissue of 1 to 1000 in a box of air, and the mask of the tissue."""
    inside = np.zeros((20, 20, 20), np.uint8)
    inside[4:16, 4:16, 4:16] = 1
    values = np.random.default_rng(0).uniform(1, 1000, inside.shape) * inside
    return Volume(values.astype(np.float32), np.eye(4)), Volume(inside, np.eye(4))


def test_intensities_as_scanned_pass_without_warning():
    assert check_intensities(*_scan(), "T1w (a.nii)") == []


def test_a_z_scored_brain_is_refused_with_its_share_of_negative_voxels():
    volume, inside = _scan()
    values = volume.array[inside.array > 0]
    scored = volume.with_array(np.where(inside.array, (volume.array - values.mean()) / values.std(), 0))
    with pytest.raises(InputError, match=r"^T1w \(a\.nii\) is negative in (49|50|51)% of the brain.*z-scored"):
        check_intensities(scored, inside, "T1w (a.nii)")


def test_a_few_negative_voxels_are_ringing_and_pass():
    volume, inside = _scan()
    volume.array[volume.array < 40] *= -1  # 4 % of the tissue
    assert check_intensities(volume, inside, "T1w") == []


def test_an_offset_of_all_intensities_is_warned_of_with_its_value():
    volume, inside = _scan()
    (warning,) = check_intensities(volume.with_array(volume.array + 1000), inside, "T1w (a.nii)")
    assert warning.startswith("T1w (a.nii) is nowhere darker than 1000, which is 67% of the brain's median")
    assert "subtract" in warning


@pytest.mark.parametrize("levels", [2, 4, 7])
def test_a_mask_or_label_map_is_no_scan(levels):
    volume, inside = _scan()
    labels = volume.with_array(np.ceil(volume.array * levels / 1000).astype(np.uint8))
    with pytest.raises(InputError, match=f"T1w holds only {levels} different values in the brain.*mask or label map"):
        check_intensities(labels, inside, "T1w")


def test_eight_levels_of_grey_may_be_a_scan():
    volume, inside = _scan()
    assert check_intensities(volume.with_array(np.ceil(volume.array / 125)), inside, "T1w") == []
