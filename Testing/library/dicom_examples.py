"""DICOM series as a scanner writes them, and results that join them, for tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from MRTranslateLib.attention.report import AttentionReport
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.provenance import (
    NOTICE,
    AttentionRecord,
    BrainMaskRecord,
    FileRecord,
    ModelRecord,
    OutputRecord,
    Parameters,
    Provenance,
    SourceRecord,
    UncertaintyRecord,
    content_sha256,
    encode,
    sidecar_path,
)
from MRTranslateLib.uncertainty.report import UncertaintyReport
from MRTranslateLib.volume import Volume

LANDMARK = (3, 14, 7)  # off every plane of symmetry


def oblique_volume(dtype: type = np.int16) -> Volume:
    """0.9 x 0.9 x 3 mm, turned by 12 and -17 degrees, left-handed, noise below one bright voxel."""
    a, b = np.radians([12.0, -17.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ np.diag([-0.9, 0.9, 3.0])
    affine[:3, 3] = [80.5, -33.25, 12.125]
    array = np.random.default_rng(0).integers(0, 100, (20, 24, 12)).astype(dtype)
    array[LANDMARK] = 120
    return Volume(array, affine)


def landmark_mm(volume: Volume) -> np.ndarray:
    index = np.unravel_index(np.argmax(volume.array), volume.shape)
    return (volume.affine @ [*index, 1])[:3]


def scanner_series(folder: Path, volume: Volume) -> list[Path]:
    """An MR series by pydicom, file names in an order that is not that of the slices."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    columns = lps[:3, :3] / volume.spacing_mm
    folder.mkdir()
    paths = []
    for k in range(volume.shape[2]):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.3.{k + 1}"
        one = pydicom.Dataset()
        one.file_meta = meta
        one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        one.StudyInstanceUID, one.SeriesInstanceUID, one.Modality = "1.2.4", "1.2.5", "MR"
        one.InstanceNumber = k + 1
        one.ImagePositionPatient = [f"{value:.6f}" for value in (lps @ [0, 0, k, 1])[:3]]
        one.ImageOrientationPatient = [f"{value:.9f}" for value in (*columns[:, 0], *columns[:, 1])]
        one.PixelSpacing = [volume.spacing_mm[1], volume.spacing_mm[0]]
        one.SliceThickness = 2.0  # thinner than the distance: a gap between slices is usual
        one.Rows, one.Columns = volume.shape[1], volume.shape[0]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.PixelData = np.ascontiguousarray(volume.array[:, :, k].T.astype("<i2")).tobytes()
        paths.append(folder / f"{(k * 7) % volume.shape[2]:03d}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def edit(path: Path, **elements: object) -> None:
    one = pydicom.dcmread(path)
    for name, value in elements.items():
        setattr(one, name, value)
    one.save_as(path)


def clinical_series(folder: Path, volume: Volume, **elements: object) -> list[Path]:
    """An MR series with what a scanner says of person, study, sequence and itself, private elements included."""
    paths = scanner_series(folder, volume)
    for path in paths:
        one = pydicom.dcmread(path)
        one.SpecificCharacterSet = "ISO_IR 100"
        one.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20260102", "101112", "S1", "A77"
        one.StudyDescription, one.SeriesDescription, one.ProtocolName = "Head", "t1_mprage", "t1_mprage"
        one.ReferringPhysicianName, one.OperatorsName = "Ref^Erring", "Opera^Tor"
        one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = (
            "Müller^Jürgen",
            "P-0815",
            "19570401",
            "M",
        )
        one.PatientAge, one.PatientWeight = "068Y", "81.5"
        one.Manufacturer, one.ManufacturerModelName, one.DeviceSerialNumber = "SIEMENS", "Skyra", "12345"
        one.InstitutionName = "Some Hospital"
        one.MagneticFieldStrength, one.EchoTime, one.RepetitionTime, one.InversionTime = 3, 2.98, 2300, 900
        one.FlipAngle, one.SequenceName, one.ScanningSequence, one.SequenceVariant = 9, "*tfl3d1", ["GR", "IR"], "SP"
        one.ScanOptions, one.MRAcquisitionType, one.EchoTrainLength, one.PixelBandwidth = "IR", "3D", 1, 240
        one.ContrastBolusAgent, one.AcquisitionDate, one.AcquisitionTime = "Gadovist", "20260102", "102030"
        one.FrameOfReferenceUID, one.PositionReferenceIndicator = "1.2.7", ""
        one.PixelSpacing = [f"{value:.6f}" for value in one.PixelSpacing]
        one.PatientPosition, one.BodyPartExamined = "HFS", "HEAD"
        one.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", b"secret")
        for name, value in elements.items():
            setattr(one, name, value)
        one.save_as(path)
    return paths


def synthetic(grid: Volume) -> Volume:
    """A result on a grid: int16, 0 to 1000, its landmark one corner's neighbour and nowhere symmetric."""
    array = np.random.default_rng(1).integers(0, 900, grid.shape).astype(np.int16)
    array[2, grid.shape[1] - 4, grid.shape[2] - 2] = 1000
    return Volume(array, grid.affine)


def write_result(path: Path, result: Volume, *, source: Path | None, maps: bool = False) -> Provenance:
    """A result with its sidecar as ``translate`` writes them; with maps beside as ``attention.nii.gz`` and so on.

    Args:
        path: Of the result.
        result: What to write.
        source: File or DICOM folder of its T1w, None for one in memory.
        maps: Whether to make maps too.
    """
    held = None if source is None else read_volume(source)
    sha256 = "b" * 64 if held is None else content_sha256(held.array, held.affine)
    t1w = FileRecord(path=None if source is None else str(source.absolute()), sha256=sha256)
    rng = np.random.default_rng(2)
    attention = Volume(rng.random(result.shape).astype(np.float32), result.affine)
    uncertainty = Volume(rng.integers(0, 300, result.shape).astype(np.int16), result.affine)
    records: dict[str, AttentionRecord | UncertaintyRecord] = {}
    if maps:
        said = {"statement": "0 is as good as it gets", "calibrated": False, "regions": (), "summary": "all fine"}
        records["attention"] = AttentionRecord(
            weights_sha256="e" * 64,
            lesion_mask=None,
            output=output_record(path.with_name("attention.nii.gz"), attention),
            report=AttentionReport(hard_regions=(), **said),
        )
        records["uncertainty"] = UncertaintyRecord(
            lesion_mask=None,
            output=output_record(path.with_name("uncertainty.nii.gz"), uncertainty),
            report=UncertaintyReport(coverage=None, lowest_coverage=None, members=(), noise={}, **said),
        )
        write_volume(path.with_name("attention.nii.gz"), attention)
        write_volume(path.with_name("uncertainty.nii.gz"), uncertainty)
    provenance = Provenance(
        schema_version=1,
        notice=NOTICE,
        program="MRTranslate 0.1.0",
        created="2026-11-21T23:30:00+00:00",
        target=Contrast.FLAIR,
        model=ModelRecord(name="tiny", version="1.2.3", weights_sha256="a" * 64, folder="/home/doctor/models/tiny"),
        sources=(SourceRecord(contrast=Contrast.T1W, file=t1w, percentile_value=1234.1, registration=None),),
        brain_mask=BrainMaskRecord(origin="extracted", file=None, volume_ml=1450.3),
        parameters=Parameters(registration="auto", bias_correction=False, device="auto", precision="fp32", threads=3),
        device="cpu (a processor)",
        libraries={"numpy": "2.4.6"},
        platform="Linux x86_64",
        seed=0,
        seconds={"read": 0.123},
        warnings=() if source is None else (f"T1w ({source.name}) is odd",),
        fallbacks=(),
        output=output_record(path, result),
        **records,
    )
    write_volume(path, result)
    sidecar_path(path).write_text(encode(provenance), encoding="utf-8")
    return provenance


def output_record(path: Path, volume: Volume) -> OutputRecord:
    return OutputRecord(
        path=str(path.absolute()),
        sha256=content_sha256(volume.array, volume.affine),
        shape=volume.shape,
        spacing_mm=volume.spacing_mm,
        unit="1000 is the 99.5th percentile of the brain",
    )


VALIDATOR = shutil.which("dciodvfy")
needs_validator = pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy of the package dicom3tools is not installed")
YOUNGER_THAN_VALIDATOR = "(0x0008,0x001c)"
"""Synthetic Data came into the standard after the dictionary of dicom3tools 2022, which Debian 12 has."""


def errors_by_validator(path: Path) -> list[str]:
    """What dciodvfy calls errors in a file."""
    run = subprocess.run([VALIDATOR, path], capture_output=True, text=True, errors="replace", check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert any(line in ("MRImage", "ParametricMap") for line in lines), lines
    return [line for line in lines if line.startswith("Error") and YOUNGER_THAN_VALIDATOR not in line]
