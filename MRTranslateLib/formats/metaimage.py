"""MetaImage, in one file (.mha) or as a header with a file of voxels beside it (.mhd).

Read here and not by ITK, whose reader takes memory and follows file names as the header says.
Reference: https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.formats.checks import (
    check_affine,
    check_spacing,
    clip,
    detached_file,
    numbers,
    regular_file,
    spatial_shape,
    whole_numbers,
)
from MRTranslateLib.formats.voxels import VoxelBlock, read_start, read_voxels
from MRTranslateLib.volume import RAS_TO_LPS, Volume

MAX_HEADER_BYTES = 64 * 1024

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # 4 bytes in MetaIO on every system
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read_metaimage(path: Path) -> Volume:
    """Read a MetaImage volume, raw or compressed.

    Returns:
        The volume; dtype as stored when integer, else float32.

    Raises:
        InputError: If the file is no MetaImage volume, damaged, or not scalar and 3D.
    """
    fields, header_bytes = _parse_header(path)
    sizes = whole_numbers(path, "DimSize", _required(path, fields, "DimSize"))
    num_axes = whole_numbers(path, "NDims", _required(path, fields, "NDims"))
    if num_axes != [len(sizes)]:
        raise InputError(f"{shown(path)} has {len(sizes)} sizes and another NDims: its header is damaged")
    if whole_numbers(path, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", "1")) != [1]:
        raise InputError(f"{shown(path)} has several values per voxel: give a volume with one real value per voxel")
    if not _is_true(fields.get("BinaryData", "False")):
        raise InputError(f"{shown(path)} stores its voxels as text: save it as binary")
    shape = spatial_shape(path, sizes)
    affine = _affine(path, fields, len(sizes))
    local = fields["ElementDataFile"].upper() == "LOCAL"
    voxels_path = path if local else detached_file(path, fields["ElementDataFile"])
    dtype = _dtype(path, fields)
    offset = _offset(path, fields, math.prod(shape) * dtype.itemsize, header_bytes if local else 0, voxels_path)
    deflated = _is_true(fields.get("CompressedData", "False"))
    return Volume(read_voxels(VoxelBlock(voxels_path, offset, shape, dtype, deflated=deflated)), affine)


def _parse_header(path: Path) -> tuple[dict[str, str], int]:
    """The fields and the length of the header, which the line ElementDataFile ends."""
    start = read_start(path, MAX_HEADER_BYTES)
    end = re.search(rb"^ElementDataFile[ \t]*=[^\n]*(\n|\Z)", start, re.MULTILINE)
    if end is None:
        raise InputError(f"{shown(path)} is no MetaImage (it has no line ElementDataFile): export it again")
    pairs = [line.partition("=") for line in start[: end.end()].decode("latin-1").splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    if fields.get("ObjectType", "Image").lower() != "image":
        raise InputError(f"{shown(path)} holds a {clip(fields['ObjectType'])!r} and no image: give a volume")
    return fields, end.end()


def _required(path: Path, fields: dict[str, str], *names: str) -> str:
    """The first of several fields that mean the same."""
    for name in names:
        if name in fields:
            return fields[name]
    raise InputError(f"{shown(path)} has no field {names[0]!r} in its header: export it again")


def _is_true(text: str) -> bool:
    return text[:1].upper() in ("T", "1")


def _affine(path: Path, fields: dict[str, str], num_axes: int) -> NDArray[np.float64]:
    """Voxel index to RAS mm; a row of TransformMatrix is the direction of one axis, in LPS."""
    spacing = numbers(path, "ElementSpacing", _required(path, fields, "ElementSpacing", "ElementSize"))
    identity = " ".join(str(value) for value in np.eye(num_axes).ravel())
    matrix = numbers(path, "TransformMatrix", _first(fields, identity, "TransformMatrix", "Rotation", "Orientation"))
    origin = numbers(path, "Offset", _first(fields, " 0" * num_axes, "Offset", "Position", "Origin"))
    for name, values, count in (
        ("ElementSpacing", spacing, num_axes),
        ("TransformMatrix", matrix, num_axes**2),
        ("Offset", origin, num_axes),
    ):
        if len(values) != count:
            raise InputError(f"{shown(path)} has {len(values)} numbers in {name!r}, not {count}: export it again")
    check_spacing(path, spacing[:3])
    lps = np.eye(4)
    lps[:3, :3] = np.array(matrix).reshape(num_axes, num_axes)[:3, :3].T * np.array(spacing[:3])
    lps[:3, 3] = origin[:3]
    affine = RAS_TO_LPS @ lps
    check_affine(path, affine)
    return affine


def _first(fields: dict[str, str], default: str, *names: str) -> str:
    return next((fields[name] for name in names if name in fields), default)


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = _required(path, fields, "ElementType")
    if name not in _DTYPES:
        raise InputError(f"{shown(path)} has the element type {clip(name)!r}: convert it to MET_SHORT or MET_FLOAT")
    big = _is_true(_first(fields, "False", "BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    return np.dtype(_DTYPES[name]).newbyteorder(">" if big else "<")


def _offset(path: Path, fields: dict[str, str], num_bytes: int, header_bytes: int, voxels_path: Path) -> int:
    """First byte of the voxels; ``HeaderSize = -1`` means that they end the file."""
    skip = whole_numbers(path, "HeaderSize", fields.get("HeaderSize", "0"))
    if skip == [-1]:
        return max(regular_file(voxels_path) - num_bytes, 0)
    if len(skip) != 1 or skip[0] < 0:
        raise InputError(f"{shown(path)} has the field 'HeaderSize' = {skip}: its header is damaged")
    return header_bytes + skip[0]
