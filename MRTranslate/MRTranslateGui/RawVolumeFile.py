"""Volumes as uncompressed files between Slicer and the worker: written as NRRD, read back as NIfTI-1.

Both are plain bytes after a short header, so that a volume passes in milliseconds and the panel is never blocked;
SimpleITK would have to be loaded first, and storage nodes would change the node that is saved.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NRRD_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16",
    "i4": "int32", "u4": "uint32", "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_NIFTI_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_NIFTI_HEADER_BYTES = 348


def writeNrrd(path: Path, array: np.ndarray[Any, Any], ijkToRAS: np.ndarray[Any, Any]) -> None:
    """Write a scalar volume.

    Args:
        path: Ends with ``.nrrd``.
        array: Axes k, j, i as Slicer gives them; integers of 1 to 8 bytes or floats.
        ijkToRAS: 4 x 4, mm.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the array is no scalar volume of these types.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    kind = _NRRD_TYPES.get(little.dtype.str[1:])
    if array.ndim != 3 or kind is None:
        raise ValueError(f"only scalar 3D volumes can be passed on, got {array.dtype} {array.shape}")
    lps = RAS_TO_LPS @ ijkToRAS
    vectors = ["(" + ",".join(repr(float(value)) for value in lps[:3, column]) + ")" for column in range(4)]
    sizes = " ".join(str(size) for size in reversed(array.shape))
    header = (
        f"NRRD0005\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
        f"space directions: {' '.join(vectors[:3])}\nkinds: domain domain domain\nendian: little\n"
        f"encoding: raw\nspace origin: {vectors[3]}\n\n"
    )
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        np.ascontiguousarray(little).tofile(file)


def readNifti(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Read an uncompressed little-endian NIfTI-1 file as the library writes it.

    Returns:
        The array, axes k, j, i, and the 4 x 4 IJK-to-RAS matrix of its sform (rounded to single precision there).

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is another kind of file or cut short.
    """
    return decodeNifti(path.read_bytes(), path.name)


def decodeNifti(content: bytes, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The same from the bytes of a file, which ``name`` names in messages.

    Raises:
        ValueError: As :func:`readNifti`.
    """
    header = content[:_NIFTI_HEADER_BYTES]
    if len(header) < _NIFTI_HEADER_BYTES or struct.unpack_from("<i", header)[0] != _NIFTI_HEADER_BYTES:
        raise ValueError(f"{name} is no little-endian NIfTI-1 file")
    numAxes, i, j, k = struct.unpack_from("<4h", header, 40)
    kind = _NIFTI_TYPES.get(struct.unpack_from("<h", header, 70)[0])
    offset = int(struct.unpack_from("<f", header, 108)[0])
    if numAxes != 3 or min(i, j, k) < 1 or kind is None or len(content) < offset + i * j * k * int(kind[1]):
        raise ValueError(f"{name} holds no complete scalar 3D volume")
    array = np.frombuffer(content, np.dtype(f"<{kind}"), i * j * k, offset).reshape(k, j, i)
    slope, intercept = struct.unpack_from("<2f", header, 112)
    if slope not in (0.0, 1.0) or intercept != 0.0:
        array = array * np.float32(slope) + np.float32(intercept)
    ijkToRAS = np.eye(4)
    ijkToRAS[:3] = np.frombuffer(header, "<f4", 12, 280).reshape(3, 4)
    return array, ijkToRAS
