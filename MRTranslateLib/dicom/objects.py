"""All DICOM objects of one result, encoded."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from MRTranslateLib.dicom.copied import copied_modules
from MRTranslateLib.dicom.elements import tolerant
from MRTranslateLib.dicom.image import add_image_modules, encoded, synthetic_instances
from MRTranslateLib.dicom.layout import Layout, layout_of
from MRTranslateLib.dicom.origin import shown_sources
from MRTranslateLib.dicom.source import read_series
from MRTranslateLib.dicom.statement import created, local_time, plain, said_by_all
from MRTranslateLib.dicom.uids import derived_uid
from MRTranslateLib.errors import InputError
from MRTranslateLib.provenance import Provenance
from MRTranslateLib.volume import Volume


@dataclass(frozen=True, eq=False)
class MadeObjects:
    """What there is to write.

    Attributes:
        files: Name and content of each, made one after the other.
        series_uid: Series Instance UID of the slices.
        warnings: What is doubtful, a sentence each.
    """

    files: Iterator[tuple[str, bytes]]
    series_uid: str
    warnings: tuple[str, ...]


def made_objects(
    result: Volume,
    provenance: Provenance,
    series_folder: Path,
    maps: Mapping[str, Volume],
    series_number: int,
) -> MadeObjects:
    """The slices and maps of a result that joins a series.

    Raises:
        InputError: If the series does not fit, or the result holds what no result holds.
    """
    lowest, highest = float(result.array.min()), float(result.array.max())
    if result.array.dtype.kind not in "iu" or lowest < 0 or highest > np.iinfo(np.uint16).max:
        kind = result.array.dtype
        raise InputError(
            f"the result holds {kind} values from {lowest:g} to {highest:g}: give one that translate wrote"
        )
    series = read_series(series_folder)
    layout = layout_of(result, series)
    sources, doubts = shown_sources(provenance, series, same_lattice=layout.acquired is not None)
    common, more_doubts = copied_modules(series)
    common.update(said_by_all(provenance))
    add_image_modules(common, layout, provenance, sources)
    _add_series(common, provenance, series_number)
    files = _files(layout, layout.slices(result), common, provenance, maps)
    return MadeObjects(files, str(common.SeriesInstanceUID), (*doubts, *more_doubts))


def _add_series(common: Dataset, provenance: Provenance, series_number: int) -> None:
    """General Series (C.7.3.1) and the time of the content; the UID follows from all else that slices share."""
    moment = local_time(created(provenance), common.get("TimezoneOffsetFromUTC", ""))
    common.Modality = "MR"
    common.SeriesNumber = series_number
    sources = "+".join(str(source.contrast) for source in provenance.sources)
    common.SeriesDescription = plain(f"SYNTHETIC {provenance.target} from {sources}, research only", 64)
    common.SeriesDate = common.ContentDate = common.InstanceCreationDate = moment.strftime("%Y%m%d")
    common.SeriesTime = common.ContentTime = common.InstanceCreationTime = moment.strftime("%H%M%S")
    common.SeriesInstanceUID = UID(derived_uid("series", hashlib.sha256(encoded(common)).hexdigest()))


def _files(
    layout: Layout,
    voxels: NDArray[Any],
    common: Dataset,
    provenance: Provenance,
    maps: Mapping[str, Volume],
) -> Iterator[tuple[str, bytes]]:
    images = []
    for image in synthetic_instances(voxels, layout, common):
        yield f"IM{image.InstanceNumber:04d}.dcm", _file_content(image)
        if maps:
            images.append(image)
    if maps:
        from MRTranslateLib.dicom.parametric_map import KINDS, parametric_map  # brings highdicom

        records = {"attention": provenance.attention, "uncertainty": provenance.uncertainty}
        for number, (name, kind) in enumerate(KINDS.items(), start=common.SeriesNumber + 1):
            record = records[name]
            if name in maps and record is not None:
                values = layout.slices(maps[name]).astype(np.float32)
                made = parametric_map(kind, values, layout, images, number, record.report.statement)
                made.update(said_by_all(provenance))
                yield f"maps/{name}.dcm", _file_content(made)


def _file_content(instance: Dataset) -> bytes:
    buffer = io.BytesIO()
    with tolerant():  # what was taken over has been judged
        instance.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
