"""A result as a DICOM series in the study of the scan that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from MRTranslateLib.dicom.packages import require_package
from MRTranslateLib.errors import UsageError
from MRTranslateLib.files import lies_in, shown
from MRTranslateLib.new_folder import new_folder, refuse_unfit_folder, writing

SERIES_NUMBER = 301
"""Away from those of the scanner, as Slicer has it."""
_SERIES_NUMBERS = (300, 2**31 - 3)


@dataclass(frozen=True)
class DicomExport:
    """What an export wrote.

    Attributes:
        files: The slices ``IM0001.dcm``, ... in order, then the maps ``maps/attention.dcm``, ``maps/uncertainty.dcm``.
        series_uid: Series Instance UID of the slices.
        warnings: What is doubtful, a sentence each.
    """

    files: tuple[Path, ...]
    series_uid: str
    warnings: tuple[str, ...]


def export_dicom(
    result: str | PathLike[str],
    *,
    output: str | PathLike[str],
    series: str | PathLike[str] | None = None,
    attention: str | PathLike[str] | None = None,
    uncertainty: str | PathLike[str] | None = None,
    series_number: int = SERIES_NUMBER,
) -> DicomExport:
    """Write a result as a new DICOM series of the person's study; all files appear, or none.

    The slices are MR images that say in every instance that they are synthetic, of which model and from which source;
    maps are parametric maps in series of their own. The same result exported again gives the same files.

    Args:
        result: A file as ``translate`` wrote it, with its sidecar beside it.
        output: A new or empty folder.
        series: Folder of an acquired MR series of the same person, whose patient, study and frame of reference the
            result joins; None for the first source, if that was a DICOM folder.
        attention: The attention map that was written with the result.
        uncertainty: The uncertainty map that was written with the result.
        series_number: Of the slices, 300 or more; maps have the next ones.

    Raises:
        UsageError: If no series is given and none known, the series number is too small, or the folder is not free.
        InputError: If the result or a map is not what the run wrote, or the series cannot be read, is no MR, or lies
            elsewhere.
        MRTranslateError: If a package is missing or the files cannot be written.
    """
    require_package("pydicom")
    maps = {name: Path(path) for name, path in (("attention", attention), ("uncertainty", uncertainty)) if path}
    if maps:
        require_package("highdicom")
    lowest, highest = _SERIES_NUMBERS
    if not lowest <= series_number <= highest:
        raise UsageError(f"series number {series_number} is not within {lowest} and {highest}: choose another one")
    folder = Path(output)
    refuse_unfit_folder(folder)

    from MRTranslateLib.dicom.objects import made_objects  # brings pydicom, which the checks above do without
    from MRTranslateLib.dicom.origin import default_series
    from MRTranslateLib.dicom.result import read_map, read_result

    volume, provenance = read_result(Path(result))
    records = {"attention": provenance.attention, "uncertainty": provenance.uncertainty}
    outputs = {name: None if record is None else record.output for name, record in records.items()}
    volumes = {name: read_map(path, name, outputs[name]) for name, path in maps.items()}
    series_folder = default_series(provenance) if series is None else Path(series)
    if lies_in(folder, series_folder):
        raise UsageError(f"{shown(folder)} lies in the folder of the acquired series: choose another place")
    made = made_objects(volume, provenance, series_folder, volumes, series_number)
    with new_folder(folder) as temporary:
        files = []
        for name, content in made.files:
            with writing(folder):
                (temporary / name).parent.mkdir(exist_ok=True)
                _write(temporary / name, content)
            files.append(folder / name)
    return DicomExport(tuple(files), made.series_uid, made.warnings)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)  # the new folder is synced whole
