"""What a result takes over from the acquired series: whose it is and where; nothing of how the scan was acquired."""

from __future__ import annotations

import warnings

from pydicom import Dataset
from pydicom.charset import convert_encodings, encode_string, python_encoding
from pydicom.datadict import dictionary_description

from MRTranslateLib.dicom.elements import legal_element, text
from MRTranslateLib.dicom.source import AcquiredSeries
from MRTranslateLib.dicom.uids import derived_uid

_EMPTY_IF_UNKNOWN = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),  # C.7.1.1
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),  # C.7.2.1
    *("PositionReferenceIndicator", "PatientPosition"),  # C.7.4.1, C.7.3.1
)
"""Type 2, by the modules of PS3.3."""
_LEFT_OUT_IF_UNKNOWN = (
    *("IssuerOfPatientID", "PatientBirthTime", "OtherPatientNames", "EthnicGroup", "PatientComments"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("QualityControlSubject",),
    *("PatientAge", "PatientSize", "PatientWeight"),  # C.7.2.2
    *("StudyDescription", "BodyPartExamined", "TimezoneOffsetFromUTC"),  # C.7.2.1, C.7.3.1, C.12.1
)
"""Type 3."""
_POSITIONS = ("HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS", "LFP", "LFS", "RFP", "RFS")
_ENUMERATED = {
    "PatientSex": ("M", "F", "O"),
    "PatientPosition": _POSITIONS,
    "BodyPartExamined": ("HEAD", "BRAIN"),
    "PatientIdentityRemoved": ("YES", "NO"),
    "QualityControlSubject": ("YES", "NO"),
}
_UNSAID_METHOD = "not said by the acquired series"


def copied_modules(series: AcquiredSeries) -> tuple[Dataset, tuple[str, ...]]:
    """Patient, study and frame of reference of a series.

    Returns:
        The elements, in the series' own character set; and what is wrong with the series, a sentence each.
    """
    header = series.headers[0]
    terms, doubts = _character_set(header)
    copied = Dataset()
    copied.StudyInstanceUID = text(header, "StudyInstanceUID")
    for keyword in _EMPTY_IF_UNKNOWN:
        if not _copy(header, copied, keyword, terms):
            doubts.append(f"the series' {dictionary_description(keyword)} is not legal in DICOM and was left empty")
        if keyword not in copied:
            setattr(copied, keyword, None)
    for keyword in _LEFT_OUT_IF_UNKNOWN:
        _copy(header, copied, keyword, terms)
    if terms:
        copied.SpecificCharacterSet = terms
    elif not all(str(element.value).isascii() for element in copied):
        copied.SpecificCharacterSet = "ISO_IR 100"
        doubts.append(
            "the series does not say in which characters it is written, so its texts are taken for Latin alphabet No. "
            "1: check the patient's name"
        )
    if copied.get("PatientIdentityRemoved") == "YES" and "DeidentificationMethodCodeSequence" not in copied:
        copied.setdefault("DeidentificationMethod", _UNSAID_METHOD)  # Type 1C
    copied.setdefault("BodyPartExamined", "BRAIN")  # what this program is for; a paired structure needs a Laterality
    if not copied.PatientID:
        doubts.append("the series has no Patient ID: an archive may not know whose the result is")
    copied.FrameOfReferenceUID = text(header, "FrameOfReferenceUID")
    if not copied.FrameOfReferenceUID:
        # Type 1, so it needs a value. Its own one claims no more than is known: these slices share one space.
        copied.FrameOfReferenceUID = derived_uid("frame of reference", series.series_uid)
        doubts.append(
            "the series has no Frame of Reference UID, so the result has one of its own: viewers will not show the two "
            "in step"
        )
    return copied, tuple(doubts)


def _character_set(header: Dataset) -> tuple[list[str], list[str]]:
    """Defined terms in which names stay in the bytes they have, none if there are none, and what is doubtful."""
    try:
        element = legal_element(header, "SpecificCharacterSet")
    except ValueError:
        terms = ["unknown"]
    else:
        if element is None:
            return [], []
        terms = [element.value] if element.VM == 1 else list(element.value)
    if all(term in python_encoding for term in terms):
        return [term or "ISO 2022 IR 6" for term in terms], []  # the same (PS3.3 C.12.1.1.2), said in full
    # Nobody knows what the bytes mean. As pydicom reads them they are legal in UTF-8.
    return ["ISO_IR 192"], ["the series' Specific Character Set is unknown: check the patient's name"]


def _copy(header: Dataset, copied: Dataset, keyword: str, terms: list[str]) -> bool:
    """Take over an element that has a legal value; False if it has a value that is not."""
    try:
        element = legal_element(header, keyword)
        if element is None:
            return True
        if element.VR != "SQ":
            _check_encodes(str(element.value), terms)
    except ValueError:
        return False
    if keyword in _ENUMERATED and element.value not in _ENUMERATED[keyword]:
        return False
    copied.add(element)
    return True


def _check_encodes(value: str, terms: list[str]) -> None:
    """Raise ValueError if a value cannot be written in a character set, where pydicom would write question marks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            encode_string(value, convert_encodings(terms or ["ISO_IR 100"]))
        except UserWarning as error:
            raise ValueError(str(error)) from error
