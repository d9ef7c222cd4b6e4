"""The prepared data: right contrasts in the right place and unit, read back from the store."""

from __future__ import annotations

import shutil

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import read_mask, write_volume
from MRTranslateLib.phantoms import misalign
from MRTranslateLib.volume import Volume
from training.data import cache
from training.data.bids import read_scans
from training.data.cache import BOX_MARGIN_VOXELS, fingerprint, load_or_prepare, prepare


@pytest.fixture(scope="module")
def scans(phantom_data):
    return {scan.participant: scan for scan in read_scans(phantom_data)}


@pytest.fixture(scope="module")
def glioma(scans):
    return prepare(scans["sub-a"], realign=False)


def canonical_slices(path):
    """A file's voxels as (superior, anterior, right), by nibabel."""
    return np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj).transpose(2, 1, 0)


@pytest.fixture(scope="module")
def brain(scans):
    """The phantom's brain, uncropped: it is skull-stripped, so where any contrast is not zero."""
    stacks = [canonical_slices(path) > 0 for path in scans["sub-a"].files.values()]
    return ndimage.binary_fill_holes(np.logical_or.reduce(stacks))


def box_of(mask):
    (box,) = ndimage.find_objects(mask.astype(int))
    return tuple(slice(side.start - BOX_MARGIN_VOXELS, side.stop + BOX_MARGIN_VOXELS) for side in box)


def test_every_acquired_contrast_is_prepared_and_no_other(glioma, scans):
    assert set(glioma.images) == {Contrast.T1W, Contrast.T2W, Contrast.FLAIR} == set(scans["sub-a"].files)
    assert glioma.case_id == "sub-a"


def test_scans_are_cut_to_the_brain_with_a_margin_on_every_side(glioma):
    (box,) = ndimage.find_objects(glioma.brain.astype(int))
    for side, length in zip(box, glioma.brain.shape, strict=True):
        assert (side.start, length - side.stop) == (BOX_MARGIN_VOXELS, BOX_MARGIN_VOXELS)


def test_a_brain_at_the_border_of_the_field_of_view_keeps_what_there_is(tmp_path, scans):
    cropped = {}
    for contrast, path in scans["sub-a"].files.items():
        image = nibabel.load(path)
        values = np.asarray(image.dataobj)
        cropped[contrast] = tmp_path / path.name
        write_volume(cropped[contrast], Volume(values[:, :, :33], image.affine))
    whole = scans["sub-a"]
    scan = type(whole)("sub-c", "n/a", "train", True, True, cropped, None)
    prepared = prepare(scan, realign=False)
    assert prepared.brain[-1].any()
    assert not prepared.brain[:BOX_MARGIN_VOXELS].any()


def test_the_brain_mask_is_the_phantoms(glioma, brain):
    mine, truth = glioma.brain, brain[box_of(brain)]
    assert mine.shape == truth.shape
    assert 2 * (mine & truth).sum() / (mine.sum() + truth.sum()) > 0.999


def test_255_is_the_995th_percentile_of_the_brain(glioma, brain, scans):
    for contrast, path in scans["sub-a"].files.items():
        values = canonical_slices(path)[brain]
        share = np.clip(values / np.percentile(values, 99.5), 0, 1)
        assert np.abs(glioma.images[contrast][brain[box_of(brain)]] / 255 - share).max() < 0.01
        assert (glioma.images[contrast] == 255).sum() == pytest.approx(0.005 * len(values), rel=0.3)


def test_a_remnant_beside_the_brain_is_left_out(scans, glioma, tmp_path):
    files = dict(scans["sub-a"].files)
    image = nibabel.load(files[Contrast.T1W])
    values = np.asarray(image.dataobj).copy()
    corner = tuple(side.start + 1 for side in ndimage.find_objects((values > 0).astype(int))[0])
    assert values[corner] == 0
    values[corner] = values.max()
    files[Contrast.T1W] = tmp_path / "remnant.nii.gz"
    write_volume(files[Contrast.T1W], Volume(values, image.affine))
    prepared = prepare(type(scans["sub-a"])("sub-a", "n/a", "train", True, True, files, None), realign=False)
    np.testing.assert_array_equal(prepared.brain, glioma.brain)
    np.testing.assert_array_equal(prepared.images[Contrast.T1W], glioma.images[Contrast.T1W])


def test_slices_run_up_rows_to_the_front_columns_to_the_right(glioma, brain, scans):
    # The files run left, back, up; nibabel says which voxel lies where. Any flip or swap loses the match.
    for contrast, path in scans["sub-a"].files.items():
        truth = canonical_slices(path)[box_of(brain)]
        mine = glioma.images[contrast].astype(float)
        assert np.corrcoef(mine.ravel(), truth.ravel())[0, 1] > 0.99
        for axis in range(3):
            assert np.corrcoef(np.flip(mine, axis).ravel(), truth.ravel())[0, 1] < 0.97


