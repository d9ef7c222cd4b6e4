from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from MRTranslateLib.volume import (
    Volume,
    from_canonical,
    from_sitk,
    from_slices,
    same_grid,
    same_lattice,
    to_canonical,
    to_sitk,
    to_slices,
)

ORIENTATIONS = [(axes, signs) for axes in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]


def oblique_affine(spacing_mm: tuple[float, float, float] = (0.9, 0.9, 3.0)) -> np.ndarray:
    """Rotations of 12 and -17 degrees about x and z, then the spacing; RAS mm."""
    a, b = np.radians([12.0, -17.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ np.diag(spacing_mm)
    affine[:3, 3] = [-80.5, 33.25, 12.125]
    return affine


def volume_in(axes: tuple[int, ...], signs: tuple[float, ...]) -> Volume:
    """A 4 x 5 x 6 volume whose i, j, k run along the given axes and directions of an oblique frame."""
    turn = np.zeros((3, 3))
    turn[list(axes), range(3)] = signs
    affine = oblique_affine((1.0, 1.0, 1.0))
    affine[:3, :3] = affine[:3, :3] @ turn @ np.diag([0.9, 1.1, 3.0])
    return Volume(np.arange(120, dtype=np.int16).reshape(4, 5, 6), affine)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_every_orientation_returns_from_canonical_exactly(axes, signs):
    volume = volume_in(axes, signs)
    np.testing.assert_array_equal(from_canonical(to_canonical(volume).array, volume), volume.array)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_canonical_axes_point_right_anterior_superior_as_nibabel_says(axes, signs):
    canonical = to_canonical(volume_in(axes, signs))
    assert nib.aff2axcodes(canonical.affine) == ("R", "A", "S")
    truth = nib.as_closest_canonical(nib.Nifti1Image(volume_in(axes, signs).array, volume_in(axes, signs).affine))
    np.testing.assert_allclose(canonical.affine, truth.affine, atol=1e-9)
    np.testing.assert_array_equal(canonical.array, np.asarray(truth.dataobj))


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_every_orientation_survives_simpleitk(axes, signs):
    volume = volume_in(axes, signs)
    back = from_sitk(to_sitk(volume))
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-9)


def test_a_voxel_lies_where_simpleitk_says_in_lps():
    volume = volume_in((2, 0, 1), (1.0, -1.0, 1.0))
    index = (3, 1, 5)
    ras = volume.affine @ [*index, 1]
    image = to_sitk(volume)
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), [-ras[0], -ras[1], ras[2]], atol=1e-9)
    assert image[index] == volume.array[index]


def test_slices_are_superior_anterior_right():
    canonical = np.zeros((4, 5, 6))
    canonical[1, 2, 3] = 1
    slices = to_slices(canonical)
    assert slices.shape == (6, 5, 4)
    assert slices[3, 2, 1] == 1
    np.testing.assert_array_equal(from_slices(slices), canonical)


def test_spacing_and_voxel_volume_of_an_oblique_grid():
    volume = Volume(np.zeros((2, 2, 2)), oblique_affine())
    assert volume.spacing_mm == pytest.approx((0.9, 0.9, 3.0))
    assert volume.voxel_volume_ml == pytest.approx(0.9 * 0.9 * 3.0 / 1000)


def test_a_bool_mask_becomes_uint8_in_simpleitk():
    assert to_sitk(Volume(np.ones((2, 2, 2), bool), np.eye(4))).GetPixelIDTypeAsString() == "8-bit unsigned integer"


def test_grids_are_the_same_up_to_a_micrometre_at_every_corner():
    first = Volume(np.zeros((100, 100, 100)), np.eye(4))
    scaled = np.diag([1.0 + 1e-4, 1.0, 1.0, 1.0])  # the far corner moves by 0.0099 mm
    moved = np.eye(4)
    moved[0, 3] = 0.0009
    assert same_grid(first, Volume(first.array, moved))
    assert not same_grid(first, Volume(first.array, scaled))
    assert not same_grid(first, Volume(np.zeros((100, 100, 99)), np.eye(4)))


@pytest.mark.parametrize(
    ("array", "affine", "message"),
    [
        (np.zeros((2, 2)), np.eye(4), r"3 non-empty axes, got shape \(2, 2\)"),
        (np.zeros((2, 0, 2)), np.eye(4), r"got shape \(2, 0, 2\)"),
        (np.zeros((2, 2, 2)), np.eye(3), "finite"),
        (np.zeros((2, 2, 2)), np.diag([1.0, np.nan, 1.0, 1.0]), "finite"),
        (np.zeros((2, 2, 2)), np.diag([1.0, 0.0, 1.0, 1.0]), "invertible"),
    ],
)
def test_an_impossible_volume_cannot_be_built(array, affine, message):
    with pytest.raises(ValueError, match=message):
        Volume(array, affine)


def test_an_array_of_another_shape_does_not_fit_the_grid():
    with pytest.raises(ValueError, match=r"\(2, 2, 3\) does not fit the grid \(2, 2, 2\)"):
        Volume(np.zeros((2, 2, 2)), np.eye(4)).with_array(np.zeros((2, 2, 3)))


def test_from_canonical_refuses_an_array_of_another_shape():
    volume = volume_in((2, 0, 1), (1.0, -1.0, 1.0))
    with pytest.raises(ValueError, match="is not the canonical form"):
        from_canonical(np.zeros((9, 9, 9)), volume)


def test_an_image_of_vectors_is_no_volume():
    import SimpleITK as sitk

    with pytest.raises(ValueError, match="3D with 3 components"):
        from_sitk(sitk.Image([4, 4, 4], sitk.sitkVectorFloat32, 3))


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_axis_order_and_flips_leave_the_lattice_what_it_is(axes, signs):
    plain, sizes = Volume(np.zeros((4, 5, 6)), oblique_affine()), np.array([4, 5, 6])
    turn = np.zeros((4, 4))
    turn[axes, range(3)], turn[3, 3] = signs, 1
    turn[:3, 3] = [0 if turn[row, :3].sum() > 0 else sizes[row] - 1 for row in range(3)]
    turned = Volume(np.zeros(sizes[list(axes)]), plain.affine @ turn)
    assert same_lattice(turned, plain)
    assert same_grid(turned, plain) == (list(axes) == [0, 1, 2] and min(signs) > 0)


def test_a_shift_by_half_a_voxel_is_another_lattice():
    affine = oblique_affine()
    affine[:3, 3] += affine[:3, 0] / 2
    assert not same_lattice(Volume(np.zeros((4, 5, 6)), affine), Volume(np.zeros((4, 5, 6)), oblique_affine()))
