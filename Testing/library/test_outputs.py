"""Where a run may write: not twice into one file, not over what it reads, and everything or nothing."""

import os

import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import MRTranslateError, UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom
from Testing.damaged_inputs import write_dicom_series
from Testing.library.robustness_examples import run_small

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W, FLAIR))


@pytest.fixture
def scans(phantom, tmp_path):
    """A folder with a T1w, a brain mask, an empty folder and a link to the folder itself."""
    write_volume(tmp_path / "t1.nii.gz", phantom.volumes[T1W])
    write_volume(tmp_path / "brain.nii.gz", phantom.brain_mask)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    return tmp_path


@pytest.fixture
def run(copy_generator, attentive_bundle, scans):
    def call(output="out.nii.gz", **options):
        options = {"brain_mask": scans / "brain.nii.gz", "model": attentive_bundle.folder, **options}
        return translate({T1W: scans / "t1.nii.gz"}, FLAIR, output=scans / output, device="cpu", threads=1, **options)

    return call


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("way", ["link/out.nrrd", "empty/../out.nrrd"])
def test_a_map_by_another_way_to_the_results_place_is_refused(run, scans, way):
    with pytest.raises(UsageError, match="would have the same sidecar"):
        run(attention=scans / way)


@pytest.mark.parametrize("name", ["link/out.json", "link/t1.json"])
def test_a_report_by_another_way_to_a_sidecar_is_refused(run, scans, name):
    with pytest.raises(UsageError, match="will be the sidecar of"):
        run(report=scans / name, attention=scans / "t1.nrrd")


@pytest.mark.parametrize("name", ["t1.nii.gz", "link/t1.nii.gz", "brain.nii.gz"])
@pytest.mark.parametrize("option", ["output", "attention", "uncertainty"])
def test_what_a_run_reads_is_never_overwritten(run, scans, name, option):
    before = (scans / name).read_bytes()
    with pytest.raises(UsageError, match=r"is the file of the (T1w|brain mask): choose another name"):
        run(overwrite=True, **{option: scans / name})
    assert (scans / name).read_bytes() == before


def test_a_report_into_a_dicom_folder_of_the_run_is_refused(run, scans):
    write_dicom_series(scans / "series", read_volume(scans / "t1.nii.gz").array.astype("int16"))
    with pytest.raises(UsageError, match="lies in the DICOM folder of the lesion mask"):
        run(report=scans / "series" / "page.html", lesion_mask=scans / "series")


@pytest.mark.parametrize("option", ["output", "attention", "report"])
def test_nothing_is_written_into_the_folder_of_a_model(run, attentive_bundle, option):
    name = "out.html" if option == "report" else "out.nii.gz"
    with pytest.raises(UsageError, match="lies in the folder of the model"):
        run(**{option: attentive_bundle.folder / name})


def test_a_failure_while_files_are_put_in_place_leaves_none(run, scans, monkeypatch):
    replace = os.replace
    before = left(scans)

    def failing(source, final):
        if str(final).endswith("map.nii.gz"):
            raise OSError(28, "No space left on device")
        replace(source, final)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(MRTranslateError, match="cannot finish writing"):
        run(attention=scans / "map.nii.gz", report=scans / "page.html")
    assert left(scans) == before


def test_robustness_does_not_clear_away_a_source_in_its_folder(copy_generator, coarse_bundle, scans):
    (scans / "run" / "cells").mkdir(parents=True)
    source = scans / "run" / "cells" / "blur_level1_clean.nii.gz"
    (scans / "t1.nii.gz").rename(source)
    with pytest.raises(UsageError, match="is cleared by a run and holds the reference"):
        run_small(coarse_bundle.folder, scans / "link" / "run", overwrite=True, reference=source)
    assert source.exists()


def test_robustness_does_not_write_into_a_dicom_folder_it_reads(copy_generator, coarse_bundle, scans):
    write_dicom_series(scans / "series", read_volume(scans / "t1.nii.gz").array.astype("int16"))
    with pytest.raises(UsageError, match="lies in the DICOM folder of the reference"):
        run_small(coarse_bundle.folder, scans / "series", reference=scans / "series")
