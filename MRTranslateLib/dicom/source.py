"""The acquired series of the person: whose study, patient and frame of reference a result joins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.misc import is_dicom
from pydicom.uid import UID, MRImageStorage

from MRTranslateLib.dicom.elements import text, tolerant
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.formats.checks import clip
from MRTranslateLib.io import read_volume
from MRTranslateLib.volume import RAS_TO_LPS, Volume

_SAME_IN_ALL = ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class AcquiredSeries:
    """One acquired MR series.

    Attributes:
        folder: Where it lies.
        volume: As the library reads it; axes column, row, slice.
        headers: Without pixels; one for each slice of ``volume``.
        series_uid: Series Instance UID.
    """

    folder: Path
    volume: Volume
    headers: tuple[Dataset, ...]
    series_uid: str


def read_series(folder: Path) -> AcquiredSeries:
    """Read the one series of single-frame MR images in a folder.

    Raises:
        InputError: If the library cannot read it as one volume; or it is no MR, mixes patients or studies, or lacks
            the UIDs that a result refers to.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give the folder of an acquired DICOM series (--series)")
    volume = read_volume(folder)
    headers = {path: _read_header(path) for path in _dicom_files(folder)}
    _check_uids(folder, headers)
    for path, header in headers.items():
        _check_is_mr(path, header)
    _check_belong_together(folder, list(headers.values()))
    series_uid = text(next(iter(headers.values())), "SeriesInstanceUID")
    return AcquiredSeries(folder, volume, _by_slice(folder, volume, headers), series_uid)


def _dicom_files(folder: Path) -> list[Path]:
    """The files that ``read_volume`` has just taken for slices: all DICOM files that are not hidden."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [path for path in paths if path.name.upper() != "DICOMDIR" and is_dicom(path)]


def _read_header(path: Path) -> Dataset:
    try:
        with tolerant():
            return pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # pydicom raises whatever its parts raise on a damaged file
        why = clip(" ".join(str(error).split()) or type(error).__name__)
        raise InputError(f"{shown(path)} has a damaged DICOM header ({why}): copy or export it again") from error


def _check_is_mr(path: Path, header: Dataset) -> None:
    modality, sop_class = text(header, "Modality"), text(header, "SOPClassUID")
    if sop_class != MRImageStorage or modality not in ("", "MR"):
        what = clip(f"{UID(sop_class).name} of modality {modality or 'unknown'}")
        raise InputError(f"{shown(path)} is {what}, not an MR image: give an acquired MR series (--series)")


def _check_belong_together(folder: Path, headers: list[Dataset]) -> None:
    for keyword in _SAME_IN_ALL:
        count = len({text(header, keyword) for header in headers})
        if count > 1:
            name = pydicom.datadict.dictionary_description(keyword)
            raise InputError(f"{shown(folder)} has slices with {count} different values of {name}: keep one series")


def _check_uids(folder: Path, headers: dict[Path, Dataset]) -> None:
    """Refuse a series that cannot be referred to (PS3.3 C.7.2.1, C.7.3.1 and C.12.1: Type 1)."""
    remedy = "export the series again from its archive"
    for path, header in headers.items():
        for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            if not text(header, keyword):
                name = pydicom.datadict.dictionary_description(keyword)
                raise InputError(f"{shown(path)} has no legal {name}: {remedy}")
    if len({text(header, "SOPInstanceUID") for header in headers.values()}) < len(headers):
        raise InputError(f"{shown(folder)} has two slices with one SOP Instance UID: {remedy}")


def _by_slice(folder: Path, volume: Volume, headers: dict[Path, Dataset]) -> tuple[Dataset, ...]:
    """Headers in the order of the volume's slices, by their positions."""
    to_index = np.linalg.inv(RAS_TO_LPS @ volume.affine)
    placed = []
    for path, header in headers.items():
        try:
            with tolerant():
                position = [float(value) for value in header.ImagePositionPatient]
            placed.append((float((to_index @ [*position, 1.0])[2]), header))
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"{shown(path)} has no legal Image Position (Patient): export it again") from error
    placed.sort(key=lambda pair: pair[0])
    if len(placed) != volume.shape[2] or any(abs(k - index) > 0.5 for index, (k, _) in enumerate(placed)):
        raise InputError(f"{shown(folder)} has slices whose positions contradict each other: export the series again")
    return tuple(header for _, header in placed)
