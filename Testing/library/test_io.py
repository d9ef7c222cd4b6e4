from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.formats.dicom_elements import check_lengths
from MRTranslateLib.formats.dicom_series import read_dicom_series
from MRTranslateLib.io import WRITABLE_EXTENSIONS, read_mask, read_volume, write_volume
from MRTranslateLib.volume import Volume, from_sitk, same_grid
from Testing.damaged_inputs import KINDS, damaged_inputs, remove_damaged_inputs, write_dicom_series
from Testing.library.dicom_examples import LANDMARK, edit, landmark_mm, oblique_volume, scanner_series

ROOT = Path(__file__).resolve().parents[2]


# --- the grid and the values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_a_landmark_keeps_its_place_through_each_format(tmp_path, extension):
    volume = oblique_volume()
    write_volume(tmp_path / f"v{extension}", volume)
    back = read_volume(tmp_path / f"v{extension}")
    np.testing.assert_allclose(landmark_mm(back), landmark_mm(volume), atol=1e-4)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-5)
    np.testing.assert_array_equal(back.array, volume.array)


@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_simpleitk_finds_the_landmark_of_our_files_at_the_same_place(tmp_path, extension):
    volume = oblique_volume()
    write_volume(tmp_path / f"v{extension}", volume)
    image = sitk.ReadImage(str(tmp_path / f"v{extension}"))
    lps = image.TransformIndexToPhysicalPoint(LANDMARK)
    np.testing.assert_allclose([-lps[0], -lps[1], lps[2]], landmark_mm(volume), atol=1e-4)
    assert image[LANDMARK] == 120


@pytest.mark.parametrize("extension", [*WRITABLE_EXTENSIONS, ".nhdr", ".mhd", ".hdr", ".img"])
@pytest.mark.parametrize("compress", [True, False])
def test_files_of_simpleitk_read_as_simpleitk_reads_them(tmp_path, extension, compress):
    image = sitk.GetImageFromArray(oblique_volume().array.transpose(2, 1, 0))
    image.SetSpacing((0.9, 0.8, 3.0))
    image.SetDirection(sitk.VersorTransform((0.2, 0.5, 0.1), 0.7).GetMatrix())
    image.SetOrigin((-80.5, 33.25, 12.125))
    path = tmp_path / f"v{extension}"
    sitk.WriteImage(image, str(path), useCompression=compress and extension not in (".hdr", ".img"))
    truth = from_sitk(sitk.ReadImage(str(path)))
    volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-4)
    np.testing.assert_array_equal(volume.array, truth.array)