def test_lesion_labels_lie_where_they_were_drawn(glioma, brain, scans):
    truth = canonical_slices(scans["sub-a"].lesion_mask)[box_of(brain)]
    assert set(np.unique(truth)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(glioma.lesion, truth)
    assert glioma.has_lesion_mask


def test_a_scan_without_lesion_labels_says_so(scans):
    healthy = prepare(scans["sub-b"], realign=False)
    assert not healthy.has_lesion_mask
    assert not healthy.lesion.any()
    assert healthy.lesion.shape == healthy.brain.shape


def test_what_is_stored_reads_back_equal(glioma, scans, tmp_path):
    (read,) = load_or_prepare([scans["sub-a"]], tmp_path, realign=())
    assert (read.case_id, read.has_lesion_mask) == (glioma.case_id, glioma.has_lesion_mask)
    assert read.images.keys() == glioma.images.keys()
    for mine, truth in [
        *((read.images[contrast], glioma.images[contrast]) for contrast in glioma.images),
        (read.brain, glioma.brain),
        (read.lesion, glioma.lesion),
    ]:
        assert mine.dtype == truth.dtype
        np.testing.assert_array_equal(mine, truth)


def test_a_scan_is_prepared_once(scans, tmp_path, monkeypatch):
    load_or_prepare(scans.values(), tmp_path, realign=())

    def refuse(*_, **__):
        raise AssertionError("prepared again")

    monkeypatch.setattr(cache, "prepare", refuse)
    assert [scan.case_id for scan in load_or_prepare(scans.values(), tmp_path, realign=())] == ["sub-a", "sub-b"]


def test_asking_for_realignment_prepares_anew(scans, tmp_path, monkeypatch):
    asked = []
    prepare_scan = cache.prepare

    def noted(scan, *, realign):
        asked.append((scan.participant, realign))
        return prepare_scan(scan, realign=False)

    monkeypatch.setattr(cache, "prepare", noted)
    for realign in ((), ("sub-a",)):
        load_or_prepare(scans.values(), tmp_path, realign=realign)
    assert asked == [("sub-a", False), ("sub-b", False), ("sub-a", True)]


def test_realignment_moves_a_contrast_back_onto_flair(scans, phantoms, glioma, tmp_path):
    moved = misalign(phantoms["sub-a"].volumes[Contrast.T1W], rotation_deg=(0, 0, 4), translation_mm=(6.0, -5.0, 4.0))
    files = dict(scans["sub-a"].files)
    files[Contrast.T1W] = tmp_path / "moved.nii.gz"
    write_volume(files[Contrast.T1W], moved.volume)
    scan = type(scans["sub-a"])("sub-a", "n/a", "train", True, True, files, None)

    def likeness(realign):
        prepared = prepare(scan, realign=realign)
        flair, reference = prepared.images[Contrast.FLAIR], glioma.images[Contrast.FLAIR]
        # The boxes differ by what the moved contrast adds; FLAIR did not move, so it tells by how much.
        shift = [ndimage.find_objects((array > 0).astype(int))[0] for array in (flair, reference)]
        t1w, truth = prepared.images[Contrast.T1W][shift[0]], glioma.images[Contrast.T1W][shift[1]]
        return np.corrcoef(t1w.ravel(), truth.ravel())[0, 1]

    assert likeness(False) < 0.9
    assert likeness(True) > 0.97


def test_the_same_files_have_the_same_fingerprint_elsewhere(phantom_data, tmp_path):
    copied = shutil.copytree(phantom_data, tmp_path / "copy")
    assert fingerprint(read_scans(copied)) == fingerprint(read_scans(phantom_data))


def test_a_changed_image_changes_the_fingerprint_and_is_prepared_anew(phantom_data, phantoms, tmp_path):
    copied = shutil.copytree(phantom_data, tmp_path / "copy")
    scan = read_scans(copied)[0]
    before = fingerprint([scan])
    (old,) = load_or_prepare([scan], tmp_path / "store", realign=())
    write_volume(scan.files[Contrast.T2W], phantoms["sub-a"].volumes[Contrast.T1W], overwrite=True)
    assert fingerprint([scan]) != before
    (new,) = load_or_prepare([scan], tmp_path / "store", realign=())
    assert not np.array_equal(old.images[Contrast.T2W], new.images[Contrast.T2W])


def test_a_corrected_lesion_mask_is_prepared_anew(phantom_data, tmp_path):
    copied = shutil.copytree(phantom_data, tmp_path / "copy")
    scan = next(scan for scan in read_scans(copied) if scan.lesion_mask is not None)
    (old,) = load_or_prepare([scan], tmp_path / "store", realign=())
    drawn = read_mask(scan.lesion_mask)
    write_volume(scan.lesion_mask, drawn.with_array(0 * drawn.array), overwrite=True)
    (new,) = load_or_prepare([scan], tmp_path / "store", realign=())
    assert old.lesion.any()
    assert not new.lesion.any()


def test_lesion_labels_on_a_grid_of_their_own_come_to_lie_on_the_images(scans, glioma, tmp_path):
    whole = scans["sub-a"]
    drawn = read_mask(whole.lesion_mask)
    cut, path = drawn.array[3:, 5:, 2:], tmp_path / "mask.nii.gz"
    affine = drawn.affine.copy()
    affine[:3, 3] = (drawn.affine @ [3, 5, 2, 1])[:3]
    write_volume(path, Volume(np.ascontiguousarray(cut), affine))
    scan = type(whole)("sub-a", "n/a", "train", True, True, whole.files, path)
    np.testing.assert_array_equal(prepare(scan, realign=False).lesion, glioma.lesion)


def test_a_damaged_store_is_prepared_again(phantom_data, tmp_path):
    scans = read_scans(phantom_data)[:1]
    (first,) = load_or_prepare(scans, tmp_path, realign=())
    (stored,) = tmp_path.glob("*.npz")
    stored.write_bytes(stored.read_bytes()[:1000])
    (again,) = load_or_prepare(scans, tmp_path, realign=())
    np.testing.assert_array_equal(again.brain, first.brain)
