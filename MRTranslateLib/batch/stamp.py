"""Is a file still what it was? Its size and time answer at once; where they differ, its content does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, sha256_of, shown

_HEADERS = (".hdr", ".mhd", ".nhdr")
"""Formats whose voxels lie in a file of the same name beside."""


class FileStamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, or a folder with all in it.

    Attributes:
        path: Absolute.
        size: Bytes.
        modified_ns: Time of the last change, of the youngest file of a folder; nanoseconds since 1970.
        sha256: Of the bytes; of a folder, of its files' names and hashes.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str

    def still_holds(self, path: Path) -> bool:
        """Whether ``path`` holds what was stamped, wherever it lay then.

        Raises:
            InputError: If it cannot be read.
        """
        size, modified_ns = _size_and_time(path)
        if str(path.absolute()) == self.path and (size, modified_ns) == (self.size, self.modified_ns):
            return True
        return size == self.size and _hash(path) == self.sha256


def stamp(path: Path) -> FileStamp:
    """The stamp of a file or folder.

    Raises:
        InputError: If it cannot be read.
    """
    size, modified_ns = _size_and_time(path)
    return FileStamp(path=str(path.absolute()), size=size, modified_ns=modified_ns, sha256=_hash(path))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        facts = [file.stat() for file in _files(path)]
    except (OSError, ValueError) as error:  # the latter for names that no file can have
        raise _unreadable(path, error) from error
    return sum(fact.st_size for fact in facts), max((fact.st_mtime_ns for fact in facts), default=0)


def _hash(path: Path) -> str:
    try:
        files = list(_files(path))
        if files == [path]:
            return sha256_of(path)
        digest, root = hashlib.sha256(), path if path.is_dir() else path.parent
        for file in files:
            digest.update(f"{file.relative_to(root).as_posix()} {sha256_of(file)}\n".encode(errors="surrogateescape"))
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    """The file itself, with the voxels of its header, or those of a folder; in an order that is the same everywhere."""
    if path.suffix.lower() in _HEADERS and path.parent.is_dir():
        beside = f"{path.stem}."
        yield from sorted(other for other in path.parent.iterdir() if other.name.startswith(beside) and other.is_file())
    elif not path.is_dir():
        yield path
    else:
        for here, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(here) / name for name in sorted(names) if not _is_of_the_system(name))


def _is_of_the_system(name: str) -> bool:
    """Whether a file browser made this file, which may come and go."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")


def _unreadable(path: Path, error: OSError | ValueError) -> InputError:
    return InputError(f"cannot read {shown(path)}: {reason(error)}; check its name and its permissions")
