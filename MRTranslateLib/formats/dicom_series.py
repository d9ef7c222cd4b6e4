"""A folder that holds one DICOM series, one slice a file.

GDCM (through SimpleITK) decodes each slice; series, order and position are decided here, because a missing slice,
a second series or a second echo must be refused and never shape the volume silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown
from MRTranslateLib.formats.checks import check_affine, clip, numbers, spatial_shape
from MRTranslateLib.formats.dicom_elements import check_lengths
from MRTranslateLib.volume import RAS_TO_LPS, Volume

MAX_GAP_DIFFERENCE = 0.05
"""Slices may lie further apart or closer than the median distance by this part of it (rounded positions)."""
SAME_PLACE_MM = 0.01
"""Slices nearer to each other show one place twice."""
MAX_NUM_FILES = 10_000

_SERIES, _DESCRIPTION, _NUM_FRAMES = "0020|000e", "0008|103e", "0028|0008"
_POSITION, _ORIENTATION, _SPACING, _PHOTOMETRIC = "0020|0032", "0020|0037", "0028|0030", "0028|0004"


@dataclass(frozen=True)
class _Slice:
    """Header of one file: LPS mm, shape (rows, columns)."""

    path: Path
    series: str
    description: str
    shape: tuple[int, int]
    position: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    spacing_mm: tuple[float, float]

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.column_direction, self.row_direction)


def read_dicom_series(folder: Path) -> Volume:
    """Read the one series of single-frame MONOCHROME2 images in a folder, subfolders and other files left aside.

    Slices are ordered by their position along the slice normal. Rescale slope and intercept are applied per slice.

    Returns:
        The volume, axes column, row, slice; float32, or the integer type when every slice is of one.

    Raises:
        InputError: If there is no series or more than one, a slice is missing, doubled or of another shape or
            orientation, or a file cannot be decoded.
    """
    with _quiet_itk():
        slices = [_read_header(path) for path in _dicom_files(folder)]
        _check_one_series(folder, slices)
        normal = slices[0].normal
        slices.sort(key=lambda one: float(one.position @ normal))
        affine = _affine(folder, slices)
        spatial_shape(folder, [slices[0].shape[1], slices[0].shape[0], len(slices)])
        array = np.stack([_read_pixels(one.path) for one in slices])  # (K, J, I)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    return Volume(array.transpose(2, 1, 0), affine)


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """ITK's warnings about odd files go to stderr; ours are exceptions."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _dicom_files(folder: Path) -> list[Path]:
    """Regular files that carry the DICOM mark, by name; never opens pipes or devices."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{shown(folder)} cannot be listed ({reason(error)}): check its permissions") from error
    if len(paths) > MAX_NUM_FILES:
        raise InputError(f"{shown(folder)} holds {len(paths)} files: give a folder with one DICOM series")
    found = [path for path in paths if path.name.upper() != "DICOMDIR" and _is_dicom(path)]
    if not found:
        raise InputError(f"{shown(folder)} is a folder without DICOM images: give a volume or a DICOM series folder")
    return found


def _is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark; a file named as DICOM without it may be a lost slice and is refused."""
    try:
        with path.open("rb") as file:
            marked = file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({reason(error)}): check its permissions") from error
    if not marked and path.suffix.lower() in (".dcm", ".ima"):
        raise InputError(f"{shown(path)} is no DICOM file in spite of its name: repair it or move it away")
    return marked


