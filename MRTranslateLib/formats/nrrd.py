"""NRRD, in one file (.nrrd) or as a header with a file of voxels beside it (.nhdr).

Read here and not by ITK, whose reader takes memory and follows file names as the header says.
Reference: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
import sys
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

MAX_HEADER_BYTES = 1024**2

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPE_OF_TYPE = {name: dtype for dtype, names in _TYPES.items() for name in names}
_TO_RAS = {  # not left-anterior-superior, which ITK (5.4) mirrors: Slicer would show the result elsewhere
    "left-posterior-superior": RAS_TO_LPS,
    "lps": RAS_TO_LPS,
    "right-anterior-superior": np.eye(4),
    "ras": np.eye(4),
}


def read_nrrd(path: Path) -> Volume:
    """Read a NRRD volume, raw or gzip encoded.

    Without a ``space`` the axes are taken for left, posterior, superior from the origin, as ITK does.

    Returns:
        The volume; dtype as stored when integer, else float32.

    Raises:
        InputError: If the file is no NRRD volume, damaged, or not scalar and 3D.
    """
    fields, header_bytes = _parse_header(path)
    sizes = whole_numbers(path, "sizes", _required(path, fields, "sizes"))
    if [len(sizes)] != whole_numbers(path, "dimension", _required(path, fields, "dimension")):
        raise InputError(f"{shown(path)} has {len(sizes)} sizes and another dimension: its header is damaged")
    axes = _spatial_axes(fields, sizes)
    shape = spatial_shape(path, [sizes[axis] for axis in axes])
    affine = _affine(path, fields, axes[:3])
    detached = fields.get("data file", fields.get("datafile"))
    voxels_path = path if detached is None else detached_file(path, detached)
    encoding = _required(path, fields, "encoding").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise InputError(f"{shown(path)} has the encoding {clip(encoding)!r}: save it as raw or gzip")
    dtype = _dtype(path, fields)
    offset = _offset(
        path, fields, math.prod(shape) * dtype.itemsize, header_bytes if detached is None else 0, voxels_path
    )
    return Volume(read_voxels(VoxelBlock(voxels_path, offset, shape, dtype, deflated=encoding != "raw")), affine)


def _parse_header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, names in lower case, and the length of the header with its closing empty line."""
    start = read_start(path, MAX_HEADER_BYTES)
    if not re.match(rb"NRRD000\d\s", start):
        raise InputError(f"{shown(path)} does not start like a NRRD file: export it again as NRRD")
    end = re.search(rb"\r?\n\r?\n", start)
    if end is None and path.suffix.lower() != ".nhdr":
        raise InputError(f"{shown(path)} has a header without end: copy or export it again")
    text = start[: end.start() if end else None].decode("latin-1")
    lines = [line for line in text.splitlines()[1:] if not line.startswith("#") and ":=" not in line]
    pairs = [line.partition(":") for line in lines]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, end.end() if end else len(start)


def _required(path: Path, fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise InputError(f"{shown(path)} has no field {name!r} in its header: export it again")
    return fields[name]


def _spatial_axes(fields: dict[str, str], sizes: list[int]) -> list[int]:
    """Axes of the volume: all but those of size 1 that have no direction in space."""
    directions = _directions(fields)
    if len(directions) != len(sizes):
        return list(range(len(sizes)))
    return [axis for axis, size in enumerate(sizes) if size != 1 or directions[axis] != "none"]


def _directions(fields: dict[str, str]) -> list[str]:
    return re.findall(r"\([^)]*\)|none", fields.get("space directions", ""))


def _affine(path: Path, fields: dict[str, str], axes: list[int]) -> NDArray[np.float64]:
    """Voxel index to RAS mm."""
    affine = np.eye(4)
    if "space directions" in fields:
        directions = _directions(fields)
        for column, axis in enumerate(axes):
            vector = directions[axis] if axis < len(directions) else "(missing)"
            affine[:3, column] = _vector(path, "space directions", vector)
    else:
        spacing = numbers(path, "spacings", _required(path, fields, "spacings"))
        if len(spacing) <= max(axes):
            raise InputError(f"{shown(path)} has {len(spacing)} spacings for more axes: its header is damaged")
        check_spacing(path, [spacing[axis] for axis in axes])
        affine[:3, :3] = np.diag([spacing[axis] for axis in axes])
    if "axis mins" in fields or "axismins" in fields:
        raise InputError(f"{shown(path)} gives its place by 'axis mins': save it with 'space origin'")
    if "space origin" in fields:
        affine[:3, 3] = _vector(path, "space origin", fields["space origin"])
    space = fields.get("space", "left-posterior-superior").lower()
    if space not in _TO_RAS:
        raise InputError(f"{shown(path)} has the space {clip(space)!r}: save it in LPS or RAS")
    affine = _TO_RAS[space] @ affine
    check_affine(path, affine)
    return affine


def _vector(path: Path, field: str, text: str) -> list[float]:
    values = numbers(path, field, text.strip().removeprefix("(").removesuffix(")"))
    if len(values) != 3:
        raise InputError(f"{shown(path)} has {len(values)} numbers in a vector of {field!r}, not 3: export it again")
    return values


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    name = _required(path, fields, "type").lower()
    if name not in _DTYPE_OF_TYPE:
        raise InputError(f"{shown(path)} has the type {clip(name)!r}: convert it to short or float")
    dtype = np.dtype(_DTYPE_OF_TYPE[name])
    endian = fields.get("endian", sys.byteorder if dtype.itemsize == 1 else "").lower()
    if endian not in ("little", "big"):
        raise InputError(f"{shown(path)} has the byte order {clip(endian)!r}, not little or big: export it again")
    return dtype.newbyteorder("<" if endian == "little" else ">")


def _offset(path: Path, fields: dict[str, str], num_bytes: int, header_bytes: int, voxels_path: Path) -> int:
    """First byte of the voxels; ``byte skip: -1`` means that they end the file."""
    if whole_numbers(path, "line skip", fields.get("line skip", fields.get("lineskip", "0"))) != [0]:
        raise InputError(f"{shown(path)} skips lines before its voxels: save it without 'line skip'")
    skip = whole_numbers(path, "byte skip", fields.get("byte skip", fields.get("byteskip", "0")))
    if skip == [-1]:
        return max(regular_file(voxels_path) - num_bytes, 0)
    if len(skip) != 1 or skip[0] < 0:
        raise InputError(f"{shown(path)} has the field 'byte skip' = {skip}: its header is damaged")
    return header_bytes + skip[0]
