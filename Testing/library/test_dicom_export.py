"""A result as DICOM: in its place, in its person's study, and never to be taken for a scan."""

import json
import shutil
from collections import Counter

import msgspec
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from nibabel import orientations

from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.dicom import export as export_module
from MRTranslateLib.dicom.export import export_dicom
from MRTranslateLib.errors import InputError, MRTranslateError, UsageError
from MRTranslateLib.files import sha256_of
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.provenance import NOTICE, Provenance, content_sha256
from MRTranslateLib.volume import Volume, from_sitk, to_canonical
from Testing.library.dicom_examples import (
    clinical_series,
    edit,
    errors_by_validator,
    landmark_mm,
    needs_validator,
    oblique_volume,
    scanner_series,
    synthetic,
    write_result,
)


def small_volume() -> Volume:
    """As many slices as a case needs."""
    volume = oblique_volume()
    return Volume(volume.array[:9, :10, :4], volume.affine)


@pytest.fixture
def scan(tmp_path):
    """The folder of an acquired series."""
    clinical_series(tmp_path / "Mueller_T1", small_volume())
    return tmp_path / "Mueller_T1"


@pytest.fixture
def result(scan, tmp_path):
    """A result of that series, in other axes, as a converter makes them."""
    write_result(tmp_path / "out.nii.gz", to_canonical(synthetic(read_volume(scan))), source=scan)
    return tmp_path / "out.nii.gz"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder with ``series``, ``out.nii.gz`` and the export in ``dicom``; for tests that only look."""
    folder = tmp_path_factory.mktemp("done")
    clinical_series(folder / "series", oblique_volume())
    write_result(
        folder / "out.nii.gz", to_canonical(synthetic(read_volume(folder / "series"))), source=folder / "series"
    )
    assert export_dicom(folder / "out.nii.gz", output=folder / "dicom").warnings == ()
    return folder


def headers(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def series_by_simpleitk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return from_sitk(reader.Execute())


READERS = pytest.mark.parametrize("read", [read_volume, series_by_simpleitk])


def assert_same_voxels(volume, truth):
    """Same values at the same places, in whatever order of axes."""
    one, other = to_canonical(volume), to_canonical(truth)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    np.testing.assert_array_equal(one.array, other.array)


# --- where ------------------------------------------------------------------------------------------------------------


@READERS
def test_every_voxel_is_where_it_was(done, read):
    truth, back = read_volume(done / "out.nii.gz"), read(done / "dicom")
    np.testing.assert_allclose(landmark_mm(back), landmark_mm(truth), atol=1e-3)
    assert_same_voxels(back, truth)


def test_each_slice_has_the_very_place_of_the_acquired_one(done):
    def places(folder):
        return {
            (str(one.ImagePositionPatient), str(one.ImageOrientationPatient), str(one.PixelSpacing), one.InstanceNumber)
            for one in headers(folder)
        }

    assert places(done / "dicom") == places(done / "series")


def test_slices_scroll_the_way_of_the_acquired_ones(scan, result, tmp_path):
    for path in scan.iterdir():
        edit(path, InstanceNumber=40 - 2 * pydicom.dcmread(path).InstanceNumber)
    series = read_volume(scan)
    files = export_dicom(result, output=tmp_path / "dicom").files
    assert [path.name for path in files] == ["IM0001.dcm", "IM0002.dcm", "IM0003.dcm", "IM0004.dcm"]
    heights = [pydicom.dcmread(path).ImagePositionPatient[2] for path in files]
    acquired = sorted(headers(scan), key=lambda one: one.InstanceNumber)
    assert heights == [one.ImagePositionPatient[2] for one in acquired]
    assert series.shape[2] == len(set(heights))


THICK = {"R": (3.0, 0.9, 0.8), "A": (0.9, 3.0, 0.8), "S": (0.9, 0.8, 3.0), "none": (0.9, 0.9, 0.9)}
SHOWN = {"R": "PIR", "A": "LIP", "S": "LPS", "none": "LPS"}


@pytest.mark.parametrize("thick", THICK)
@pytest.mark.parametrize("stored", ["RAS", "SPL", "AIR"])
def test_a_result_on_another_grid_has_slices_of_its_own_as_they_are_looked_at(done, tmp_path, thick, stored):
    series = to_canonical(read_volume(done / "series"))
    affine = series.affine.copy()
    affine[:3, :3] *= np.array(THICK[thick]) / series.spacing_mm
    affine[:3, 3] += 0.3
    plain = synthetic(Volume(np.zeros((9, 10, 11)), affine))
    turn = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(stored))
    turned = affine @ orientations.inv_ornt_aff(turn, plain.shape)
    result = Volume(orientations.apply_orientation(plain.array, turn), turned)
    write_result(tmp_path / "out.nii.gz", result, source=None)
    made = export_dicom(tmp_path / "out.nii.gz", series=done / "series", output=tmp_path / "dicom")
    back = read_volume(tmp_path / "dicom")
    assert_same_voxels(back, plain)
    assert_same_voxels(series_by_simpleitk(tmp_path / "dicom"), plain)
    assert "".join(orientations.aff2axcodes(back.affine)) == SHOWN[thick]
    first, second = (pydicom.dcmread(path) for path in made.files[:2])
    columns, rows = np.reshape(first.ImageOrientationPatient, (2, 3)).astype(float)
    step = np.subtract(second.ImagePositionPatient, first.ImagePositionPatient)
    assert np.cross(columns, rows) @ step > 0
    assert "not named as its source" in made.warnings[0]
    assert "SourceImageSequence" not in pydicom.dcmread(made.files[0])


def test_a_sheared_result_is_refused(scan, tmp_path):
    grid = read_volume(scan)
    affine = grid.affine.copy()
    affine[:3, 1] += 0.005 * affine[:3, 0]
    write_result(tmp_path / "out.nii.gz", synthetic(Volume(grid.array, affine)), source=None)
    with pytest.raises(InputError, match=r"axes 0\.\d+ degrees off the right angle"):
        export_dicom(tmp_path / "out.nii.gz", series=scan, output=tmp_path / "dicom")


def test_a_result_of_another_place_is_refused(scan, tmp_path):
    grid = read_volume(scan)
    affine = grid.affine.copy()
    affine[:3, 3] += [4.5, 0, 8]
    write_result(tmp_path / "out.nii.gz", synthetic(Volume(grid.array, affine)), source=None)
    with pytest.raises(InputError, match=r"share only \d+% of their space: give the series of the same person"):
        export_dicom(tmp_path / "out.nii.gz", series=scan, output=tmp_path / "dicom")


def test_a_translation_of_a_dicom_folder_goes_back_into_its_study(copy_generator, coarse_bundle, tmp_path):
    phantom = make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(Contrast.T1W,)).volumes[Contrast.T1W]
    clinical_series(tmp_path / "series", phantom.with_array(np.round(phantom.array).astype(np.int16)))
    options = {"model": coarse_bundle.folder, "device": "cpu", "threads": 1}
    made = translate({"T1w": tmp_path / "series"}, "FLAIR", output=tmp_path / "out.nii.gz", **options)
    done = export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom")
    assert done.warnings == ()
    assert_same_voxels(read_volume(tmp_path / "dicom"), made.volume)


# --- what it says -----------------------------------------------------------------------------------------------------


SAID = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
    "Modality": "MR",
    "ImageType": ["DERIVED", "SECONDARY", "OTHER", "SYNTHETIC"],
    "SyntheticData": "YES",
    "SeriesDescription": "SYNTHETIC FLAIR from T1w, research only",
    "SeriesNumber": 301,
    "ImageComments": NOTICE,
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "Manufacturer": "MRTranslate",
    "ManufacturerModelName": "tiny 1.2.3",
    "ScanningSequence": "RM",
    "PixelRepresentation": 0,
    "WindowCenter": 500,
    "WindowWidth": 1000,
    "SpacingBetweenSlices": 3,
    "SliceThickness": 2,
}


def test_every_slice_says_that_it_is_synthetic(done):
    for one in headers(done / "dicom"):
        assert {name: one[name].value for name in SAID} == SAID
        assert "not for diagnostic use" in one.ImageComments


def test_the_derivation_names_model_version_and_weights(done):
    one = headers(done / "dicom")[0]
    for name in ("FLAIR", "T1w", "tiny 1.2.3", "a" * 64, "not for diagnostic use"):
        assert name in one.DerivationDescription
    (derivation,) = one.DerivationCodeSequence
    assert (derivation.CodeValue, derivation.CodingSchemeDesignator) == ("SYNTHESIS", "99MRTRANSLATE")
    (equipment,) = one.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert (equipment.Manufacturer, equipment.ManufacturerModelName) == ("MRTranslate", "tiny 1.2.3")
    assert equipment.SoftwareVersions == "MRTranslate 0.1.0"


def test_patient_study_and_space_are_those_of_the_series(done):
    acquired, one = headers(done / "series")[0], headers(done / "dicom")[0]
    same = "PatientName PatientID PatientBirthDate PatientSex PatientAge PatientWeight StudyInstanceUID StudyDate "
    same += "StudyTime StudyID AccessionNumber StudyDescription ReferringPhysicianName FrameOfReferenceUID "
    same += "PatientPosition BodyPartExamined SpecificCharacterSet"
    assert {name: one[name].value for name in same.split()} == {name: acquired[name].value for name in same.split()}
    assert one.SeriesInstanceUID != acquired.SeriesInstanceUID


ACQUIRED = (
    *("InversionTime", "FlipAngle", "SequenceName", "MagneticFieldStrength", "PixelBandwidth", "ContrastBolusAgent"),
    *("AcquisitionDate", "AcquisitionTime", "ProtocolName", "OperatorsName", "InstitutionName", "DeviceSerialNumber"),
)


def test_nothing_of_how_the_source_was_acquired_is_claimed(done):
    one = headers(done / "dicom")[0]
    for name in ("EchoTime", "RepetitionTime", "EchoTrainLength", "ScanOptions", "MRAcquisitionType"):
        assert one[name].is_empty
    assert not set(ACQUIRED) & {element.keyword for element in one}
    assert [element.tag for element in one if element.tag.is_private] == [0x00710010, 0x00711001]


def test_every_slice_names_every_acquired_slice_as_its_source(done):
    acquired = {one.SOPInstanceUID for one in headers(done / "series")}
    for one in headers(done / "dicom"):
        assert {item.ReferencedSOPInstanceUID for item in one.SourceImageSequence} == acquired
        purposes = {item.PurposeOfReferenceCodeSequence[0].CodeValue for item in one.SourceImageSequence}
        assert purposes == {"121322"}


def test_a_series_that_was_converted_before_is_taken_at_its_grid_and_that_is_said(scan, tmp_path):
    write_volume(tmp_path / "t1.nii.gz", to_canonical(read_volume(scan)))
    write_result(tmp_path / "out.nii.gz", synthetic(read_volume(tmp_path / "t1.nii.gz")), source=tmp_path / "t1.nii.gz")
    done = export_dicom(tmp_path / "out.nii.gz", series=scan, output=tmp_path / "dicom")
    (doubt,) = done.warnings
    assert "nothing else shows that the result was made from it: check that it is the same person's" in doubt
    assert len(pydicom.dcmread(done.files[0]).SourceImageSequence) == 4


def test_a_source_is_known_by_its_content_whatever_grid_the_result_has(scan, tmp_path):
    grid = read_volume(scan)
    write_result(tmp_path / "out.nii.gz", synthetic(Volume(grid.array[1:], grid.affine)), source=scan)
    done = export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom")
    assert done.warnings == ()
    assert len(pydicom.dcmread(done.files[0]).SourceImageSequence) == 4


def test_all_sources_that_are_dicom_are_named(scan, result, tmp_path):
    paths = clinical_series(tmp_path / "T2", small_volume(), SeriesInstanceUID="1.2.55", EchoTime=100)
    for number, path in enumerate(paths):
        edit(path, SOPInstanceUID=f"1.2.56.{number}")
    held = read_volume(tmp_path / "T2")
    content = json.loads((tmp_path / "out.json").read_text())
    file = {"path": str(tmp_path / "T2"), "sha256": content_sha256(held.array, held.affine)}
    content["sources"].append(content["sources"][0] | {"contrast": "T2w", "file": file})
    (tmp_path / "out.json").write_text(json.dumps(content))
    one = pydicom.dcmread(export_dicom(result, output=tmp_path / "dicom").files[0])
    named = {item.ReferencedSOPInstanceUID for item in one.SourceImageSequence}
    assert named == {each.SOPInstanceUID for folder in (scan, tmp_path / "T2") for each in headers(folder)}
    assert one.SeriesDescription.startswith("SYNTHETIC FLAIR from T1w+T2w")


def test_a_source_that_has_changed_since_is_not_named(scan, result, tmp_path):
    clinical_series(tmp_path / "T2", small_volume(), SeriesInstanceUID="1.2.55")
    content = json.loads((tmp_path / "out.json").read_text())
    file = {"path": str(tmp_path / "T2"), "sha256": "c" * 64}
    content["sources"].append(content["sources"][0] | {"contrast": "T2w", "file": file})
    (tmp_path / "out.json").write_text(json.dumps(content))
    assert len(pydicom.dcmread(export_dicom(result, output=tmp_path / "dicom").files[0]).SourceImageSequence) == 4


def test_private_elements_inside_a_sequence_are_left_out(scan, result, tmp_path):
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113100", "DCM", "Basic Profile"
    item.private_block(0x0029, "SCANNER", create=True).add_new(0x10, "LO", "secret")
    for path in scan.iterdir():
        edit(path, PatientIdentityRemoved="YES", DeidentificationMethodCodeSequence=[item])
    done = export_dicom(result, output=tmp_path / "dicom")
    (method,) = pydicom.dcmread(done.files[0]).DeidentificationMethodCodeSequence
    assert (method.CodeMeaning, len(method)) == ("Basic Profile", 3)
    assert b"secret" not in done.files[0].read_bytes()


def test_what_is_not_legal_is_left_empty_and_that_is_said(scan, result, tmp_path):
    for path in scan.iterdir():
        edit(path, StudyID=["A", "B"])
    done = export_dicom(result, output=tmp_path / "dicom")
    assert pydicom.dcmread(done.files[0]).StudyID == ""
    assert done.warnings == ("the series' Study ID is not legal in DICOM and was left empty",)


def test_what_was_lossy_stays_lossy(scan, result, tmp_path):
    for path in scan.iterdir():
        edit(path, LossyImageCompression="01", LossyImageCompressionRatio="10")
    one = pydicom.dcmread(export_dicom(result, output=tmp_path / "dicom").files[0])
    assert one.LossyImageCompression == "01"


def test_the_content_is_as_old_as_the_run_by_the_clock_of_the_series(scan, result, tmp_path):
    for path in scan.iterdir():
        edit(path, TimezoneOffsetFromUTC="+0100")
    one = pydicom.dcmread(export_dicom(result, output=tmp_path / "dicom").files[0])
    assert (one.ContentDate, one.ContentTime, one.TimezoneOffsetFromUTC) == ("20261122", "003000", "+0100")


# --- the provenance ---------------------------------------------------------------------------------------------------


def test_the_whole_record_goes_in_and_is_still_a_record(done):
    one = headers(done / "dicom")[0]
    text = one.private_block(0x0071, "MRTRANSLATE")[0x01].value
    written = msgspec.json.decode((done / "out.json").read_bytes(), type=Provenance)
    carried = msgspec.json.decode(text, type=Provenance)
    assert carried.output.sha256 == written.output.sha256
    assert carried.sources[0].file.sha256 == written.sources[0].file.sha256
    assert carried.parameters == written.parameters
    assert carried.warnings == ("T1w is odd",)


def test_no_name_of_a_file_or_folder_leaves_the_house(scan, result, tmp_path):
    for path in export_dicom(result, output=tmp_path / "dicom").files:
        content = path.read_bytes()
        for name in (scan.name, tmp_path.name, "out.nii.gz", "/home/doctor"):
            assert name.encode() not in content


# --- UIDs -------------------------------------------------------------------------------------------------------------


def test_the_same_result_twice_is_the_same_files(result, tmp_path):
    first, second = (export_dicom(result, output=tmp_path / name).files for name in ("one", "two"))
    assert [sha256_of(path) for path in first] == [sha256_of(path) for path in second]


def uids(done):
    return {pydicom.dcmread(path).SOPInstanceUID for path in done.files} | {done.series_uid}


def test_another_series_number_person_or_run_has_other_uids(scan, result, tmp_path):
    made = [export_dicom(result, output=tmp_path / "1"), export_dicom(result, output=tmp_path / "2", series_number=400)]
    content = json.loads((tmp_path / "out.json").read_text())
    (tmp_path / "out.json").write_text(json.dumps(content | {"created": "2026-11-22T00:00:00+00:00"}))
    made.append(export_dicom(result, output=tmp_path / "3"))
    for path in scan.iterdir():
        edit(path, PatientID="P-0816")
    made.append(export_dicom(result, output=tmp_path / "4"))
    assert len(set().union(*map(uids, made))) == 4 * 5


# --- characters -------------------------------------------------------------------------------------------------------


NAMES = {
    "ISO_IR 100": "Müller^Jürgen",
    "ISO_IR 192": "Ångström^Zoë=王^小東",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ("ISO 2022 IR 6", "ISO 2022 IR 149"): "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO_IR 144": "Ивaнoв^Ивaн",
}


@needs_validator
@pytest.mark.parametrize("terms", NAMES)
def test_a_name_keeps_its_bytes(scan, result, tmp_path, terms):
    for path in scan.iterdir():
        edit(path, SpecificCharacterSet=terms if isinstance(terms, str) else list(terms), PatientName=NAMES[terms])
    done = export_dicom(result, output=tmp_path / "dicom")
    acquired, one = (pydicom.dcmread(path) for path in (next(scan.iterdir()), done.files[0]))
    assert one.get_item("PatientName").value == acquired.get_item("PatientName").value
    assert str(one.PatientName) == NAMES[terms]
    assert errors_by_validator(done.files[0]) == []


@needs_validator
def test_a_name_in_no_declared_characters_keeps_its_bytes_too_and_that_is_said(scan, result, tmp_path):
    raw = "Müller^Jürgen".encode("latin-1") + b" "
    for path in scan.iterdir():
        one = pydicom.dcmread(path)
        del one.SpecificCharacterSet
        one.PatientName = "Müller^Jürgen"
        one.save_as(path)
    done = export_dicom(result, output=tmp_path / "dicom")
    assert pydicom.dcmread(done.files[0]).get_item("PatientName").value.strip() == raw.strip()
    assert errors_by_validator(done.files[0]) == []
    assert any("check the patient's name" in text for text in done.warnings)


# --- the validator ----------------------------------------------------------------------------------------------------


@needs_validator
def test_every_slice_is_valid(done):
    for path in (done / "dicom").iterdir():
        assert errors_by_validator(path) == []


@needs_validator
def test_slices_are_valid_where_the_series_says_hardly_anything(tmp_path):
    scanner_series(tmp_path / "series", small_volume())
    write_result(tmp_path / "out.nii.gz", synthetic(read_volume(tmp_path / "series")), source=tmp_path / "series")
    done = export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom")
    for path in done.files:
        assert errors_by_validator(path) == []
    assert [text.partition(",")[0].partition(":")[0] for text in done.warnings] == [
        "the series has no Patient ID",
        "the series has no Frame of Reference UID",
    ]


@needs_validator
def test_slices_of_a_result_on_its_own_grid_and_of_a_nameless_person_are_valid(scan, tmp_path):
    for path in scan.iterdir():
        edit(path, PatientIdentityRemoved="YES", PatientName="", PatientID="anon", BodyPartExamined="KNEE")
    grid = to_canonical(read_volume(scan))
    write_result(tmp_path / "out.nii.gz", synthetic(Volume(grid.array[:, 1:], grid.affine)), source=None)
    done = export_dicom(tmp_path / "out.nii.gz", series=scan, output=tmp_path / "dicom")
    for path in done.files:
        assert errors_by_validator(path) == []


def test_without_a_frame_of_reference_the_result_has_one_of_its_own(scan, result, tmp_path):
    for path in scan.iterdir():
        edit(path, FrameOfReferenceUID="")
    done = export_dicom(result, output=tmp_path / "dicom")
    (uid,) = {one.FrameOfReferenceUID for one in headers(tmp_path / "dicom")}
    assert uid.startswith("2.25.")
    assert "no Frame of Reference UID, so the result has one of its own" in done.warnings[0]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_result_without_sidecar_is_refused(result, tmp_path):
    (tmp_path / "out.json").unlink()
    with pytest.raises(InputError, match=r"out\.nii\.gz has no sidecar out\.json beside it"):
        export_dicom(result, output=tmp_path / "dicom")


def test_a_result_altered_since_is_refused(result, tmp_path):
    volume = read_volume(result)
    array = volume.array.copy()
    array[0, 0, 0] += 1
    write_volume(result, volume.with_array(array), overwrite=True)
    with pytest.raises(InputError, match=r"out\.nii\.gz is not what out\.json describes, it was altered"):
        export_dicom(result, output=tmp_path / "dicom")


def test_a_result_moved_since_is_refused(result, tmp_path):
    volume = read_volume(result)
    write_volume(result, Volume(volume.array, volume.affine + 0.001 * np.eye(4, k=3)), overwrite=True)
    with pytest.raises(InputError, match=r"is not what out\.json describes"):
        export_dicom(result, output=tmp_path / "dicom")


@pytest.mark.parametrize("seed", range(6))
def test_a_result_is_known_again_although_its_format_keeps_less_of_the_grid(tmp_path, seed):
    rng = np.random.default_rng(seed)
    grid = small_volume()
    affine = grid.affine.copy()
    # Between two numbers of four decimals, closer than float32 tells them apart.
    affine[:3, 3] = np.round(rng.uniform(-200, 200, 3), 4) + 5e-5 + rng.uniform(-2e-6, 2e-6, 3)
    series = Volume(grid.array, affine)
    clinical_series(tmp_path / "series", series)
    write_result(tmp_path / "out.nii.gz", synthetic(series), source=None)
    assert export_dicom(tmp_path / "out.nii.gz", series=tmp_path / "series", output=tmp_path / "dicom").files


def test_values_that_no_result_has_are_refused(scan, tmp_path):
    grid = synthetic(read_volume(scan))
    grid.array[1, 1, 1] = -3
    write_result(tmp_path / "out.nii.gz", grid, source=scan)
    with pytest.raises(InputError, match="the result holds int16 values from -3 to 1000"):
        export_dicom(tmp_path / "out.nii.gz", output=tmp_path / "dicom")


DAMAGES = {
    "is a folder without DICOM images": lambda path: path.unlink(),
    "is CT Image Storage of modality CT, not an MR image": lambda path: edit(
        path, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT"
    ),
    "is CT Image Storage of modality MR": lambda path: edit(path, SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    "is MR Image Storage of modality PT": lambda path: edit(path, Modality="PT"),
    "is a multi-frame DICOM image": lambda path: edit(path, NumberOfFrames=2),
    "has no legal Study Instance UID": lambda path: edit(path, StudyInstanceUID=""),
    "has no legal SOP Class UID": lambda path: edit(path, SOPClassUID=None),
    "with one SOP Instance UID": lambda path: edit(path, SOPInstanceUID="1.2.3.9"),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_series_that_does_not_do_is_refused(scan, result, tmp_path, message):
    for path in scan.iterdir():
        DAMAGES[message](path)
    with pytest.raises(InputError, match=message):
        export_dicom(result, series=scan, output=tmp_path / "dicom")
    assert not (tmp_path / "dicom").exists()


SLICE_DAMAGES = {
    "holds 2 DICOM series": {"SeriesInstanceUID": "1.2.6"},
    "has slices with 2 different values of Patient ID": {"PatientID": "P-2"},
    "has slices with 2 different values of Study Instance UID": {"StudyInstanceUID": "1.2.99"},
}


@pytest.mark.parametrize("message", SLICE_DAMAGES)
def test_a_mixed_series_is_refused(scan, result, tmp_path, message):
    edit(scan / "001.dcm", **SLICE_DAMAGES[message])
    with pytest.raises(InputError, match=message):
        export_dicom(result, series=scan, output=tmp_path / "dicom")


def test_a_series_with_a_gap_is_refused(scan, result, tmp_path):
    edit(scan / "001.dcm", ImagePositionPatient=[0, 0, 0])
    with pytest.raises(InputError, match="mm apart"):
        export_dicom(result, series=scan, output=tmp_path / "dicom")


def test_a_further_source_of_another_patient_is_refused(scan, tmp_path):
    clinical_series(tmp_path / "other", small_volume(), PatientID="P-2", SeriesInstanceUID="1.2.55")
    write_result(tmp_path / "out.nii.gz", synthetic(read_volume(scan)), source=tmp_path / "other")
    with pytest.raises(InputError, match="has another Patient ID"):
        export_dicom(tmp_path / "out.nii.gz", series=scan, output=tmp_path / "dicom")


@pytest.mark.parametrize("missing", [None, "gone", "t1.nii.gz"])
def test_without_a_dicom_source_a_series_is_asked_for(scan, result, tmp_path, missing):
    content = json.loads((tmp_path / "out.json").read_text())
    content["sources"][0]["file"]["path"] = missing and str(tmp_path / missing)
    (tmp_path / "out.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"name the folder of an acquired series of the same person \(--series\)"):
        export_dicom(result, output=tmp_path / "dicom")


@pytest.mark.parametrize("number", [299, 0, 2**31])
def test_a_series_number_of_the_scanners_is_refused(result, tmp_path, number):
    with pytest.raises(UsageError, match=f"series number {number} is not within 300"):
        export_dicom(result, output=tmp_path / "dicom", series_number=number)


@pytest.mark.parametrize(
    ("version", "message"), [(None, "pydicom is missing"), ("2.4.4", r"pydicom 2\.4\.4 is too old")]
)
def test_a_missing_package_is_named_with_the_remedy(result, tmp_path, monkeypatch, version, message):
    def installed(name):
        if version is None:
            raise export_module.require_package.__globals__["metadata"].PackageNotFoundError(name)
        return version

    monkeypatch.setattr("MRTranslateLib.dicom.packages.metadata.version", installed)
    with pytest.raises(MRTranslateError, match=message + r".*: install what DICOM needs \(pip install 'pydicom>=3'"):
        export_dicom(result, output=tmp_path / "dicom")


@needs_validator
def test_a_random_corpus_of_damaged_headers_gives_valid_files_or_a_sentence(scan, result, tmp_path):
    outcomes = Counter(damaged_export(scan, result, tmp_path / str(seed), seed) for seed in range(30))
    assert min(outcomes["valid"], outcomes["refused"]) > 5


TEXTS = [
    "",
    "A\\B",
    "x" * 80,
    "\x1b$B;3ED",
    "Ü",
    "日本",
    "19991399",
    "1.2.9",
    "-1",
    "1e400",
    "nan",
    "YES",
    " ",
    "\x00\x01",
]
VRS = ["UN", "OB", "LO", "CS", "UI", "DS", "IS", "PN", "UT", "DA"]
SETS = ["ISO_IR 192", "ISO_IR 999", "ISO 2022 IR 87", ["", "ISO 2022 IR 87"], "ISO-IR 100", "GB18030", ""]


def damaged_export(scan, result, folder, seed):
    """``valid`` or ``refused``, of a copy of a series with one to three elements damaged."""
    rng = np.random.default_rng(seed)
    shutil.copytree(scan, folder / "series")
    files = sorted((folder / "series").iterdir())
    tags = [element.tag for element in pydicom.dcmread(files[0]) if element.keyword != "PixelData"]
    damages = [(tags[rng.integers(len(tags))], int(rng.integers(1 << 30))) for _ in range(rng.integers(1, 4))]
    for path in files if rng.random() < 0.6 else files[:1]:
        with pydicom.config.disable_value_validation(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *args, **kwargs: None)
            header = pydicom.dcmread(path)
            for tag, damage in damages:
                damage_element(header, tag, np.random.default_rng(damage))
            header.save_as(path)
    try:
        done = export_dicom(result, series=folder / "series", output=folder / "dicom")
    except MRTranslateError:
        assert [path.name for path in folder.iterdir()] == ["series"]
        return "refused"
    assert str(pydicom.dcmread(done.files[0]))
    # A study's UID is taken over whatever its root: any other one would be another study.
    assert [line for line in errors_by_validator(done.files[0]) if "Illegal root for UID" not in line] == []
    return "valid"


def damage_element(header, tag, rng):
    vr = VRS[rng.integers(len(VRS))]
    text = TEXTS[rng.integers(len(TEXTS))]
    kind = rng.integers(6)
    if kind == 0:
        header.pop(tag, None)
    elif kind == 1:
        header.SpecificCharacterSet = SETS[rng.integers(len(SETS))]
    elif kind == 2:
        header.add(pydicom.DataElement(tag, "LO", text))
    elif kind == 3:
        header.add(pydicom.DataElement(tag, *[("US", 5), ("FD", 1.5), ("SQ", [pydicom.Dataset()])][rng.integers(3)]))
    else:
        raw = rng.bytes(2 * int(rng.integers(0, 30))) if kind == 4 else text.encode()
        raw += b" " * (len(raw) % 2)
        header.add(pydicom.dataelem.RawDataElement(tag, vr, len(raw), raw, 0, False, True))


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_files_is_kept(result, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="dicom holds files and is kept: give a new or an empty folder"):
        export_dicom(result, output=tmp_path / "dicom")
    assert [path.name for path in (tmp_path / "dicom").iterdir()] == ["mine.txt"]
    with pytest.raises(UsageError):  # before any work
        export_dicom(tmp_path / "nowhere.nii.gz", output=tmp_path / "dicom")


def test_an_empty_folder_is_filled(result, tmp_path):
    (tmp_path / "dicom").mkdir()
    assert len(list(export_dicom(result, output=tmp_path / "dicom").files[0].parent.iterdir())) == 4


def test_the_folder_of_the_series_gets_nothing(scan, result):
    with pytest.raises(UsageError, match="lies in the folder of the acquired series"):
        export_dicom(result, output=scan / "dicom")


@pytest.mark.parametrize(
    ("name", "message"), [("out.nii.gz", "is no folder"), ("gone/dicom", "the folder that it lies in does not exist")]
)
def test_a_name_that_is_no_new_folder_is_refused(result, tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        export_dicom(result, output=tmp_path / name)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_fails_or_is_cancelled_leaves_nothing(result, tmp_path, monkeypatch, error):
    written = []

    def fail_late(path, content):
        if len(written) == 2:
            raise error
        path.write_bytes(content)
        written.append(path)

    monkeypatch.setattr(export_module, "_write", fail_late)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((MRTranslateError, KeyboardInterrupt)) as raised:
        export_dicom(result, output=tmp_path / "dicom")
    assert sorted(tmp_path.iterdir()) == before
    if isinstance(error, OSError):
        assert "no space left on device" in str(raised.value)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_and_says_where(result, tmp_path, capsys):
    assert main(["dicom", "export", str(result), "--output", str(tmp_path / "dicom"), "--series-number", "310"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"4 DICOM files in {tmp_path / 'dicom'}; Series Instance UID 2.25.")
    assert {one.SeriesNumber for one in headers(tmp_path / "dicom")} == {310}


def test_the_command_speaks_json(result, tmp_path, capsys):
    assert main(["dicom", "export", str(result), "--output", str(tmp_path / "dicom"), "--json"]) == 0
    event = json.loads(capsys.readouterr().out)
    assert [path.rpartition("/")[2] for path in event["files"]] == [f"IM000{n}.dcm" for n in (1, 2, 3, 4)]
    assert event["series_uid"] == headers(tmp_path / "dicom")[0].SeriesInstanceUID


def test_the_command_refuses_with_one_sentence_and_its_code(result, tmp_path, capsys):
    arguments = ["dicom", "export", str(result), "--output", str(tmp_path / "dicom")]
    assert main([*arguments, "--series-number", "5"]) == 2
    assert main([*arguments, "--series", str(tmp_path / "nowhere")]) == 3
    assert capsys.readouterr().err.count("\n") == 2
