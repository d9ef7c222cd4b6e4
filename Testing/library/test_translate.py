"""The pipeline around the network, with a network whose answer is known: geometry, units, refusals, repeatability."""

import json
import math

import nibabel
import numpy as np
import pytest
from nibabel import orientations
from scipy.spatial.transform import Rotation

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import CancelledError, InputError, ModelError, UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom, misalign
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume, same_grid
from Testing.library.level_examples import constant_level

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W, FLAIR))


def caller(bundle):
    def call(sources, target=FLAIR, **options):
        return translate(sources, target, model=bundle.folder, device="cpu", threads=1, **options)

    return call


@pytest.fixture
def run(copy_generator, copy_bundle):
    """``translate`` with the copying model at 1 mm; T1w to FLAIR unless told otherwise."""
    return caller(copy_bundle)


@pytest.fixture
def quick(copy_generator, coarse_bundle):
    """The same at the phantom's 3 mm."""
    return caller(coarse_bundle)


def ellipsoid(spacing_mm, affine, extent_mm=(140, 170, 120)):
    """A stripped 'brain' of brightness 400 to 800 (a smooth ramp) with one dark asymmetric landmark."""
    shape = tuple(math.ceil(length / size) + 6 for length, size in zip(extent_mm, spacing_mm, strict=True))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    centred = (index - (np.array(shape)[:, None, None, None] - 1) / 2) * np.array(spacing_mm)[:, None, None, None]
    inside = sum((centred[axis] / (extent_mm[axis] / 2)) ** 2 for axis in range(3)) <= 1
    array = np.where(inside, 600 + 1.5 * centred[0] + centred[1] + 0.5 * centred[2], 0).astype(np.float32)
    landmark = tuple(int(0.62 * n) for n in shape)
    block = tuple(slice(at - 1, at + 2) for at in landmark)
    array[block] = 60
    return Volume(array, affine), landmark


def oblique_affine(spacing_mm, axes="LPS"):
    turn = Rotation.from_euler("xyz", (12, -9, 17), degrees=True).as_matrix()
    signs = {"R": [1, 0, 0], "L": [-1, 0, 0], "A": [0, 1, 0], "P": [0, -1, 0], "S": [0, 0, 1], "I": [0, 0, -1]}
    columns = np.array([signs[letter] for letter in axes], dtype=float).T
    affine = np.eye(4)
    affine[:3, :3] = turn @ columns @ np.diag(spacing_mm)
    affine[:3, 3] = [11.5, -23.25, 40.0]
    return affine


@pytest.mark.parametrize(
    ("spacing_mm", "extent_mm", "axes"),
    [
        ((0.9, 0.9, 3.0), (140, 170, 120), "LPS"),
        ((3.0, 0.9, 0.9), (120, 140, 170), "SRA"),
        ((0.9, 3.0, 0.9), (170, 120, 140), "PIR"),
        ((1.0, 1.0, 1.0), (140, 170, 120), "RAS"),
    ],
)
def test_an_oblique_volume_keeps_its_grid_and_its_landmark(run, spacing_mm, extent_mm, axes):
    source, landmark = ellipsoid(spacing_mm, oblique_affine(spacing_mm, axes), extent_mm)
    result = run({T1W: source})
    assert result.volume.shape == source.shape
    np.testing.assert_array_equal(result.volume.affine, source.affine)
    inside = np.where(result.brain_mask.array, result.volume.array, 9999)
    darkest = np.argwhere(inside == inside.min()).mean(axis=0)
    np.testing.assert_allclose(darkest, landmark, atol=0.5)


def test_every_voxel_of_a_copy_is_the_source_in_our_units(run):
    source, _ = ellipsoid((1.0, 1.0, 1.0), oblique_affine((1.0, 1.0, 1.0), "PSR"), (170, 120, 140))
    result = run({T1W: source})
    scale = result.provenance.sources[0].percentile_value
    expected = np.clip(source.array / scale, 0, 1) * 1000 * result.brain_mask.array
    np.testing.assert_allclose(result.volume.array, expected, atol=0.51)


