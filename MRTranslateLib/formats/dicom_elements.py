"""A look at the lengths in a DICOM file before GDCM reads it.

GDCM takes the memory an element claims (up to 4 GiB, seconds of time) before it finds that the file ends earlier.
Encoding: DICOM PS3.5, chapters 7 and 10.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown

_PREAMBLE_BYTES = 132
_UNDEFINED = 0xFFFFFFFF
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_TRANSFER_SYNTAX = (0x0002, 0x0010)
_IMPLICIT = b"1.2.840.10008.1.2"
_NOT_WALKED = {b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"}  # big endian (retired) and deflated


def check_lengths(path: Path) -> None:
    """Refuse a file in which an element claims more bytes than follow it.

    Sequences and pixel data of undefined length are walked through, item by item.

    Raises:
        InputError: Naming the element.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(_PREAMBLE_BYTES)
            _walk(path, file, size)
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({reason(error)}): check the disk and permissions") from error


def _walk(path: Path, file: BinaryIO, size: int) -> None:
    syntax = b""
    while size - file.tell() >= 8:
        tag, length = _element_header(file, implicit=syntax == _IMPLICIT)
        if length == _UNDEFINED:
            continue
        if length > size - file.tell():
            element = f"({tag[0]:04x},{tag[1]:04x})"
            why = f"claims {length} bytes for its element {element}, more than it holds"
            raise InputError(f"{shown(path)} {why}: copy or export it again")
        if tag == _TRANSFER_SYNTAX:
            syntax = file.read(length).rstrip(b"\0 ")
            if syntax in _NOT_WALKED:
                return
        else:
            file.seek(length, 1)


def _element_header(file: BinaryIO, *, implicit: bool) -> tuple[tuple[int, int], int]:
    """Tag and length; file meta (group 2) is always explicit, items (group FFFE) have no VR."""
    group, element, vr, short = struct.unpack("<HH2sH", file.read(8))
    # What is no VR belongs to a length: an element of unknown VR has implicit content even in an explicit file.
    if group == 0xFFFE or (implicit and group != 0x0002) or vr not in _SHORT_VRS | _LONG_VRS:
        return (group, element), struct.unpack("<I", vr + struct.pack("<H", short))[0]
    if vr in _LONG_VRS:
        length = file.read(4)
        return (group, element), struct.unpack("<I", length)[0] if len(length) == 4 else _UNDEFINED
    return (group, element), short
