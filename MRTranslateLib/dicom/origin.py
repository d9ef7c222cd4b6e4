"""Which acquired series a result was made from, as far as that can be shown: only those are named as its source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from MRTranslateLib.dicom.elements import text
from MRTranslateLib.dicom.source import AcquiredSeries, read_series
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import same_place, shown
from MRTranslateLib.provenance import FileRecord, Provenance, content_sha256


def default_series(provenance: Provenance) -> Path:
    """The folder of the first source.

    Raises:
        UsageError: If that was no DICOM folder, or is no longer there.
    """
    path = provenance.sources[0].file.path
    if path is None or not Path(path).is_dir():
        raise UsageError(
            "the result was not made from a DICOM folder that is still there: name the folder of an acquired series of "
            "the same person (--series)"
        )
    return Path(path)


def shown_sources(
    provenance: Provenance, series: AcquiredSeries, *, same_lattice: bool
) -> tuple[tuple[AcquiredSeries, ...], tuple[str, ...]]:
    """The series of a result's sources, and what is doubtful about that, a sentence each.

    The series that the result joins counts as a source if its content is that of one, or, since results lie on the
    grid of their first source, if it has the same voxels.

    Args:
        provenance: Of the result.
        series: That the result joins.
        same_lattice: Whether the result has its voxels.

    Raises:
        InputError: If another source is a series of another patient.
    """
    files = [source.file for source in provenance.sources]
    files += [] if provenance.low_resolution is None else [provenance.low_resolution.file]
    others = tuple(_others(files, series))
    if _sha256(series) in {file.sha256 for file in files}:
        return (series, *others), ()
    if same_lattice:
        doubt = "the series has the grid of the result, but nothing else shows that the result was made from it"
        return (series, *others), (f"{doubt}: check that it is the same person's",)
    doubt = "nothing shows that the result was made from the series, so it is not named as its source"
    return others, (f"{doubt}: check that it is the same person's",)


def _others(files: list[FileRecord], series: AcquiredSeries) -> Iterator[AcquiredSeries]:
    """Further sources that are DICOM folders, still there and unchanged."""
    for file in files:
        if file.path is None or not Path(file.path).is_dir() or same_place(file.path, series.folder):
            continue
        try:
            other = read_series(Path(file.path))
        except InputError:
            continue  # changed since
        if _sha256(other) != file.sha256:
            continue
        if text(other.headers[0], "PatientID") != text(series.headers[0], "PatientID"):
            raise InputError(
                f"{shown(other.folder)}, a source of the result, has another Patient ID than {shown(series.folder)}: "
                "give the series of the same person (--series)"
            )
        yield other


def _sha256(series: AcquiredSeries) -> str:
    return content_sha256(series.volume.array, series.volume.affine)