def test_thick_slices_are_translated_where_they_are_and_not_between(run, copy_generator):
    source, _ = ellipsoid((0.9, 0.9, 3.0), oblique_affine((0.9, 0.9, 3.0)))
    result = run({T1W: source})
    scale = result.provenance.sources[0].percentile_value
    expected = np.clip(source.array / scale, 0, 1) * 1000 * result.brain_mask.array
    np.testing.assert_allclose(result.volume.array, expected, atol=2)  # one spline interpolation, through the samples
    slices_with_brain = int(result.brain_mask.array.any(axis=(0, 1)).sum())
    assert len(copy_generator.batches) == slices_with_brain


def test_fine_voxels_are_translated_at_the_models_resolution_and_brought_back(run):
    source, _ = ellipsoid((0.5, 0.5, 2.0), oblique_affine((0.5, 0.5, 2.0)), (140, 170, 90))
    result = run({T1W: source})
    assert result.volume.shape == source.shape
    assert any("in-plane voxel size 0.5 mm" in text for text in result.warnings)
    error = np.abs(
        result.volume.array - 1000 * np.clip(source.array / result.provenance.sources[0].percentile_value, 0, 1)
    )
    assert np.median(error[result.brain_mask.array]) < 5


def test_the_model_sees_neighbours_one_millimetre_apart_and_the_height(run, copy_generator):
    source, _ = ellipsoid((1.0, 1.0, 3.0), np.diag([1.0, 1.0, 3.0, 1.0]))
    run({T1W: source})
    below, middle, above = copy_generator.batches[20][0].images[0, T1W.channel, :, 60:90, 60:90]
    np.testing.assert_allclose((below + above) / 2, middle, atol=0.01)  # the ramp is linear along the slices
    assert float((above - below).mean()) == pytest.approx(2 * 0.5 / 850, rel=0.2)
    heights = [float(slices.height[0]) for slices, _ in copy_generator.batches]
    assert heights[0] < 0.02
    assert heights[-1] > 0.98
    assert heights == sorted(heights)


def test_background_is_zero_and_nothing_is_made_outside_the_brain(quick, phantom):
    result = quick({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W]})
    assert result.volume.array.dtype == np.int16
    assert not result.volume.array[~result.brain_mask.array].any()


def test_unavailable_contrasts_are_told_to_the_model_as_unavailable(quick, copy_generator, phantom):
    quick({T2W: phantom.volumes[T2W]}, T1W)
    slices, code = copy_generator.batches[0]
    assert slices.availability[0].tolist() == [0, 0, 1, 0, 0]
    assert code[0].tolist() == [1, 0, 0, 0, 0]


def test_the_target_cannot_leak_since_the_result_depends_on_the_sources_alone(quick, phantom, tmp_path):
    # A real target lies beside the sources under the usual name; changing it changes nothing.
    for name, volume in (("t1.nii.gz", phantom.volumes[T1W]), ("flair.nii.gz", phantom.volumes[FLAIR])):
        write_volume(tmp_path / name, volume)
    first = quick({T1W: tmp_path / "t1.nii.gz"})
    write_volume(tmp_path / "flair.nii.gz", phantom.volumes[T2W], overwrite=True)
    again = quick({T1W: tmp_path / "t1.nii.gz"})
    np.testing.assert_array_equal(first.volume.array, again.volume.array)


def test_a_source_on_another_grid_is_registered_and_reported(quick, phantom):
    moved = misalign(phantom.volumes[T2W], rotation_deg=(0, 0, 6), translation_mm=(7, -5, 4)).volume
    other_grid = Volume(
        moved.array[:, :, 1:], moved.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    )
    result = quick({T1W: phantom.volumes[T1W], T2W: other_grid})
    record = result.provenance.sources[1].registration
    assert record.verdict == "moved"
    assert record.rotation_deg == pytest.approx(6, abs=0.7)


def stored_as(volume, axes):
    """The same voxels in another order."""
    turn = orientations.ornt_transform(orientations.io_orientation(volume.affine), orientations.axcodes2ornt(axes))
    affine = volume.affine @ orientations.inv_ornt_aff(turn, volume.shape)
    return Volume(orientations.apply_orientation(volume.array, turn), affine)