def test_our_nifti_has_sform_and_qform_of_the_scanner(tmp_path):
    volume = oblique_volume()
    write_volume(tmp_path / "v.nii.gz", volume)
    header = nib.load(tmp_path / "v.nii.gz").header
    for affine, code in (header.get_sform(coded=True), header.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(affine, volume.affine, atol=1e-4)
    assert header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_one_form_alone_gives_the_place_nibabel_gives(tmp_path, form, kind):
    volume = oblique_volume()
    image = kind(volume.array, volume.affine)
    image.set_sform(volume.affine, 1 if form == "sform" else 0)
    image.set_qform(volume.affine, 1 if form == "qform" else 0)
    nib.save(image, tmp_path / "v.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "v.nii").affine, nib.load(tmp_path / "v.nii").affine, atol=1e-5)


def test_without_any_form_the_place_is_that_of_itk_and_slicer(tmp_path):
    image = nib.Nifti1Image(oblique_volume().array, None)
    image.header["pixdim"][1:4] = [0.9, 0.8, 3.0]
    nib.save(image, tmp_path / "v.nii")
    truth = from_sitk(sitk.ReadImage(str(tmp_path / "v.nii")))
    np.testing.assert_allclose(read_volume(tmp_path / "v.nii").affine, truth.affine, atol=1e-5)


def with_forms(path: Path, sform: np.ndarray, qform: np.ndarray, *, sform_code: int = 2, qform_code: int = 1) -> Path:
    image = nib.Nifti1Image(oblique_volume().array, sform)
    image.set_sform(sform, sform_code)
    image.set_qform(qform, qform_code)
    nib.save(image, path)
    return path


def test_an_sform_and_a_qform_that_lead_to_different_places_are_refused_with_the_distance(tmp_path):
    shifted = oblique_volume().affine + np.array([[0, 0, 0, 15.0]] + 3 * [[0, 0, 0, 0]])
    path = with_forms(tmp_path / "v.nii", shifted, oblique_volume().affine)
    with pytest.raises(InputError, match=r"v\.nii gives its voxels two places, 15\.0 mm apart.*(sform|qform)"):
        read_volume(path)


@pytest.mark.parametrize(("shift_mm", "qform_code"), [(0.5, 1), (15.0, 0)])
def test_a_qform_that_differs_little_or_does_not_count_is_passed_over(tmp_path, shift_mm, qform_code):
    shifted = oblique_volume().affine + np.array([[0, 0, 0, shift_mm]] + 3 * [[0, 0, 0, 0]])
    path = with_forms(tmp_path / "v.nii", shifted, oblique_volume().affine, qform_code=qform_code)
    np.testing.assert_allclose(read_volume(path).affine, shifted, atol=1e-5)


def test_a_slight_shear_that_no_qform_can_hold_is_no_contradiction(tmp_path):
    array = np.zeros((400, 8, 400), np.uint8)
    array[0, 0, 0] = 1
    sheared = np.eye(4)
    sheared[0, 2] = 0.009  # 1.8 mm at the far corner of what a qform can hold
    write_volume(tmp_path / "v.nii", Volume(array, sheared))
    np.testing.assert_allclose(read_volume(tmp_path / "v.nii").affine, sheared, atol=1e-5)


def test_metres_become_millimetres(tmp_path):
    image = nib.Nifti1Image(oblique_volume().array, np.diag([1e-3, 1e-3, 3e-3, 1.0]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "v.nii")
    assert read_volume(tmp_path / "v.nii").spacing_mm == pytest.approx((1.0, 1.0, 3.0))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_integer_types_are_kept(tmp_path, dtype, extension):
    volume = oblique_volume(dtype)
    write_volume(tmp_path / f"v{extension}", volume)
    back = read_volume(tmp_path / f"v{extension}")
    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array, volume.array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_floating_types_are_read_as_float32(tmp_path, dtype, extension):
    volume = oblique_volume(dtype)
    write_volume(tmp_path / f"v{extension}", volume)
    back = read_volume(tmp_path / f"v{extension}")
    assert back.array.dtype == np.float32
    np.testing.assert_array_equal(back.array, volume.array.astype(np.float32))


@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_a_bool_mask_is_written_as_uint8(tmp_path, extension):
    volume = oblique_volume()
    write_volume(tmp_path / f"v{extension}", volume.with_array(volume.array > 50))
    mask = read_mask(tmp_path / f"v{extension}")
    assert mask.array.dtype == np.uint8
    np.testing.assert_array_equal(mask.array, volume.array > 50)


def with_scaling(path: Path, slope: float, inter: float) -> Path:
    """An int16 NIfTI file with these two fields written into its bytes."""
    content = bytearray(nib.Nifti1Image(oblique_volume().array, oblique_volume().affine).to_bytes())
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(content)
    return path


def test_scl_slope_and_inter_are_applied_as_nibabel_applies_them(tmp_path):
    path = with_scaling(tmp_path / "v.nii", 0.25, -10.0)
    volume = read_volume(path)
    assert volume.array.dtype == np.float32
    assert volume.array[LANDMARK] == 120 * 0.25 - 10
    np.testing.assert_allclose(volume.array, nib.load(path).get_fdata(), atol=1e-6)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_of_zero_or_nan_means_none(tmp_path, slope):
    volume = read_volume(with_scaling(tmp_path / "v.nii", slope, 5.0))
    assert volume.array.dtype == np.int16
    assert volume.array[LANDMARK] == 120


def test_big_endian_files_are_read(tmp_path):
    volume = oblique_volume()
    image = nib.Nifti1Image(volume.array, volume.affine, nib.Nifti1Header(endianness=">"))
    nib.save(image, tmp_path / "v.nii")
    assert (tmp_path / "v.nii").read_bytes()[:4] == b"\0\0\1\x5c"
    back = read_volume(tmp_path / "v.nii")
    assert back.array.dtype.isnative
    np.testing.assert_array_equal(back.array, volume.array)


def test_a_last_axis_of_one_is_dropped(tmp_path):
    volume = oblique_volume()
    nib.save(nib.Nifti1Image(volume.array[..., None], volume.affine), tmp_path / "v.nii")
    assert read_volume(tmp_path / "v.nii").shape == volume.shape


def test_gzip_in_several_members_is_read_whole(tmp_path):
    # bgzip and pigz write such files
    volume = oblique_volume()
    content = nib.Nifti1Image(volume.array, volume.affine).to_bytes()
    (tmp_path / "v.nii.gz").write_bytes(
        b"".join(gzip.compress(content[i : i + 999]) for i in range(0, len(content), 999))
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii.gz").array, volume.array)


def nrrd_in(path: Path, space: str) -> Path:
    header = f"NRRD0004\ntype: uchar\ndimension: 3\nspace: {space}\nsizes: 4 5 6\nencoding: raw\n"
    header += "space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n\n"
    path.write_bytes(header.encode() + bytes(120))
    return path


@pytest.mark.parametrize(("space", "sign"), [("RAS", 1), ("LPS", -1), ("left-posterior-superior", -1)])
def test_nrrd_spaces_lead_to_ras(tmp_path, space, sign):
    path = nrrd_in(tmp_path / "v.nrrd", space)
    affine = read_volume(path).affine
    np.testing.assert_allclose(affine @ [1, 1, 1, 1], [sign * 11, sign * 22, 33, 1])
    np.testing.assert_allclose(affine, from_sitk(sitk.ReadImage(str(path))).affine)


@pytest.mark.parametrize("space", ["LAS", "scanner-xyz", "left-posterior"])
def test_a_nrrd_space_that_programs_understand_differently_is_refused(tmp_path, space):
    with pytest.raises(InputError, match=f"has the space '{space.lower()}': save it in LPS or RAS"):
        read_volume(nrrd_in(tmp_path / "v.nrrd", space))


@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "RLELossless"])
def test_a_dicom_element_longer_than_its_file_is_refused_before_gdcm_sees_it(tmp_path, syntax):
    path = scanner_series(tmp_path / "series", oblique_volume())[0]
    one = pydicom.dcmread(path)
    one.ReferencedImageSequence = [pydicom.Dataset()]
    one.ReferencedImageSequence[0].StudyDate = "20250101"
    one["ReferencedImageSequence"].is_undefined_length = True
    one.add_new((0x0009, 0x1010), "UN", b"\x7f" * 0x4144)  # without VR this length reads like the VR "DA"
    if syntax == "RLELossless":
        one.compress(pydicom.uid.RLELossless)
    one.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    pydicom.dcmwrite(path, one, implicit_vr=syntax.startswith("Implicit"), little_endian=True)
    check_lengths(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"bytes for its element \((7fe0,0010|fffe,e000)\), more than it holds"):
        read_volume(path.parent)


def test_equal_volumes_give_equal_bytes(tmp_path):
    for extension in WRITABLE_EXTENSIONS:
        first, second = tmp_path / f"first{extension}", tmp_path / f"second{extension}"
        write_volume(first, oblique_volume())
        write_volume(second, oblique_volume())
        assert first.read_bytes() == second.read_bytes()


def test_all_formats_but_nii_are_compressed(tmp_path):
    constant = Volume(np.zeros((40, 40, 40), np.int16), np.eye(4))
    for extension in WRITABLE_EXTENSIONS:
        write_volume(tmp_path / f"v{extension}", constant)
        assert ((tmp_path / f"v{extension}").stat().st_size > 128_000) == (extension == ".nii")


@pytest.mark.parametrize("extension", [".mha", ".nrrd"])
def test_a_packed_text_header_is_not_taken_for_a_plain_one(tmp_path, extension):
    write_volume(tmp_path / f"v{extension}", oblique_volume())
    packed = gzip.compress((tmp_path / f"v{extension}").read_bytes()) + bytes(20_000)
    (tmp_path / f"p{extension}").write_bytes(packed)
    with pytest.raises(InputError, match=r"no MetaImage|does not start like a NRRD"):
        read_volume(tmp_path / f"p{extension}")


def test_our_gzip_carries_no_time(tmp_path):
    write_volume(tmp_path / "v.nii.gz", oblique_volume())
    assert (tmp_path / "v.nii.gz").read_bytes()[4:8] == bytes(4)  # MTIME, RFC 1952


def test_a_header_that_contradicts_itself_on_voxel_sizes_is_refused(tmp_path):
    content = bytearray(nib.Nifti1Image(oblique_volume().array, oblique_volume().affine).to_bytes())
    content[88:92] = np.array(3.1, "<f4").tobytes()
    (tmp_path / "v.nii").write_bytes(content)
    with pytest.raises(InputError, match=r"0\.9 x 0\.9 x 3 mm in its affine and 0\.9 x 0\.9 x 3\.1 mm in pixdim"):
        read_volume(tmp_path / "v.nii")


def test_a_slight_shear_of_rounded_headers_is_kept_and_a_real_one_refused(tmp_path):
    volume = oblique_volume()
    for degrees, name in ((0.3, "slight.nii"), (2.0, "real.nii")):
        shear = np.eye(4)
        shear[0, 1] = np.tan(np.radians(degrees))
        nib.save(nib.Nifti1Image(volume.array, volume.affine @ shear), tmp_path / name)
    np.testing.assert_allclose(
        read_volume(tmp_path / "slight.nii").affine, nib.load(tmp_path / "slight.nii").affine, atol=1e-5
    )
    with pytest.raises(InputError, match=r"real\.nii has axes 2\.0 degrees off the right angle"):
        read_volume(tmp_path / "real.nii")


# --- masks ------------------------------------------------------------------------------------------------------------


def test_a_mask_stored_as_float_gets_integer_labels(tmp_path):
    labels = np.zeros((5, 6, 7), np.float32)
    labels[2, 3, 4] = 3
    write_volume(tmp_path / "m.nii.gz", Volume(labels, np.eye(4)))
    mask = read_mask(tmp_path / "m.nii.gz")
    assert mask.array.dtype == np.uint8
    assert mask.array[2, 3, 4] == 3


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 3e9])
def test_values_that_are_no_labels_are_refused(tmp_path, value):
    labels = np.zeros((5, 6, 7), np.float32)
    labels[2, 3, 4] = value
    write_volume(tmp_path / "m.nii.gz", Volume(labels, np.eye(4)))
    with pytest.raises(InputError, match=r"m\.nii\.gz is no mask"):
        read_mask(tmp_path / "m.nii.gz")


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_header_that_claims_a_hundred_thousand_slices_takes_no_memory(tmp_path):
    header = b"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 100 100 100000\nElementSpacing = 1 1 1\n"
    (tmp_path / "v.mha").write_bytes(header + b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n" + bytes(1000))
    tracemalloc.start()
    with pytest.raises(InputError, match="promises 1000000000 bytes of voxels and the file holds"):
        read_volume(tmp_path / "v.mha")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_damaged_checksum_is_noticed(tmp_path):
    write_volume(tmp_path / "v.nii.gz", oblique_volume())
    content = bytearray((tmp_path / "v.nii.gz").read_bytes())
    content[-8] ^= 1  # CRC-32, then the length, end a gzip file (RFC 1952)
    (tmp_path / "v.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match="incorrect data check"):
        read_volume(tmp_path / "v.nii.gz")


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.raw", "v.mhd", "sub/../../secret.raw"])
def test_a_header_may_not_lead_out_of_its_folder(tmp_path, name):
    folder = tmp_path / "scan"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    header = "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 2 2 2\nElementSpacing = 1 1 1\n"
    (folder / "v.mhd").write_text(header + f"ElementType = MET_UCHAR\nElementDataFile = {name}\n")
    with pytest.raises(InputError, match="as its file of voxels"):
        read_volume(folder / "v.mhd")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NDims = 2", "3 sizes and another NDims"),
        ("ElementSpacing = 1 1", "2 numbers in 'ElementSpacing', not 3"),
        ("ElementSpacing = 1 -1 1", "claims voxels of 1 x -1 x 1 mm"),
        ("ElementNumberOfChannels = 3", "several values per voxel"),
        ("BinaryData = False", "stores its voxels as text"),
        ("TransformMatrix = 1 0 0 1 0 0 0 0 1", "singular direction"),
        ("CompressedData = True", "cannot be unpacked"),
    ],
)
def test_a_damaged_metaimage_field_is_named(tmp_path, line, message):
    header = "NDims = 3\nBinaryData = True\nDimSize = 2 2 2\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n"
    (tmp_path / "v.mha").write_bytes(f"{header}{line}\nElementDataFile = LOCAL\n".encode() + b"\x07" * 8)
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path / "v.mha")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dimension: 4", "3 sizes and another dimension"),
        ("encoding: bzip2", "the encoding 'bzip2': save it as raw or gzip"),
        ("type: block", "the type 'block'"),
        ("space directions: (1,0,0) (0,1,0)", "0 numbers in a vector|not finite numbers"),
        ("space directions: (1,0,0) (1,0,0) (0,0,1)", "singular direction"),
        ("space directions: (0,0,0) (0,1,0) (0,0,1)", "claims voxels of 0 x 1 x 1 mm"),
        ("axis mins: 0 0 0", "axis mins"),
        ("line skip: 2", "line skip"),
    ],
)
def test_a_damaged_nrrd_field_is_named(tmp_path, line, message):
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\nencoding: raw\n"
    (tmp_path / "v.nrrd").write_bytes(f"{header}{line}\n\n".encode() + bytes(8))
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path / "v.nrrd")


