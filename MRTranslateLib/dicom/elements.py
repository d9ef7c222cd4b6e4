"""Elements of somebody else's header: taken over when legal, and never trusted to be."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.config import RAISE, disable_value_validation
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

_NO_TEXT = re.compile("[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f\\ufffd]")
"""Control characters but those of paragraphs (PS3.5 6.1.3), and what stands for bytes that could not be read."""


@contextmanager
def tolerant() -> Iterator[None]:
    """pydicom's remarks about odd headers go nowhere; what is illegal is judged by :func:`legal_element`."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def legal_element(header: Dataset, keyword: str) -> DataElement | None:
    """A copy of an element of a header under the dictionary's VR, private elements inside left out.

    Returns:
        None where it is absent or empty.

    Raises:
        ValueError: If its value is not legal.
    """
    if keyword not in header:
        return None
    vr = dictionary_VR(keyword)
    try:
        with tolerant():
            element = header[keyword]
            if element.is_empty:
                return None
            value = [_public(item) for item in element.value] if vr == "SQ" else _plain(element.value)
        if vr != "SQ" and isinstance(value, list) and dictionary_VM(keyword) == "1":
            raise ValueError(f"{len(value)} values")
        if isinstance(value, bytes) or (vr != "SQ" and _NO_TEXT.search(str(value))):
            raise ValueError("bytes that are not of the character set")
        return DataElement(keyword, vr, value, validation_mode=RAISE)
    except Exception as error:  # pydicom raises whatever its parts raise on a value of the wrong kind
        raise ValueError(f"{keyword}: {error}") from error


def text(header: Dataset, keyword: str) -> str:
    """The value of an element as text; empty where it is absent, empty or not legal."""
    try:
        element = legal_element(header, keyword)
    except ValueError:
        return ""
    return "" if element is None else str(element.value).strip(" \0")


def _plain(value: Any) -> Any:
    """Strings for names, whose length pydicom checks only then; a plain list for several values."""
    if isinstance(value, MultiValue):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, PersonName) else value


def _public(item: Dataset) -> Dataset:
    """A copy of a sequence's item, all values read, without private elements."""
    copy = Dataset()
    for element in item:
        if element.tag.is_private:
            continue
        value = [_public(inner) for inner in element.value] if element.VR == "SQ" else _plain(element.value)
        copy.add(DataElement(element.tag, element.VR, value, validation_mode=RAISE))
    return copy
