"""What every object of a result says of itself: computed, from what, by what, and not for diagnostic use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from pydicom import Dataset
from pydicom.uid import UID

from MRTranslateLib.dicom.elements import text
from MRTranslateLib.dicom.record import published_record
from MRTranslateLib.dicom.source import AcquiredSeries
from MRTranslateLib.dicom.uids import derived_uid
from MRTranslateLib.errors import InputError
from MRTranslateLib.provenance import NOTICE, Provenance, program_version

MANUFACTURER = "MRTranslate"
CODING_SCHEME = "99MRTRANSLATE"
"""Private: context group 7203 (PS3.16) has no code for making one contrast from others."""
PRIVATE_CREATOR = "MRTRANSLATE"
PRIVATE_GROUP = 0x0071
RECORD_ELEMENT = 0x01
"""(0071,xx01) UT: the provenance as JSON, as :func:`MRTranslateLib.dicom.record.published_record` has it.

A private block (PS3.5 7.8.1), since no standard attribute takes it: Derivation Description ends at 1024 characters and
Image Comments at 10240, both for human readers. What a reader must know stands in standard attributes as well, so
nothing is lost where an archive or a de-identification takes private elements away (PS3.15 Annex E).
"""


def said_by_all(provenance: Provenance) -> Dataset:
    """Elements that synthetic images and their maps share.

    Synthetic Data is YES: some of the content "was made artificially rather than being a faithful representation of
    acquired data" (PS3.3 C.12.1), which is what a translation is, however close to the truth.
    """
    said = Dataset()
    said.SyntheticData = "YES"
    said.Manufacturer = MANUFACTURER
    said.ManufacturerModelName = model_name(provenance)
    said.SoftwareVersions = program_version()
    said.ContributingEquipmentSequence = [contributing_equipment(provenance)]
    said.CodingSchemeIdentificationSequence = [_coding_scheme()]
    said.BurnedInAnnotation = "NO"
    block = said.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(RECORD_ELEMENT, "UT", published_record(provenance))
    return said


def contributing_equipment(provenance: Provenance) -> Dataset:
    """The item of this program and its model (PS3.3 C.12.1.1.5).

    The purpose is 109102 Processing Equipment, as results of AI have it elsewhere. For synthetic data the standard also
    offers 109100 Synthesizing Equipment; an item has one purpose, and what is done here is to process acquired images.
    """
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code("109102", "DCM", "Processing Equipment")]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = model_name(provenance)
    item.SoftwareVersions = plain(provenance.program, 64)
    item.DeviceUID = derived_uid("weights", provenance.model.used_sha256)
    item.ContributionDateTime = created(provenance).strftime("%Y%m%d%H%M%S+0000")
    item.ContributionDescription = derivation_description(provenance)
    return item


def derivation_description(provenance: Provenance) -> str:
    """How the result was made, for a reader; at most 1024 characters (ST)."""
    model = provenance.model
    sources = ", ".join(str(source.contrast) for source in provenance.sources)
    if provenance.low_resolution is not None:
        sources += f" and a low-resolution {provenance.target}"
    made = f"SYNTHETIC {provenance.target} computed from {sources} by {provenance.program}"
    by = f"model {model.name} {model.version}, SHA-256 of its weights {model.used_sha256}"
    return plain(f"{made}, {by}; 1000 is the brain's 99.5th percentile. {NOTICE}", 1024)


def model_name(provenance: Provenance) -> str:
    """Name and version of the model, at most 64 characters (LO)."""
    return plain(f"{provenance.model.name} {provenance.model.version}", 64)


def source_images(series: Iterable[AcquiredSeries]) -> list[Dataset]:
    """Items of the Source Image Sequence: every slice, since the normalisation looks at whole volumes."""
    items = []
    for header in (header for one in series for header in one.headers):
        item = Dataset()
        item.ReferencedSOPClassUID = UID(text(header, "SOPClassUID"))
        item.ReferencedSOPInstanceUID = UID(text(header, "SOPInstanceUID"))
        meaning = "Source image for image processing operation"
        item.PurposeOfReferenceCodeSequence = [code("121322", "DCM", meaning)]  # CID 7202
        items.append(item)
    return items


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def created(provenance: Provenance) -> datetime:
    """When the result was computed, UTC.

    Raises:
        InputError: If the sidecar does not say so.
    """
    try:
        return datetime.fromisoformat(provenance.created).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"the sidecar says it was created {plain(provenance.created, 60)!r}: translate again"
        ) from error


def local_time(moment: datetime, offset: str) -> datetime:
    """A moment as clocks of the series showed it: its Timezone Offset From UTC if it has one, else this machine's."""
    match = re.fullmatch(r"([+-])(\d\d)([0-5]\d)", offset)
    if match is None or int(match[2]) > 14:
        return moment.astimezone()
    minutes = int(match[2]) * 60 + int(match[3])
    return moment.astimezone(timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes)))


def plain(words: str, limit: int) -> str:
    """Words that any character set holds, without the backslash that parts values."""
    return words.encode("ascii", "replace").decode().replace("\\", "/")[:limit].strip()


def _coding_scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator, item.CodingSchemeName = CODING_SCHEME, "MRTranslate's own concepts"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
