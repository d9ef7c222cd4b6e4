"""Unpack a zipped bundle without trusting it."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from MRTranslateLib.errors import ModelError

MAX_UNPACKED_BYTES = 512 << 20
"""More than ten times the weights that may be shipped: enough for any bundle, too little to fill a disk."""
MAX_FILES = 64
CHUNK_BYTES = 1 << 20
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OSError)
"""What reading a damaged zip file raises; RuntimeError is an encrypted entry, ValueError and OSError a wild offset."""


def unpack_bundle(archive: IO[bytes], folder: Path, *, where: str) -> None:
    """Write the files of a zipped bundle, flat, into an existing empty folder and wait until they are on the disk.

    The bundle's files lie at the top of the archive or in one folder. What macOS adds (``__MACOSX``, hidden files)
    and empty folders are left out.

    Args:
        archive: An open zip file, seekable.
        folder: Takes the files.
        where: The archive's name for messages.

    Raises:
        ModelError: If it is no zip file or damaged; if a path is absolute, climbs (``..``), lies deeper or is given
            twice; if an entry is a link; or if the files are too many or too large.
        OSError: If ``folder`` cannot be written.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except ZIP_ERRORS as error:
        raise ModelError(_unusable(where, error)) from error
    with opened:
        budget = MAX_UNPACKED_BYTES
        for name, entry in _safe_entries(opened, where).items():
            budget -= _extract(opened, entry, folder / name, budget, where)


def _safe_entries(opened: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """Entries to unpack by plain file name."""
    entries: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename)
        # orig_filename is what the archive says, before zipfile cuts at NUL and turns the system's separators.
        if path.is_absolute() or ".." in path.parts or "\\" in entry.orig_filename or ":" in entry.orig_filename:
            raise ModelError(f"{where} holds {entry.orig_filename!r}, a path that leaves its folder: do not trust it")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelError(f"{where} holds {entry.filename!r}, a link or device: do not trust it")
        if entry.is_dir() or path.parts[0] == "__MACOSX" or path.name.startswith("."):
            continue
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelError(f"{where} holds {entry.filename!r} in an unusual compression: zip it with deflate")
        folders.add(path.parent)
        if path.name in entries or len(path.parts) > 2 or len(folders) > 1:
            raise ModelError(f"{where} holds {entry.filename!r}: a zipped bundle is one flat folder of files")
        entries[path.name] = entry
    if not 0 < len(entries) <= MAX_FILES:
        raise ModelError(f"{where} holds {len(entries)} files, a zipped bundle has 1 to {MAX_FILES}")
    return entries


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, budget: int, where: str) -> int:
    """Write one entry; counts the bytes that really come out, because the header may lie. Returns their number."""
    num_bytes = 0
    with path.open("xb") as file:
        for chunk in _chunks(opened, entry, where):
            num_bytes += len(chunk)
            if num_bytes > budget:
                raise ModelError(f"{where} unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB: do not trust it")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return num_bytes


def _chunks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
    """The content of an entry in pieces; apart from the writing, whose OSError means something else."""
    try:
        with opened.open(entry) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                yield chunk
    except ZIP_ERRORS as error:
        raise ModelError(_unusable(where, error)) from error


def _unusable(where: str, error: Exception) -> str:
    return f"{where} is not a usable zip file ({str(error) or 'it ends too early'}): fetch it again"
