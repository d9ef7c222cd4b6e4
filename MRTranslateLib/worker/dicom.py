"""Job ``dicom``: a result as a DICOM series in the study of its source."""

from __future__ import annotations

import msgspec

from MRTranslateLib.progress import Progress


class DicomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As :func:`MRTranslateLib.dicom.export.export_dicom` takes them.

    Attributes:
        result: File with its sidecar beside it.
        series: Folder of an acquired series of the same person.
        output: A new or empty folder.
        attention: Its attention map, None for none.
        uncertainty: Its uncertainty map, None for none.
    """

    result: str
    series: str
    output: str
    attention: str | None = None
    uncertainty: str | None = None


class DicomOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        files: Slices in order, then maps.
        series_uid: Series Instance UID of the slices.
        warnings: What is doubtful, a sentence each.
    """

    files: tuple[str, ...]
    series_uid: str
    warnings: tuple[str, ...]


def run_dicom(parameters: DicomParameters, progress: Progress) -> DicomOutcome:
    """Export.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.dicom.export.export_dicom`.
    """
    from MRTranslateLib.dicom.export import export_dicom  # pydicom comes with the first job that needs it

    progress.step("write", 0.0)
    done = export_dicom(
        parameters.result,
        series=parameters.series,
        output=parameters.output,
        attention=parameters.attention,
        uncertainty=parameters.uncertainty,
    )
    return DicomOutcome(
        files=tuple(str(path) for path in done.files), series_uid=done.series_uid, warnings=done.warnings
    )