def test_a_source_on_the_same_lattice_in_another_axis_order_is_not_registered(quick, phantom):
    plain = quick({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W]})
    turned = quick({T1W: phantom.volumes[T1W], T2W: stored_as(phantom.volumes[T2W], "PSL")})
    assert turned.provenance.sources[1].registration is None
    np.testing.assert_array_equal(turned.volume.array, plain.volume.array)


def test_masks_on_the_same_lattice_in_another_axis_order_are_not_said_to_be_resampled(quick, phantom):
    lesion = phantom.labels.with_array((phantom.labels.array > 0).astype(np.uint8))
    masks = {"brain_mask": stored_as(phantom.brain_mask.with_array(phantom.brain_mask.array.astype(np.uint8)), "LPS")}
    masks["lesion_mask"] = stored_as(lesion, "LPS")
    result = quick({T1W: phantom.volumes[T1W]}, uncertainty=True, **masks)
    assert not any("resampled" in warning for warning in result.warnings)


def test_the_same_input_gives_the_same_bits(quick, phantom):
    first, second = (quick({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W]}) for _ in range(2))
    assert first.provenance.output.sha256 == second.provenance.output.sha256


def test_volumes_arrays_and_files_give_the_same_result(quick, phantom, tmp_path):
    volume = phantom.volumes[T1W]
    write_volume(tmp_path / "t1.nrrd", volume)
    hashes = {
        quick({T1W: source}).provenance.output.sha256
        for source in (volume, (volume.array, volume.affine), tmp_path / "t1.nrrd", str(tmp_path / "t1.nrrd"))
    }
    assert len(hashes) == 1