@pytest.mark.parametrize("name", ["v.dcm", "v.mhd", "v.nhdr", "v.hdr", "v.png", "v", "v.gz"])
def test_only_known_extensions_are_written(tmp_path, name):
    with pytest.raises(UsageError, match=r"use one of \.nii\.gz, \.nii, \.nrrd, \.mha"):
        write_volume(tmp_path / name, oblique_volume())
    assert os.listdir(tmp_path) == []


def refusal(path: Path) -> str:
    """Why a volume is refused; empty when it can be read."""
    try:
        assert isinstance(read_volume(path), Volume)
    except InputError as error:
        return str(error)
    return ""


def test_damaged_inputs_end_with_a_volume_or_one_sentence(tmp_path):
    inputs = damaged_inputs(tmp_path / "inputs", seed=20261, count=2 * len(KINDS))
    for damaged in inputs:
        before = sorted(os.listdir(damaged.path.parent)) if damaged.path.parent.is_dir() else []
        started = time.perf_counter()
        sentence = refusal(damaged.path)
        assert sentence.isprintable(), damaged
        assert len(sentence) < 500, damaged
        assert time.perf_counter() - started < 3, damaged
        after = sorted(os.listdir(damaged.path.parent)) if damaged.path.parent.is_dir() else []
        assert after == before, damaged
    remove_damaged_inputs(tmp_path / "inputs")


