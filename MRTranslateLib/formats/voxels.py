"""From the bytes of a file to an array, raw or deflated, without ever trusting the header's promises.

What a header claims is compared with the size of the file before memory is taken, and a stream is never unpacked
further than claimed, so a lying header or a compression bomb costs nothing.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown
from MRTranslateLib.formats.checks import regular_file

MAX_OFFSET_BYTES = 64 * 1024**2
"""No header with its extensions is longer than this."""

_BLOCK_BYTES = 1024**2
_DEFLATE_LIMIT = 1032
"""Deflate packs no more than this many bytes into one (zlib's technical notes)."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True)
class VoxelBlock:
    """Where a header says its voxels are.

    Attributes:
        path: The file that holds them.
        offset: Bytes before the first voxel: of the unpacked stream when ``unpack_whole_file``, else of the file.
        shape: ``(I, J, K)``; i varies fastest.
        dtype: As stored, byte order included.
        deflated: Whether the voxels are a gzip or zlib stream.
        unpack_whole_file: Whether that stream starts with the file and not at ``offset``.
    """

    path: Path
    offset: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    deflated: bool = False
    unpack_whole_file: bool = False


def is_gzip(path: Path) -> bool:
    """Whether a file starts like a gzip stream, whatever its name says.

    Raises:
        InputError: If it cannot be read.
    """
    regular_file(path)
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def read_start(path: Path, num_bytes: int, *, unpack: bool = False) -> bytes:
    """The first bytes of a file; fewer when it is shorter.

    Args:
        path: A file.
        num_bytes: How many.
        unpack: Take them from the unpacked stream where the file is gzip.

    Raises:
        InputError: If it cannot be read or unpacked.
    """
    packed = is_gzip(path) and unpack
    try:
        with path.open("rb") as file:
            return _take(_unpacked(file, num_bytes), num_bytes) if packed else file.read(num_bytes)
    except zlib.error as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def read_voxels(block: VoxelBlock) -> NDArray[Any]:
    """Read the voxels in native byte order.

    Returns:
        Shape ``(I, J, K)``, the stored integer type, or float32 for any floating type.

    Raises:
        InputError: If the file holds fewer voxels than promised or its stream is damaged.
    """
    num_bytes = math.prod(block.shape) * block.dtype.itemsize
    size = regular_file(block.path)
    if not 0 <= block.offset <= MAX_OFFSET_BYTES:
        raise InputError(f"{shown(block.path)} claims voxels at byte {block.offset}: its header is damaged")
    most = (size + 64) * _DEFLATE_LIMIT if block.deflated else size
    if block.offset + num_bytes > most:
        raise _too_short(block.path, num_bytes, size)
    try:
        with block.path.open("rb") as file:
            stored = _read_deflated(file, block, num_bytes) if block.deflated else _read_raw(file, block, num_bytes)
    except zlib.error as error:
        raise _damaged(block.path, error) from error
    except OSError as error:
        raise _unreadable(block.path, error) from error
    array = stored.view(block.dtype).reshape(block.shape, order="F")
    with np.errstate(all="ignore"):  # float64 beyond float32 becomes infinite, which the guard counts
        return array.astype(np.float32 if block.dtype.kind == "f" else block.dtype.newbyteorder("="), copy=False)


def _read_raw(file: BinaryIO, block: VoxelBlock, num_bytes: int) -> NDArray[np.uint8]:
    file.seek(block.offset)
    stored = np.fromfile(file, np.uint8, num_bytes)
    if stored.size < num_bytes:  # the file shrank since it was measured
        raise _too_short(block.path, num_bytes, stored.size)
    return stored


def _read_deflated(file: BinaryIO, block: VoxelBlock, num_bytes: int) -> NDArray[np.uint8]:
    to_skip = block.offset if block.unpack_whole_file else 0
    if not block.unpack_whole_file:
        file.seek(block.offset)
    stored = np.empty(num_bytes, np.uint8)
    filled = -to_skip
    for piece in _unpacked(file, to_skip + num_bytes):
        start = max(filled, 0)
        kept = memoryview(piece)[max(-filled, 0) :]
        stored[start : start + len(kept)] = np.frombuffer(kept, np.uint8)
        filled += len(piece)
    if filled < num_bytes:
        raise _too_short(block.path, num_bytes, max(filled, 0))
    return stored


def _unpacked(file: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    """Pieces of a gzip or zlib stream, ``num_bytes`` in all, or fewer when the stream ends early.

    A gzip file may be several streams in a row (bgzip, pigz). After the last byte asked for, the stream is followed
    a little further: where it ends there, zlib compares the checksum.
    """
    stream = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    packed, left, surplus = b"", num_bytes, 2 * _BLOCK_BYTES
    while left > 0 or (not stream.eof and surplus > 0):
        packed = packed or file.read(_BLOCK_BYTES)
        if stream.eof:
            packed = packed.lstrip(b"\0")  # padding between streams
            if packed:
                stream = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
        at_end = not packed
        piece = stream.decompress(packed, left or surplus) if not stream.eof else b""
        packed = stream.unused_data if stream.eof else stream.unconsumed_tail
        if left:
            yield piece
            left -= len(piece)
        else:
            surplus -= len(piece)
        if at_end and not piece:
            if left == 0 and not stream.eof:
                raise zlib.error("the stream stops before its checksum")
            return


def _take(pieces: Iterator[bytes], num_bytes: int) -> bytes:
    """Join pieces up to ``num_bytes``, leaving the rest of the stream unread."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= num_bytes:
            break
    return start


def _too_short(path: Path, promised: int, held: int) -> InputError:
    what = f"its header promises {promised} bytes of voxels and the file holds {held}"
    return InputError(f"{shown(path)} ends early or its header is damaged, {what}: copy or export it again")


def _damaged(path: Path, error: zlib.error) -> InputError:
    return InputError(f"{shown(path)} is damaged and cannot be unpacked ({error}): copy or export it again")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{shown(path)} cannot be read ({reason(error)}): check the disk and the permissions")