def _read_header(path: Path) -> _Slice:
    check_lengths(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise InputError(f"{shown(path)} cannot be decoded as a DICOM image: repair it or move it away") from None
    size = reader.GetSize()
    if any(frames > 1 for frames in size[2:]) or _tag(reader, _NUM_FRAMES) not in ("", "1"):
        raise InputError(f"{shown(path)} is a multi-frame DICOM image: convert it to NIfTI first")
    photometric = _tag(reader, _PHOTOMETRIC)
    if reader.GetNumberOfComponents() != 1 or photometric != "MONOCHROME2":
        raise InputError(f"{shown(path)} is {clip(photometric)!r}, not MONOCHROME2: give an original MR series")
    orientation = _numbers(path, reader, _ORIENTATION, 6)
    spacing = _numbers(path, reader, _SPACING, 2)
    return _Slice(
        path=path,
        series=_tag(reader, _SERIES),
        description=_tag(reader, _DESCRIPTION),
        shape=(size[1], size[0]),
        position=np.array(_numbers(path, reader, _POSITION, 3)),
        column_direction=np.array(orientation[:3]),
        row_direction=np.array(orientation[3:]),
        spacing_mm=(spacing[1], spacing[0]),  # DICOM gives the distance of rows first
    )


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    """Value of a DICOM element as text, empty when absent."""
    if not reader.HasMetaDataKey(key):
        return ""
    text: str = reader.GetMetaData(key)
    return text.encode("utf-8", "replace").decode("utf-8").strip(" \0")


def _numbers(path: Path, reader: sitk.ImageFileReader, key: str, count: int) -> list[float]:
    values = numbers(path, key, _tag(reader, key).replace("\\", " "))
    if len(values) != count or not np.isfinite(values).all():
        what = f"has {len(values)} numbers in the DICOM element {key.replace('|', ',')}, not {count}"
        raise InputError(f"{shown(path)} {what}: give an original MR series")
    return values


def _check_one_series(folder: Path, slices: list[_Slice]) -> None:
    names = {one.series: one.description for one in slices}
    if len(names) > 1:
        listed = "; ".join(
            f"{clip(name) or 'no description'} ({sum(one.series == uid for one in slices)} files, {clip(uid)})"
            for uid, name in list(names.items())[:5]
        )
        raise InputError(f"{shown(folder)} holds {len(names)} DICOM series: keep one in a folder of its own: {listed}")
    first = slices[0]
    for one in slices:
        same_plane = np.allclose(one.column_direction, first.column_direction, atol=1e-3) and np.allclose(
            one.row_direction, first.row_direction, atol=1e-3
        )
        if one.shape != first.shape or not same_plane or not np.allclose(one.spacing_mm, first.spacing_mm, rtol=1e-3):
            why = f"has another size, orientation or pixel spacing than {shown(first.path.name)}"
            raise InputError(f"{shown(one.path)} {why}: keep one volume in the folder")


def _affine(folder: Path, slices: list[_Slice]) -> NDArray[np.float64]:
    """Voxel index (column, row, slice) to RAS mm, from the positions of the ordered slices."""
    if len(slices) < 2:
        raise InputError(f"{shown(folder)} holds a single DICOM slice: give the folder with the whole series")
    first, last = slices[0], slices[-1]
    heights = np.array([float((one.position - first.position) @ first.normal) for one in slices])
    steps = np.diff(heights)
    _check_no_place_twice(folder, slices, steps < SAME_PLACE_MM)
    median = float(np.median(steps))
    wrong = int(np.argmax(np.abs(steps - median)))
    if not abs(steps[wrong] - median) <= MAX_GAP_DIFFERENCE * abs(median) or median <= 0:
        names = f"{shown(slices[wrong].path.name)} and {shown(slices[wrong + 1].path.name)}"
        why = f"has slices {steps[wrong]:.2f} mm apart ({names}) where others are {median:.2f} mm"
        raise InputError(f"{shown(folder)} {why}: add the missing slices")
    lps = np.eye(4)
    lps[:3, 0] = first.column_direction * first.spacing_mm[0]
    lps[:3, 1] = first.row_direction * first.spacing_mm[1]
    lps[:3, 2] = (last.position - first.position) / (len(slices) - 1)
    lps[:3, 3] = first.position
    affine = RAS_TO_LPS @ lps
    check_affine(folder, affine)
    return affine


def _check_no_place_twice(folder: Path, slices: list[_Slice], same: NDArray[np.bool_]) -> None:
    """Refuse ordered slices of which some lie where the next one does, as ``same`` says."""
    if not same.any():
        return
    count = np.count_nonzero(np.append(same, False) | np.insert(same, 0, False))
    one = int(same.argmax())
    names = f"{shown(slices[one].path.name)} and {shown(slices[one + 1].path.name)}"
    why = f"has {count} of {len(slices)} slices at the place of another ({names}), for example of a second echo"
    raise InputError(f"{shown(folder)} {why}: keep one volume in the folder")


def _read_pixels(path: Path) -> NDArray[Any]:
    """Pixels of one file, shape (rows, columns), rescaled."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        image: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise InputError(f"{shown(path)} cannot be decoded as a DICOM image: copy or export it again") from None
    return image.reshape(image.shape[-2:])