REFUSED = {
    "nifti gzip truncated": "ends early|does not start|cannot be unpacked|is empty",
    "nifti gzip truncated near the end": "stops before its checksum|ends early|cannot be unpacked",
    "nifti truncated": "ends early|does not start",
    "nifti dim huge": "axes|more than 4 GiB",
    "nifti more slices than held": "ends early",
    "nifti dim zero or negative": "claims the size",
    "nifti bitpix": "contradict",
    "nifti vox_offset": "claims voxels at byte|ends early",
    "nifti spacing zero": "claims voxels of",
    "nifti spacing negative": "claims voxels of",
    "nifti spacing not finite": "claims voxels of",
    "nifti singular direction": "singular direction|claims voxels of 0 x 0 x 0",
    "nifti sheared": "right angle",
    "nifti qform impossible": "qform|finite",
    "nifti direction not finite": "finite",
    "nifti origin absurd": "claims to lie at|finite",
    "nifti2 lying sizes": "claims|axes|GiB",
    "4D": "4 axes",
    "5D vectors": "5 axes",
    "2D": "2 axes",
    "RGB": "RGB voxels",
    "complex": "complex voxels",
    "analyze": "Analyze 7.5",
    "text file": "does not start|no MetaImage|unknown extension",
    "empty file": "is empty",
    "missing": "does not exist",
    "pipe": "not a regular file",
    "device": "not a regular file",
    "dicom single slice": "single DICOM slice",
    "dicom mixed series": "2 DICOM series: .*series 1 .*; series 2 ",
    "dicom gap": "6.00 mm apart",
    "dicom doubled slice": "has 2 of 7 slices at the place of another",
    "folder without images": "without DICOM images",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_damage_is_refused_for_the_right_reason(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("Testing.damaged_inputs.KINDS", [pair for pair in KINDS if pair[0] == kind])
    for damaged in damaged_inputs(tmp_path / "inputs", seed=3, count=3):
        with pytest.raises(InputError, match=REFUSED[kind]):
            read_volume(damaged.path)


def test_a_damaged_input_writes_nothing_to_stderr(tmp_path):
    # ITK, GDCM and teem print from C++, which only another process lets us see.
    code = (
        "import sys; from MRTranslateLib.io import read_volume; from MRTranslateLib.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_volume(path)\n"
        "    except InputError: pass\n"
    )
    names = [i.path for i in damaged_inputs(tmp_path / "i", seed=5, count=len(KINDS)) if "\0" not in str(i.path)]
    names = [os.fsencode(path) for path in names if len(str(path)) < 4000]
    run = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    remove_damaged_inputs(tmp_path / "i")


# --- what a file says of itself ------------------------------------------------------------------------------------


SAID = "SYNTHETIC FLAIR; research use only, not for diagnosis"


def test_a_nifti_says_what_it_is_in_its_description(tmp_path):
    write_volume(tmp_path / "v.nii.gz", oblique_volume(), description=SAID)
    assert bytes(nib.load(tmp_path / "v.nii.gz").header["descrip"]).rstrip(b"\0").decode() == SAID


def test_a_nrrd_says_what_it_is_in_its_content(tmp_path):
    write_volume(tmp_path / "v.nrrd", oblique_volume(), description=SAID)
    assert f"content: {SAID}\n".encode() in (tmp_path / "v.nrrd").read_bytes()


def test_a_metaimage_says_what_it_is_in_its_comment(tmp_path):
    write_volume(tmp_path / "v.mha", oblique_volume(), description=SAID)
    assert f"Comment = {SAID}\n".encode() in (tmp_path / "v.mha").read_bytes()


@pytest.mark.parametrize("extension", WRITABLE_EXTENSIONS)
def test_a_description_changes_neither_grid_nor_values(tmp_path, extension):
    write_volume(tmp_path / f"v{extension}", oblique_volume(), description="ä" * 90)
    back = read_volume(tmp_path / f"v{extension}")
    assert same_grid(back, oblique_volume())
    np.testing.assert_array_equal(back.array, oblique_volume().array)


# --- DICOM ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def dicom_folder(tmp_path) -> Path:
    scanner_series(tmp_path / "series", oblique_volume())
    return tmp_path / "series"


def test_an_oblique_dicom_series_has_its_landmark_in_place(dicom_folder):
    truth, volume = oblique_volume(), read_volume(dicom_folder)
    np.testing.assert_allclose(landmark_mm(volume), landmark_mm(truth), atol=1e-3)
    assert sorted(volume.spacing_mm) == pytest.approx([0.9, 0.9, 3.0], abs=1e-4)
    assert np.linalg.det(volume.affine[:3, :3]) < 0 or volume.shape == truth.shape
    np.testing.assert_array_equal(np.sort(volume.array, axis=None), np.sort(truth.array, axis=None))


def test_a_dicom_series_with_oblong_pixels_reads_as_simpleitk_reads_it(tmp_path):
    volume = oblique_volume()
    folder = tmp_path / "series"
    scanner_series(folder, Volume(volume.array, volume.affine @ np.diag([1.0, 0.7, 1.0, 1.0])))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    truth, volume = from_sitk(reader.Execute()), read_volume(folder)
    assert same_grid(volume, truth)
    np.testing.assert_array_equal(volume.array, truth.array)


def test_rescale_slopes_are_applied_slice_by_slice(dicom_folder):
    # Philips scanners give every slice its own
    before = read_volume(dicom_folder)
    path = sorted(dicom_folder.iterdir(), key=lambda path: pydicom.dcmread(path).InstanceNumber)[0]
    edit(path, RescaleSlope="0.5", RescaleIntercept="-3")
    after = read_volume(dicom_folder)
    changed = [k for k in range(before.shape[2]) if not np.array_equal(before.array[:, :, k], after.array[:, :, k])]
    assert len(changed) == 1
    np.testing.assert_allclose(after.array[:, :, changed[0]], before.array[:, :, changed[0]] * 0.5 - 3)
    assert after.array.dtype == np.float32


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, "is 'MONOCHROME1', not MONOCHROME2"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "another size, orientation or pixel spacing"),
        ({"PixelSpacing": [1.0, 0.9]}, "another size, orientation or pixel spacing"),
        ({"ImagePositionPatient": None}, "0 numbers in the DICOM element 0020,0032, not 3"),
        ({"SeriesInstanceUID": "1.2.6"}, "holds 2 DICOM series"),
    ],
)
def test_a_slice_that_does_not_belong_is_refused(dicom_folder, elements, message):
    edit(dicom_folder / "005.dcm", **elements)
    with pytest.raises(InputError, match=message):
        read_volume(dicom_folder)