def test_a_given_brain_mask_limits_the_result(quick, phantom):
    half = phantom.brain_mask.array.copy()
    half[: half.shape[0] // 2] = False
    result = quick({T1W: phantom.volumes[T1W]}, brain_mask=phantom.brain_mask.with_array(half.astype(np.uint8)))
    assert result.provenance.brain_mask.origin == "given"
    assert not result.volume.array[: half.shape[0] // 2].any()


def test_the_output_file_and_its_sidecar_say_what_the_result_is(quick, phantom, tmp_path):
    result = quick({"t1w": phantom.volumes[T1W]}, "flair", output=tmp_path / "out.nii.gz")
    assert same_grid(read_volume(tmp_path / "out.nii.gz"), phantom.volumes[T1W])
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["notice"].startswith("SYNTHETIC")
    assert sidecar["target"] == "FLAIR"
    assert sidecar["output"]["sha256"] == result.provenance.output.sha256
    assert sidecar["model"]["weights_sha256"] == result.provenance.model.weights_sha256


def test_the_files_themselves_say_that_they_are_synthetic(copy_generator, attentive_bundle, phantom, tmp_path):
    files = {"output": tmp_path / "out.nii.gz", "attention": tmp_path / "map.nii", "uncertainty": tmp_path / "sd.nii"}
    caller(attentive_bundle)({T1W: phantom.volumes[T1W]}, **files)
    said = {option: bytes(nibabel.load(path).header["descrip"]).decode() for option, path in files.items()}
    assert said["output"].startswith("SYNTHETIC FLAIR; research use only, not for diagnosis")
    assert said["attention"].startswith("attention map of SYNTHETIC FLAIR;")
    assert said["uncertainty"].startswith("uncertainty map of SYNTHETIC FLAIR;")


def test_a_level_told_from_a_source_is_reached_and_stands_in_the_sidecar_and_the_report(
    quick, copy_generator, phantom, tmp_path
):
    copy_generator.levels = (constant_level(0.5),)
    result = quick({"T1w": phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz", report=tmp_path / "page.html")
    inside = result.volume.array[result.brain_mask.array > 0]
    assert np.median(inside) == pytest.approx(500, abs=3)
    level = json.loads((tmp_path / "out.json").read_text())["level"]
    assert (level["source"], level["level"]) == ("T1w", 0.5)
    assert result.provenance.level.sentence in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_without_a_level_the_sidecar_has_none(quick, phantom):
    assert quick({"T1w": phantom.volumes[T1W]}).provenance.level is None


def test_an_existing_output_is_kept(quick, phantom, tmp_path):
    (tmp_path / "out.nii.gz").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"out\.nii\.gz exists"):
        quick({T1W: phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz")
    assert (tmp_path / "out.nii.gz").read_bytes() == b"mine"


def test_an_existing_sidecar_is_kept_too(quick, phantom, tmp_path):
    (tmp_path / "out.json").write_text("mine")
    with pytest.raises(UsageError, match=r"out\.json exists"):
        quick({T1W: phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz")
    assert not (tmp_path / "out.nii.gz").exists()


def test_overwriting_replaces_both(quick, phantom, tmp_path):
    for _ in range(2):
        quick({T1W: phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.nii.gz"]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.4, 0.7, 0.94])
def test_cancelling_at_any_time_leaves_nothing_behind(quick, phantom, tmp_path, share):
    progress = Progress(lambda stage, fraction: fraction >= share and progress.cancelled.set())
    with pytest.raises(CancelledError):
        quick({T1W: phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz", progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_cancelling_after_the_result_was_written_is_too_late(quick, phantom, tmp_path):
    progress = Progress(lambda stage, fraction: fraction == 1 and progress.cancelled.set())
    quick({T1W: phantom.volumes[T1W]}, output=tmp_path / "out.nii.gz", progress=progress)
    assert (tmp_path / "out.nii.gz").exists()


def test_progress_rises_from_nothing_to_all(quick, phantom):
    fractions = []
    quick(
        {T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W]},
        progress=lambda stage, fraction: fractions.append(fraction),
    )
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1


def test_the_target_among_the_sources_is_refused(quick, phantom):
    with pytest.raises(UsageError, match="T1w is both source and target"):
        quick({T1W: phantom.volumes[T1W]}, T1W)


def test_the_same_image_as_two_contrasts_is_refused(quick, phantom):
    with pytest.raises(InputError, match="T1w and T2w are the same"):
        quick({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T1W]})


def test_a_contrast_the_model_was_not_trained_on_is_refused(quick, phantom):
    with pytest.raises(ModelError, match="PDw"):
        quick({T1W: phantom.volumes[T1W]}, "PDw")


def test_sources_that_show_another_place_are_refused(quick, phantom):
    elsewhere = phantom.volumes[T2W].affine.copy()
    elsewhere[:3, 3] += 400
    with pytest.raises(InputError, match="T2w"):
        quick({T1W: phantom.volumes[T1W], T2W: Volume(phantom.volumes[T2W].array, elsewhere)}, registration="never")


def test_nan_voxels_are_counted(quick, phantom):
    array = phantom.volumes[T1W].array.copy()
    array[10, 10, :5] = np.nan
    with pytest.raises(InputError, match="5 voxels that are NaN"):
        quick({T1W: phantom.volumes[T1W].with_array(array)})


def test_a_z_scored_source_is_refused_by_name_and_told_from_the_others(quick, phantom):
    values, brain = phantom.volumes[T2W].array, phantom.brain_mask.array > 0
    scored = np.where(values > 0, (values - values[brain].mean()) / values[brain].std(), 0).astype(np.float32)
    with pytest.raises(InputError, match=r"^T2w is negative in \d\d% of the brain"):
        quick({T1W: phantom.volumes[T1W], T2W: phantom.volumes[T2W].with_array(scored)})


def test_a_label_map_on_another_grid_is_no_source_though_resampling_would_blur_its_labels(quick, phantom):
    labels = phantom.labels.with_array((phantom.brain_mask.array > 0).astype(np.int16) + phantom.labels.array)
    coarse = Volume(labels.array[::2, ::2, ::2], labels.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
    with pytest.raises(InputError, match=r"T2w holds only \d different values"):
        quick({T1W: phantom.volumes[T1W], T2W: coarse}, registration="never")


def test_the_slice_spacing_is_held_against_the_slices_the_model_saw(quick, phantom, monkeypatch):
    told = {}

    def listen(spacing_mm, name, *, in_plane_seen_mm, between_slices_seen_mm):
        told.update(in_plane=in_plane_seen_mm, between=between_slices_seen_mm)
        return []

    monkeypatch.setattr("MRTranslateLib.preprocessing.guard.check_spacings", listen)
    quick({T1W: phantom.volumes[T1W]})
    assert told == {"in_plane": (2.5, 3.5), "between": (2.4, 3.6)}
