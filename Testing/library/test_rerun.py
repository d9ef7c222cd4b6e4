"""A run made again from its sidecar: with which model, from which files, and against which result."""

import json
import shutil

import numpy as np
import pytest

from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, ModelError, UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.provenance import read_sidecar
from MRTranslateLib.rerun import rerun
from Testing.library.conftest import make_bundle
from Testing.library.model_examples import write_example

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W))


@pytest.fixture
def model(tmp_path):
    """A folder of a model that no store has."""
    return make_bundle(tmp_path / "elsewhere", "mine", (2.5, 3.5), 3.0).folder


@pytest.fixture
def store(tmp_path):
    return ModelStore(shipped_folder=tmp_path / "none", user_folder=tmp_path / "store")


@pytest.fixture
def done(copy_generator, phantom, model, tmp_path):
    """The folder of a finished translation of ``scans/t1.nii.gz``: ``out.nii.gz`` with its sidecar."""
    (tmp_path / "scans").mkdir()
    (tmp_path / "results").mkdir()
    write_volume(tmp_path / "scans" / "t1.nii.gz", phantom.volumes[T1W])
    output = tmp_path / "results" / "out.nii.gz"
    translate({T1W: tmp_path / "scans" / "t1.nii.gz"}, FLAIR, output=output, model=model, device="cpu", threads=1)
    return output.parent


def test_a_model_given_as_a_folder_is_found_there_again(done, model, store):
    assert read_sidecar(done / "out.json").model.folder == str(model)
    assert rerun(done / "out.json", store=store).identical


def test_a_stored_model_is_named_without_its_folder(done, model, store, tmp_path):
    shutil.copytree(model, store.user_folder / "mine")
    options = {"store": store, "device": "cpu", "threads": 1}
    result = translate({T1W: tmp_path / "scans" / "t1.nii.gz"}, FLAIR, model="mine", **options)
    assert result.provenance.model.folder is None


def test_another_model_of_that_name_in_the_store_is_not_taken_for_the_folders(done, store):
    write_example(store.user_folder, "mine", "9.9.9", seed=1)
    assert rerun(done / "out.json", store=store).result.provenance.model.version == "1.0.0"


def test_where_the_folder_has_gone_the_same_weights_in_the_store_do(done, model, store):
    store.user_folder.mkdir()
    model.rename(store.user_folder / "mine")
    assert rerun(done / "out.json", store=store).identical


def test_where_neither_is_there_the_sentence_says_how_to_name_another(done, model, store, tmp_path):
    model.rename(tmp_path / "moved")
    with pytest.raises(ModelError, match=r"out\.json was made with model mine.*name its folder \(--model\)"):
        rerun(done / "out.json", store=store)


def test_a_model_named_anew_is_the_one_used(done, model, store, tmp_path):
    moved = model.rename(tmp_path / "moved")
    assert rerun(done / "out.json", model=moved, store=store).identical
    assert main(["rerun", str(done / "out.json"), "--model", str(moved)]) == 0


def test_a_sidecar_without_a_folder_is_still_read(done, model, store):
    content = json.loads((done / "out.json").read_text())
    del content["model"]["folder"]
    (done / "out.json").write_text(json.dumps(content))
    store.user_folder.mkdir()
    shutil.copytree(model, store.user_folder / "mine")
    assert rerun(done / "out.json", store=store).identical


def altered(path):
    volume = read_volume(path)
    array = volume.array.copy()
    array[tuple(n // 2 for n in array.shape)] += 1
    write_volume(path, volume.with_array(array), overwrite=True)


def test_a_result_that_was_altered_since_is_not_called_identical(done, capsys):
    altered(done / "out.nii.gz")
    assert main(["rerun", str(done / "out.json")]) == 1
    said = capsys.readouterr().out
    assert "out.nii.gz is not what the run wrote" in said
    assert "identical" not in said


def test_a_result_that_cannot_be_read_any_more_is_altered_too(done):
    (done / "out.nii.gz").write_bytes(b"damaged")
    assert rerun(done / "out.json").altered == (done / "out.nii.gz",)


def test_an_altered_map_counts(copy_generator, attentive_bundle, done, tmp_path):
    options = {"output": done / "two.nii.gz", "attention": done / "map.nii.gz", "device": "cpu", "threads": 1}
    translate({T1W: tmp_path / "scans" / "t1.nii.gz"}, FLAIR, model=attentive_bundle.folder, **options)
    assert rerun(done / "two.json").altered == ()
    altered(done / "map.nii.gz")
    assert rerun(done / "two.json").altered == (done / "map.nii.gz",)


def test_a_result_that_lies_elsewhere_is_no_concern(done, tmp_path):
    (done / "out.nii.gz").rename(tmp_path / "out.nii.gz")
    assert rerun(done / "out.json").identical


def test_an_affine_that_the_format_rounds_is_no_alteration(copy_generator, model, phantom, tmp_path):
    # In float32 these differ in the fourth decimal from what was hashed.
    source = phantom.volumes[T1W]
    source = type(source)(source.array, source.affine + np.array([[0, 0, 0, 1000.00005]] * 3 + [[0] * 4]))
    write_volume(tmp_path / "t1.nrrd", source)
    options = {"output": tmp_path / "out.nii.gz", "model": model, "device": "cpu", "threads": 1}
    translate({T1W: tmp_path / "t1.nrrd"}, FLAIR, **options)
    assert rerun(tmp_path / "out.json").altered == ()


def test_a_right_copy_beside_the_sidecar_serves_where_the_old_place_holds_another_file(done, phantom, tmp_path):
    (tmp_path / "scans" / "t1.nii.gz").rename(done / "t1.nii.gz")
    write_volume(tmp_path / "scans" / "t1.nii.gz", phantom.volumes[T2W])
    assert rerun(done / "out.json").identical


def test_a_damaged_file_at_the_old_place_does_not_hide_the_copy_either(done, tmp_path):
    (tmp_path / "scans" / "t1.nii.gz").rename(done / "t1.nii.gz")
    (tmp_path / "scans" / "t1.nii.gz").write_bytes(b"damaged")
    assert rerun(done / "out.json").identical


def test_where_every_file_differs_the_sentence_names_them(done, phantom, tmp_path):
    for folder in (tmp_path / "scans", done):
        write_volume(folder / "t1.nii.gz", phantom.volumes[T2W], overwrite=True)
    with pytest.raises(InputError, match=r"scans/t1\.nii\.gz has changed since the run"):
        rerun(done / "out.json")


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nrrd", "../results/out.nii.gz"])
def test_the_repeated_result_does_not_take_the_place_of_the_former(done, name):
    with pytest.raises(UsageError, match=r"would take the place of what .*out\.json describes"):
        rerun(done / "out.json", output=done / name, overwrite=True)