def test_two_echoes_in_one_series_are_told_by_their_places(tmp_path):
    paths = write_dicom_series(tmp_path / "series", oblique_volume().array)
    for path in paths:
        shutil.copy(path, path.with_name(f"echo2-{path.name}"))
    same = r"24 of 24 slices at the place of another \(1-000\.dcm and echo2-1-000\.dcm\), for example of a second echo"
    with pytest.raises(InputError, match=same + ": keep one volume in the folder"):
        read_volume(tmp_path / "series")


def test_a_lost_slice_under_its_old_name_is_not_passed_over(dicom_folder):
    (dicom_folder / "000.dcm").write_bytes(b"lost")  # the first slice: no gap would show it
    with pytest.raises(InputError, match=r"000\.dcm is no DICOM file in spite of its name"):
        read_volume(dicom_folder)


def test_other_files_beside_a_series_are_left_aside(dicom_folder):
    (dicom_folder / "report.txt").write_text("text")
    (dicom_folder / ".DS_Store").write_bytes(bytes(200))
    (dicom_folder / "deeper").mkdir()
    os.mkfifo(dicom_folder / "pipe")
    assert read_volume(dicom_folder).shape[2] == 12


def test_warnings_of_itk_are_as_before_after_reading(tmp_path):
    write_dicom_series(tmp_path / "series", oblique_volume().array)
    for before in (True, False):
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
        read_dicom_series(tmp_path / "series")
        assert sitk.ProcessObject.GetGlobalWarningDisplay() is before
    sitk.ProcessObject.SetGlobalWarningDisplay(True)


# --- the open data ----------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_scans_of_the_open_data_read_as_simpleitk_reads_them(data_folder):
    for path in sorted(data_folder.glob("sub-*/**/*.nii.gz"))[::20]:
        truth, volume = from_sitk(sitk.ReadImage(str(path))), read_volume(path)
        np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-3)
        np.testing.assert_allclose(volume.array, truth.array, rtol=1e-4, atol=1e-3)
