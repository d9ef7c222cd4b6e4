from __future__ import annotations

import msgspec
import numpy as np
import pytest
from PIL import Image

from MRTranslateLib import demo
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.io import read_mask, read_volume
from MRTranslateLib.metrics.files import evaluate_files
from MRTranslateLib.metrics.regions import Report
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.provenance import read_sidecar
from MRTranslateLib.volume import same_grid

NAMES = {
    "phantom_T1w.nii.gz",
    "phantom_T2w.nii.gz",
    "phantom_FLAIR.nii.gz",
    "phantom_lesion.nii.gz",
    "synthetic_FLAIR.nii.gz",
    "synthetic_FLAIR.json",
    "metrics.json",
    "comparison.png",
}


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(demo.SEED, grid=brain_grid((3, 3, 3)), contrasts=(*demo.SOURCES, demo.TARGET))


@pytest.fixture
def run(copy_generator, coarse_bundle, phantom, monkeypatch):
    """The demo at 3 mm with the model that gives the mean of the sources."""
    monkeypatch.setattr(demo, "make_phantom", lambda seed, contrasts: phantom)
    return lambda folder, **options: demo.run_demo(folder, model=str(coarse_bundle.folder), **options)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_everything_promised_is_written_and_nothing_else(run, tmp_path):
    result = run(tmp_path / "new" / "demo")
    assert {path.name for path in (tmp_path / "new" / "demo").iterdir()} == NAMES
    assert set(result.files) == {tmp_path / "new" / "demo" / name for name in NAMES}


def test_the_metrics_file_holds_what_evaluating_the_files_gives(run, tmp_path):
    result = run(tmp_path)
    stored = msgspec.json.decode((tmp_path / "metrics.json").read_bytes(), type=Report)
    assert stored == result.report
    again = evaluate_files(
        tmp_path / "synthetic_FLAIR.nii.gz",
        tmp_path / "phantom_FLAIR.nii.gz",
        lesion_mask=tmp_path / "phantom_lesion.nii.gz",
    )
    assert again.lesion.psnr == pytest.approx(stored.lesion.psnr, abs=1e-3)


def test_the_synthetic_was_made_of_t1w_and_t2w_and_lies_on_their_grid(run, tmp_path):
    run(tmp_path)
    sidecar = read_sidecar(tmp_path / "synthetic_FLAIR.json")
    assert sidecar.target is Contrast.FLAIR
    assert [source.contrast for source in sidecar.sources] == [Contrast.T1W, Contrast.T2W]
    assert [source.file.path for source in sidecar.sources] == [
        str(tmp_path / "phantom_T1w.nii.gz"),
        str(tmp_path / "phantom_T2w.nii.gz"),
    ]
    assert same_grid(read_volume(tmp_path / "synthetic_FLAIR.nii.gz"), read_volume(tmp_path / "phantom_T1w.nii.gz"))


def test_the_phantom_has_a_lesion(run, tmp_path):
    run(tmp_path)
    assert set(np.unique(read_mask(tmp_path / "phantom_lesion.nii.gz").array)) == {0, 1, 2, 3}


def test_the_picture_opens_and_has_five_columns(run, tmp_path):
    run(tmp_path)
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture).astype(int)
    titles = (pixels[:30].min(axis=2) > 150).any(axis=0)
    middles = [round((number + 0.5) * pixels.shape[1] / 5) for number in range(5)]
    assert all(titles[middle - 60 : middle + 60].any() for middle in middles)
    axial = pixels[40:200]
    assert (axial[..., 0] - axial[..., 2]).max() > 50  # heat-map colours


@pytest.mark.parametrize("name", sorted(NAMES))
def test_any_existing_file_is_refused_before_anything_is_written(run, tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match=rf"{name} exists"):
        run(tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


def test_overwriting_replaces_an_earlier_demo_with_the_same(run, tmp_path):
    run(tmp_path)
    first = contents(tmp_path)
    (tmp_path / "metrics.json").write_text("old")
    run(tmp_path, overwrite=True)
    second = contents(tmp_path)
    assert second.keys() == first.keys()
    assert second["metrics.json"] == first["metrics.json"]
    assert second["comparison.png"] == first["comparison.png"]


def test_a_folder_that_is_a_file_is_refused(run, tmp_path):
    (tmp_path / "demo").write_text("a file")
    with pytest.raises(UsageError, match="cannot make the folder"):
        run(tmp_path / "demo")
