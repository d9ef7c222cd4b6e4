"""Phantoms show the anatomy, contrasts, lesions and noise they promise, the same for the same seed on any grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import MRTranslateLib.phantoms
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms import Phantom, Tissue, brain_grid, make_phantom
from MRTranslateLib.phantoms.atlas import BRAIN_TISSUES
from MRTranslateLib.phantoms.lattice import Lattice, random_field
from MRTranslateLib.phantoms.lesion import Lesions, apply_lesions
from MRTranslateLib.phantoms.phantom import add_rician_noise
from MRTranslateLib.volume import same_grid

SMALL = brain_grid((3.0, 3.0, 3.0))
WM, GM, CSF = Tissue.WHITE_MATTER, Tissue.GREY_MATTER, Tissue.CSF


@pytest.fixture(scope="module")
def a_glioma() -> Phantom:
    return make_phantom(3, grid=brain_grid((2.0, 2.0, 2.0)), noise=0, bias=0)


@pytest.fixture(scope="module")
def a_multiple_sclerosis() -> Phantom:
    return make_phantom(3, pathology="multiple sclerosis", grid=brain_grid((2.0, 2.0, 2.0)), noise=0, bias=0)


@pytest.fixture(scope="module")
def a_head() -> Phantom:
    return make_phantom(3, pathology="none", grid=SMALL, with_skull=True, bias=0)


def mean_in(phantom: Phantom, contrast: Contrast, tissue: Tissue, purity: float = 0.9) -> float:
    where = phantom.fractions[tissue] > purity
    assert where.sum() >= 10, f"too little pure {tissue} to judge"
    return float(phantom.volumes[contrast].array[where].mean())


def centroid_mm(phantom: Phantom, tissue: Tissue) -> np.ndarray:
    weights = phantom.fractions[tissue].ravel()
    ijk = np.indices(phantom.labels.shape).reshape(3, -1) @ weights / weights.sum()
    return phantom.labels.affine[:3, :3] @ ijk + phantom.labels.affine[:3, 3]


# Contrasts


def test_all_five_contrasts_come_on_one_grid(a_glioma):
    assert set(a_glioma.volumes) == set(Contrast)
    for volume in [*a_glioma.volumes.values(), a_glioma.brain_mask]:
        assert same_grid(volume, a_glioma.labels)


@pytest.mark.parametrize(
    ("contrast", "from_bright_to_dark"),
    [
        (Contrast.T1W, [WM, GM, CSF]),
        (Contrast.T1W_GD, [WM, GM, CSF]),
        (Contrast.T2W, [CSF, GM, WM]),
        (Contrast.PDW, [GM, WM]),
        (Contrast.FLAIR, [Tissue.OEDEMA, GM, WM, CSF]),
    ],
)
@pytest.mark.parametrize("seed", [3, 11])
def test_tissues_are_in_the_order_a_radiologist_expects(seed, contrast, from_bright_to_dark):
    phantom = make_phantom(seed, grid=SMALL, contrasts=[contrast], noise=0, bias=0)
    means = [mean_in(phantom, contrast, tissue, purity=0.8) for tissue in from_bright_to_dark]
    assert means == sorted(means, reverse=True)


def test_the_rim_enhances_and_only_with_gadolinium(a_glioma):
    def relative_to_white_matter(contrast: Contrast, tissue: Tissue) -> float:
        return mean_in(a_glioma, contrast, tissue, purity=0.8) / mean_in(a_glioma, contrast, WM)

    assert relative_to_white_matter(Contrast.T1W, Tissue.ENHANCING_TUMOUR) < 0.8
    assert relative_to_white_matter(Contrast.T1W_GD, Tissue.ENHANCING_TUMOUR) > 1.3
    for tissue in (Tissue.OEDEMA, Tissue.NECROSIS, GM):
        change = relative_to_white_matter(Contrast.T1W_GD, tissue) - relative_to_white_matter(Contrast.T1W, tissue)
        assert abs(change) < 0.15


def test_multiple_sclerosis_lesions_are_brightest_on_flair(a_multiple_sclerosis):
    lesion = mean_in(a_multiple_sclerosis, Contrast.FLAIR, Tissue.MS_LESION, purity=0.8)
    assert lesion > 1.2 * mean_in(a_multiple_sclerosis, Contrast.FLAIR, GM)


def test_intensities_are_finite_not_negative_and_of_a_few_hundred(a_glioma):
    for volume in a_glioma.volumes.values():
        assert volume.array.dtype == np.float32
        assert volume.array.min() == 0
        top = np.percentile(volume.array[a_glioma.brain_mask.array], 99.5)
        assert 299 < top < 1501


# Truth


def test_fractions_fill_the_brain_and_no_more(a_glioma):
    total = sum(a_glioma.fractions.values())
    assert min(share.min() for share in a_glioma.fractions.values()) >= 0
    assert total.max() <= 1 + 1e-5
    inside = ndimage.binary_erosion(a_glioma.brain_mask.array, iterations=2)
    np.testing.assert_allclose(total[inside], 1, atol=0.06)


def test_outside_a_stripped_brain_all_is_zero():
    phantom = make_phantom(3, grid=SMALL, noise=0.05)
    for volume in phantom.volumes.values():
        assert not volume.array[~phantom.brain_mask.array].any()
        assert volume.array[phantom.brain_mask.array].all()


@pytest.mark.parametrize("seed", range(5))
def test_the_brain_has_a_brain_s_size_and_lies_whole_in_the_field_of_view(seed):
    mask = make_phantom(seed, grid=SMALL, contrasts=[]).brain_mask
    assert 1100 < mask.array.sum() * mask.voxel_volume_ml < 1900
    for axis in range(3):  # no face of the grid cuts it
        assert not np.take(mask.array, [0, -1], axis=axis).any()


@pytest.mark.parametrize("seed", range(5))
def test_a_glioma_has_all_three_parts_inside_the_brain(seed):
    phantom = make_phantom(seed, grid=SMALL, contrasts=[])
    assert set(np.unique(phantom.labels.array)) == {0, 1, 2, 3}
    assert phantom.brain_mask.array[phantom.labels.array > 0].mean() > 0.995


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_the_rim_encloses_the_core(seed):
    labels = make_phantom(seed, grid=brain_grid((2.0, 2.0, 2.0)), contrasts=[]).labels.array
    around_core = ndimage.binary_dilation(labels == 1) & (labels != 1)
    assert (labels[around_core] == 3).mean() > 0.9


def test_oedema_spreads_in_white_matter_and_spares_the_cortex(a_glioma):
    # The same seed without the disease is the same person, but for what the mass pushed aside.
    healthy = make_phantom(3, pathology="none", grid=brain_grid((2.0, 2.0, 2.0)), contrasts=[])
    oedema = a_glioma.labels.array == 2
    around = ndimage.binary_dilation(oedema, iterations=2) & a_glioma.brain_mask.array & (a_glioma.labels.array == 0)
    assert healthy.fractions[WM][oedema].mean() > 0.5
    assert a_glioma.fractions[WM][oedema].mean() < 0.25
    assert a_glioma.fractions[GM][around].mean() > a_glioma.fractions[GM][oedema].mean() + 0.1


def test_oedema_takes_all_white_matter_and_little_cortex_where_it_covers_both():
    everywhere = Lattice(np.full((2, 2, 2), 100.0), np.zeros(3), 2.0)
    healthy = {tissue: np.full(1, 0.0, dtype=np.float32) for tissue in BRAIN_TISSUES} | {
        WM: np.full(1, 0.6, dtype=np.float32),
        GM: np.full(1, 0.4, dtype=np.float32),
    }
    found = apply_lesions(Lesions({Tissue.OEDEMA: everywhere}), np.zeros((3, 1), dtype=np.float32), healthy)
    assert found[WM] == pytest.approx(0)
    assert found[GM] == pytest.approx(0.4 * 0.85)
    assert found[Tissue.OEDEMA] == pytest.approx(0.6 + 0.4 * 0.15)


def test_a_mass_pushes_tissue_away_from_its_centre_most_at_its_border():
    lesions = Lesions(push_centre_mm=(10.0, 0.0, 0.0), push_radius_mm=20.0, push_mm=4.0)
    found = np.array([[30, 0, 0], [10, -20, 0], [10, 0, 0], [110, 0, 0]], dtype=np.float32).T
    came_from = [[26, 0, 0], [10, -16, 0], [10, 0, 0], [110, 0, 0]]
    np.testing.assert_allclose(lesions.undo_push(found).T, came_from, atol=1e-3)


def test_far_from_the_mass_the_disease_changes_nothing(a_glioma):
    healthy = make_phantom(3, pathology="none", grid=brain_grid((2.0, 2.0, 2.0)), contrasts=[])
    far = ndimage.distance_transform_edt(a_glioma.labels.array == 0) * 2 > 60
    assert (far & healthy.brain_mask.array).sum() > 1000
    np.testing.assert_allclose(a_glioma.fractions[GM][far], healthy.fractions[GM][far], atol=0.05)


def test_a_healthy_brain_has_no_lesion():
    phantom = make_phantom(3, pathology="none", grid=SMALL, contrasts=[])
    assert not phantom.labels.array.any()
    assert not {Tissue.OEDEMA, Tissue.NECROSIS, Tissue.ENHANCING_TUMOUR, Tissue.MS_LESION} & set(phantom.fractions)


def test_multiple_sclerosis_is_many_small_lesions(a_multiple_sclerosis):
    labels = a_multiple_sclerosis.labels.array
    _, count = ndimage.label(labels)
    assert set(np.unique(labels)) == {0, 1}
    assert count >= 5
    assert 0.3 < labels.sum() * a_multiple_sclerosis.labels.voxel_volume_ml < 30


# Grids


@pytest.mark.parametrize(
    "grid",
    [
        brain_grid((3.0, 3.0, 3.0), rotation_deg=(14.0, -20.0, 25.0), field_of_view_mm=(240, 240, 200)),
        brain_grid((2.0, 2.0, 6.0)),
        brain_grid((4.5, 3.0, 2.5), rotation_deg=(0.0, 0.0, 100.0), field_of_view_mm=(240, 240, 180)),
    ],
    ids=["oblique", "thick slices", "turned"],
)
def test_the_same_person_is_in_the_same_place_on_any_grid(a_glioma, grid):
    other = make_phantom(3, grid=grid, contrasts=[])
    for tissue in (Tissue.NECROSIS, Tissue.ENHANCING_TUMOUR, Tissue.OEDEMA, CSF):
        np.testing.assert_allclose(centroid_mm(other, tissue), centroid_mm(a_glioma, tissue), atol=0.6)
        volumes = [p.fractions[tissue].sum() * p.labels.voxel_volume_ml for p in (other, a_glioma)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.04, abs=0.1)  # ml


def test_fine_grids_read_the_fine_atlas_at_the_same_place(a_glioma):
    tumour_mm = centroid_mm(a_glioma, Tissue.NECROSIS)
    grid = brain_grid((1.0, 1.0, 2.0), field_of_view_mm=(60, 60, 60))
    affine = grid.affine.copy()
    affine[:3, 3] += tumour_mm - (affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + affine[:3, 3])
    fine = make_phantom(3, grid=type(grid)(grid.shape, affine), contrasts=[])
    np.testing.assert_allclose(centroid_mm(fine, Tissue.NECROSIS), tumour_mm, atol=0.3)


def test_the_default_grid_is_that_of_brats():
    grid = brain_grid()
    assert grid.shape == (240, 240, 155)
    np.testing.assert_array_equal(grid.affine[:3, :3], np.diag([-1, -1, 1]))


def test_refining_a_grid_keeps_the_space_it_covers():
    grid = brain_grid((3.0, 2.0, 4.0), rotation_deg=(10.0, 20.0, 30.0))
    fine = grid.refine((3, 1, 2))
    for corner in (-0.5, 0.0), (-0.5, 1.0):
        sign = np.array(corner)
        coarse_ijk, fine_ijk = (sign[0] + sign[1] * np.array(g.shape) for g in (grid, fine))
        np.testing.assert_allclose(
            fine.affine[:3, :3] @ fine_ijk + fine.affine[:3, 3], grid.affine[:3, :3] @ coarse_ijk + grid.affine[:3, 3]
        )


def test_cropping_a_grid_keeps_voxels_in_place():
    grid = brain_grid((3.0, 2.0, 4.0), rotation_deg=(10.0, 20.0, 30.0))
    part = grid.crop((2, 3, 4), (5, 6, 7))
    whole_points = grid.points_mm().reshape(3, *grid.shape)
    np.testing.assert_allclose(part.points_mm().reshape(3, 5, 6, 7), whole_points[:, 2:7, 3:9, 4:11], atol=1e-4)


# Chance


def test_the_same_seed_gives_the_same_bits():
    first, second = (make_phantom(5, grid=brain_grid((4.0, 4.0, 4.0)), with_skull=True) for _ in range(2))
    for contrast in Contrast:
        np.testing.assert_array_equal(first.volumes[contrast].array, second.volumes[contrast].array)
    np.testing.assert_array_equal(first.labels.array, second.labels.array)


def test_asking_for_fewer_contrasts_does_not_change_them():
    alone = make_phantom(5, grid=SMALL, contrasts=[Contrast.FLAIR]).volumes
    assert set(alone) == {Contrast.FLAIR}
    together = make_phantom(5, grid=SMALL).volumes
    np.testing.assert_array_equal(alone[Contrast.FLAIR].array, together[Contrast.FLAIR].array)


def test_another_seed_is_another_person():
    first, second = (make_phantom(seed, pathology="none", grid=SMALL, noise=0, bias=0) for seed in (5, 6))
    overlap = (first.fractions[GM] > 0.5) & (second.fractions[GM] > 0.5)
    either = (first.fractions[GM] > 0.5) | (second.fractions[GM] > 0.5)
    assert overlap.sum() / either.sum() < 0.7  # other folds
    assert first.scan.sequences != second.scan.sequences


def test_gliomas_differ_in_side_and_size():
    phantoms = [make_phantom(seed, grid=SMALL, contrasts=[]) for seed in range(5)]
    sides = {np.sign(centroid_mm(phantom, Tissue.NECROSIS)[0]) for phantom in phantoms}
    sizes = [(phantom.labels.array > 0).sum() for phantom in phantoms]
    assert sides == {-1, 1}
    assert max(sizes) > 1.5 * min(sizes)


@pytest.mark.parametrize(("scale_mm", "step_mm"), [(12.0, 4.0), (20.0, 3.0)])
def test_random_fields_have_zero_mean_and_unit_variance(scale_mm, step_mm):
    values = random_field(np.random.default_rng(0), scale_mm=scale_mm, step_mm=step_mm).values
    num_hills = (272 / scale_mm) ** 3  # about so many independent values
    assert abs(values.mean()) < 5 / np.sqrt(num_hills)
    assert values.var() == pytest.approx(1, abs=0.06)


# Scanner


def test_noise_without_signal_is_rayleigh():
    # Mean sigma sqrt(pi / 2), variance sigma^2 (2 - pi / 2).
    noise = add_rician_noise(np.zeros(400_000, dtype=np.float32), 7.0, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(7 * np.sqrt(np.pi / 2), rel=0.005)
    assert noise.var() == pytest.approx(49 * (2 - np.pi / 2), rel=0.01)


def test_noise_on_strong_signal_has_the_variance_of_one_channel():
    noisy = add_rician_noise(np.full(400_000, 500, dtype=np.float32), 7.0, np.random.default_rng(0))
    assert noisy.var() == pytest.approx(49, rel=0.01)
    # E[M^2] = A^2 + 2 sigma^2 holds for the Rician distribution at any signal.
    assert (noisy.astype(np.float64) ** 2).mean() == pytest.approx(500**2 + 2 * 49, rel=1e-4)


def test_air_around_a_head_holds_the_noise_asked_for(a_head):
    air = sum(a_head.fractions.values()) == 0
    assert air.sum() > 10_000
    for contrast in Contrast:
        expected = 0.02 * a_head.scan.gain[contrast] * np.sqrt(np.pi / 2)
        assert a_head.volumes[contrast].array[air].mean() == pytest.approx(expected, rel=0.02)


def test_noise_in_the_brain_has_the_standard_deviation_asked_for():
    clean, noisy = (make_phantom(3, grid=SMALL, contrasts=[Contrast.PDW], noise=n, bias=0) for n in (0, 0.03))
    inside = ndimage.binary_erosion(clean.brain_mask.array)
    noise = (noisy.volumes[Contrast.PDW].array - clean.volumes[Contrast.PDW].array)[inside]
    assert noise.std() == pytest.approx(0.03 * clean.scan.gain[Contrast.PDW], rel=0.03)


def test_the_bias_field_is_smooth_and_of_the_strength_asked_for():
    flat, biased = (make_phantom(4, grid=SMALL, contrasts=[Contrast.PDW], noise=0, bias=b) for b in (0, 0.3))
    inside = flat.brain_mask.array
    field = np.full(inside.shape, np.nan)
    field[inside] = np.log(biased.volumes[Contrast.PDW].array[inside] / flat.volumes[Contrast.PDW].array[inside])
    assert 0.03 < np.nanstd(field) < 0.6
    assert max(np.nanmax(np.abs(np.diff(field, axis=axis))) for axis in range(3)) < 0.05  # over 3 mm


# Head


def test_the_scalp_is_bright_and_the_skull_dark_on_t1w(a_head):
    white = mean_in(a_head, Contrast.T1W, WM)
    assert mean_in(a_head, Contrast.T1W, Tissue.FAT) > 1.2 * white
    assert mean_in(a_head, Contrast.T1W, Tissue.BONE, purity=0.7) < 0.35 * white


def test_the_brain_mask_does_not_depend_on_the_skull(a_head):
    stripped = make_phantom(3, pathology="none", grid=SMALL, contrasts=[])
    np.testing.assert_array_equal(a_head.brain_mask.array, stripped.brain_mask.array)


def test_brain_bone_fat_and_skin_follow_each_other_to_the_side(a_head):
    # Along the row through the middle of the brain, where its grid's first axis points to the left.
    _, j, k = np.rint(np.argwhere(a_head.brain_mask.array).mean(axis=0)).astype(int)
    tissues = (GM, Tissue.BONE, Tissue.FAT, Tissue.SKIN)
    reach = [np.flatnonzero(a_head.fractions[tissue][:, j, k] > 0.15) for tissue in tissues]
    outermost_left, outermost_right = [r.max() for r in reach], [-r.min() for r in reach]
    for outermost in (outermost_left, outermost_right):
        assert outermost == sorted(outermost)
        assert outermost[-1] - outermost[0] >= 3  # 9 mm and more from cortex to skin


def test_fractions_of_a_head_do_not_exceed_one(a_head):
    assert sum(a_head.fractions.values()).max() <= 1 + 1e-5


# Requests that make no sense, and the files


def test_an_unknown_pathology_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="multiple sclerosis, got 'stroke'"):
        make_phantom(0, pathology="stroke", grid=SMALL)  # type: ignore[arg-type]


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        make_phantom(-1, grid=SMALL)


def test_a_spacing_of_zero_is_refused():
    with pytest.raises(ValueError, match="spacing must be positive"):
        brain_grid((1.0, 0.0, 1.0))


def test_the_atlas_is_small_and_its_notice_lies_beside_it():
    folder = Path(MRTranslateLib.phantoms.__file__).parent
    assert (folder / "tissue_atlas.npz").stat().st_size < 2_500_000
    notice = " ".join((folder / "tissue_atlas_LICENSE.txt").read_text(encoding="utf-8").split())
    assert "Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre" in notice
    assert "above copyright notice appear in all copies" in notice
