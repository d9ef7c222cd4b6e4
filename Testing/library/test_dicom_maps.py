"""The maps of a result as DICOM parametric maps, judged by highdicom's reader and a validator."""

import highdicom
import numpy as np
import pydicom
import pytest

from MRTranslateLib.dicom.export import export_dicom
from MRTranslateLib.errors import InputError, MRTranslateError
from MRTranslateLib.files import sha256_of
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.volume import RAS_TO_LPS, Volume, to_canonical
from Testing.library.dicom_examples import (
    clinical_series,
    errors_by_validator,
    needs_validator,
    oblique_volume,
    synthetic,
    write_result,
)

NAMES = pytest.mark.parametrize("name", ["attention", "uncertainty"])


def export_with_maps(folder, output):
    maps = {name: folder / f"{name}.nii.gz" for name in ("attention", "uncertainty")}
    return export_dicom(folder / "out.nii.gz", series=folder / "series", output=folder / output, **maps)


def make_result(folder, *, own_grid=False):
    """Series, result and maps in a folder."""
    clinical_series(folder / "series", oblique_volume())
    grid = to_canonical(read_volume(folder / "series"))
    if own_grid:
        grid = Volume(grid.array[:, 2:], grid.affine)
    write_result(folder / "out.nii.gz", synthetic(grid), source=None if own_grid else folder / "series", maps=True)
    return folder


@pytest.fixture(scope="module", params=["the grid of the series", "another grid"])
def done(request, tmp_path_factory):
    """Folder with ``series``, the result and maps, and the export in ``dicom``."""
    folder = make_result(tmp_path_factory.mktemp("maps"), own_grid=request.param == "another grid")
    export_with_maps(folder, "dicom")
    return folder


@NAMES
@needs_validator
def test_a_map_is_valid(done, name):
    assert errors_by_validator(done / "dicom" / "maps" / f"{name}.dcm") == []


@NAMES
def test_highdicom_reads_every_value_at_its_place(done, name):
    read = highdicom.imread(done / "dicom" / "maps" / f"{name}.dcm").get_volume()
    back = to_canonical(Volume(read.array, RAS_TO_LPS @ read.affine))
    truth = to_canonical(read_volume(done / f"{name}.nii.gz"))
    np.testing.assert_allclose(back.affine, truth.affine, atol=1e-4)
    np.testing.assert_array_equal(back.array, truth.array)


QUANTITIES = {"attention": ("130404", "DCM"), "uncertainty": ("HALFWIDTH90", "99MRTRANSLATE")}


@NAMES
def test_the_quantity_is_coded_and_has_no_units(done, name):
    one = pydicom.dcmread(done / "dicom" / "maps" / f"{name}.dcm")
    (mapping,) = one.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    (quantity,) = mapping.QuantityDefinitionSequence
    concept = quantity.ConceptCodeSequence[0]
    assert (concept.CodeValue, concept.CodingSchemeDesignator) == QUANTITIES[name]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)


@NAMES
def test_a_map_says_what_it_is(done, name):
    one = pydicom.dcmread(done / "dicom" / "maps" / f"{name}.dcm")
    assert one.SOPClassUID == "1.2.840.10008.5.1.4.1.1.30"
    assert one.SeriesDescription == f"SYNTHETIC FLAIR from T1w, research only: {name}"
    assert one.ImageType[0] == "DERIVED"
    assert (one.SyntheticData, one.ContentQualification, one.BurnedInAnnotation) == ("YES", "RESEARCH", "NO")
    assert "not for diagnostic use. 0 is as good as it gets" in one.ImageComments
    assert len(one.ContributingEquipmentSequence) == 1
    assert '"schema_version":1' in one.private_block(0x0071, "MRTRANSLATE")[0x01].value


def test_each_map_is_a_series_beside_the_slices(done):
    slices = pydicom.dcmread(done / "dicom" / "IM0001.dcm")
    maps = [pydicom.dcmread(done / "dicom" / "maps" / f"{name}.dcm") for name in ("attention", "uncertainty")]
    assert [one.SeriesNumber for one in (slices, *maps)] == [301, 302, 303]
    assert len({one.SeriesInstanceUID for one in (slices, *maps)}) == 3
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "ContentDate", "ContentTime"):
        assert {one[name].value for one in maps} == {slices[name].value}


def test_each_frame_names_the_synthetic_slice_that_it_judges(done):
    one = pydicom.dcmread(done / "dicom" / "maps" / "attention.dcm")
    slices = {str(each.SOPInstanceUID): each for each in map(pydicom.dcmread, (done / "dicom").glob("*.dcm"))}
    for frame in one.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        place = slices.pop(source.ReferencedSOPInstanceUID).ImagePositionPatient
        np.testing.assert_allclose(frame.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-6)
    assert not slices


def test_the_slices_beside_maps_are_still_one_series_for_a_reader(done):
    truth = to_canonical(read_volume(done / "out.nii.gz"))
    np.testing.assert_array_equal(to_canonical(read_volume(done / "dicom")).array, truth.array)


def test_the_same_maps_twice_are_the_same_files(done):
    first = done / "dicom" / "maps"
    export_with_maps(done, "again")
    for path in first.iterdir():
        assert sha256_of(path) == sha256_of(done / "again" / "maps" / path.name)


@needs_validator
def test_a_flat_map_is_valid(tmp_path):
    make_result(tmp_path)
    result = read_volume(tmp_path / "out.nii.gz")
    flat = result.with_array(np.zeros(result.shape, np.float32))
    sidecar = tmp_path / "out.json"
    former = read_volume(tmp_path / "attention.nii.gz")
    write_volume(tmp_path / "attention.nii.gz", flat, overwrite=True)
    exchange_hash(sidecar, former, flat)
    done = export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom", attention=tmp_path / "attention.nii.gz")
    assert errors_by_validator(done.files[-1]) == []


def exchange_hash(sidecar, former, volume):
    from MRTranslateLib.provenance import content_sha256

    old, new = (content_sha256(one.array, one.affine) for one in (former, volume))
    text = sidecar.read_text()
    assert old in text
    sidecar.write_text(text.replace(old, new))


def test_a_map_of_another_run_is_refused(tmp_path):
    make_result(tmp_path)
    with pytest.raises(InputError, match=r"uncertainty\.nii\.gz is not what the result's sidecar describes"):
        export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom", attention=tmp_path / "uncertainty.nii.gz")


def test_a_map_of_a_result_that_was_made_without_is_refused(tmp_path):
    make_result(tmp_path)
    write_result(tmp_path / "two.nii.gz", read_volume(tmp_path / "out.nii.gz"), source=tmp_path / "series")
    with pytest.raises(InputError, match="was made without attention map: leave it out"):
        export_dicom(tmp_path / "two.nii.gz", output=tmp_path / "dicom", attention=tmp_path / "attention.nii.gz")


def test_only_maps_need_highdicom(tmp_path, monkeypatch):
    make_result(tmp_path)
    from importlib import metadata

    truth = metadata.version

    def installed(name):
        if name == "highdicom":
            raise metadata.PackageNotFoundError(name)
        return truth(name)

    monkeypatch.setattr(metadata, "version", installed)
    with pytest.raises(MRTranslateError, match="the Python package highdicom is missing: install"):
        export_with_maps(tmp_path, "dicom")
    assert export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom").files
