"""Files that appear only when complete: written under a temporary name in the same folder, synced, then renamed.

A run killed at any moment leaves nothing under the final name. What it may leave is a hidden temporary file whose
name says which process on which machine made it; the next write into that folder removes it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from MRTranslateLib.errors import MRTranslateError, UsageError

TEMPORARY_PREFIX = ".mrtranslate-"
"""Start of the name of every temporary file; then machine, process id and a random part, separated by ``-``."""

_TEMPORARY_NAME = re.compile(re.escape(TEMPORARY_PREFIX) + r"(?P<machine>[0-9a-f]{12})-(?P<pid>\d+)-[0-9a-f]{16}\b")
_LONGEST_SHOWN = 200


def shown(path: Path | str) -> str:
    """``path`` for a message: on one line, printable everywhere, cut in the middle when very long.

    Example:
        >>> shown("scans/t1.nii.gz")
        'scans/t1.nii.gz'
    """
    text = str(path)
    if not text.isprintable():  # line feeds, and the surrogates of names that are not UTF-8
        text = ascii(text)
    if len(text) > _LONGEST_SHOWN:
        half = _LONGEST_SHOWN // 2
        text = f"{text[:half]}...{text[-half:]}"
    return text


def reason(error: OSError | ValueError) -> str:
    """What the system said, without the file name that our own sentence gives already."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


def full_extension(path: Path | str) -> str:
    """The extension in lower case, ``.gz`` together with the one before it; empty when there is none.

    Example:
        >>> full_extension("sub-01.ses-2_T1w.NII.GZ"), full_extension("scan.v2.nrrd")
        ('.nii.gz', '.nrrd')
    """
    suffixes = Path(path).suffixes
    kept = suffixes[-2:] if suffixes and suffixes[-1].lower() == ".gz" else suffixes[-1:]
    return "".join(kept).lower()


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same_place(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> bool:
    """Whether two names lead to one file or folder, there or not: through links, ``..``, or upper and lower case."""
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):  # one is not there, or no name at all
        with contextlib.suppress(OSError, ValueError):
            return os.path.realpath(first) == os.path.realpath(second)
    return False


def lies_in(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Whether a file, there or not, lies in a folder or in one below it, by whatever name."""
    try:
        return any(same_place(parent, folder) for parent in Path(os.path.realpath(path)).parents)
    except (OSError, ValueError):
        return False


def refuse_unfit_output(path: Path | str, *, overwrite: bool = False) -> None:
    """Refuse now, before the work, a name under which :func:`atomic_file` could not write in the end.

    Raises:
        UsageError: If ``path`` exists without ``overwrite``, is not a regular file, or its folder is missing or
            cannot be written.
    """
    final = Path(path)
    _refuse_unfit_target(final, overwrite=overwrite)
    if not final.parent.is_dir():
        raise _no_folder(final)
    if not os.access(final.parent, os.W_OK | os.X_OK):
        raise _closed_folder(final, "permission denied")


@contextmanager
def atomic_file(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a file that appears under ``path`` complete or not at all.

    The body writes to the path it is given, which lies in the same folder and has the same full extension. When the
    body ends the file is synced to disk and renamed; when it raises the temporary file is removed.

    Args:
        path: Final name.
        overwrite: Replace a file of that name; else it is kept and refused before the body runs.

    Yields:
        Path of an empty temporary file to write to.

    Raises:
        UsageError: If ``path`` exists without ``overwrite``, is not a regular file, or its folder is missing or
            cannot be written.
        MRTranslateError: If the finished file cannot be synced or renamed, for example because the disk is full.
    """
    final = Path(path)
    with atomic_files({final: overwrite}) as temporaries:
        yield temporaries[final]


@contextmanager
def atomic_files(finals: Mapping[Path, bool]) -> Iterator[dict[Path, Path]]:
    """Write several files as :func:`atomic_file` does; they appear together once all are complete, or none does.

    They are put in place one after the other, in the order given. Where that fails, those in place are taken away again
    and what they replaced comes back (if the file system has hard links). A run killed in between leaves the first.

    Args:
        finals: Final names, each with whether a file of that name may be replaced.

    Yields:
        Path of an empty temporary file to write to, by final name.

    Raises:
        MRTranslateError: As :func:`atomic_file`, and so the others.
    """
    temporaries: dict[Path, Path] = {}
    try:
        for final, overwrite in finals.items():
            _refuse_unfit_target(final, overwrite=overwrite)
            remove_strays(final.parent)
            temporaries[final] = _new_temporary(final)
        yield temporaries
        _put_in_place(temporaries, finals)
    except BaseException:
        for temporary in temporaries.values():
            _remove(temporary)
        raise
    if os.name == "posix":
        for folder in {final.parent for final in finals}:
            with contextlib.suppress(OSError):  # some network file systems cannot sync a folder
                sync(folder, os.O_RDONLY)


def _put_in_place(temporaries: Mapping[Path, Path], finals: Mapping[Path, bool]) -> None:
    """Give complete files their final names: all of them, or none."""
    for final, temporary in temporaries.items():
        with _finishing(final):
            sync(temporary, os.O_RDWR)
    with ExitStack() as always, ExitStack() as undo:
        for final, temporary in temporaries.items():
            _refuse_unfit_target(final, overwrite=finals[final])  # another run may have been faster
            former = final.parent / temporary_name(final)
            always.callback(_remove, former)
            if len(finals) > 1:
                with contextlib.suppress(OSError, NotImplementedError):  # nothing there, or no links here
                    os.link(final, former, follow_symlinks=False)
            with _finishing(final):
                os.replace(temporary, final)
            undo.callback(_take_back, final, former)
        undo.pop_all()


@contextmanager
def _finishing(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MRTranslateError(f"cannot finish writing {shown(final)}: {reason(error)}") from error


def _take_back(final: Path, former: Path) -> None:
    """Put back what ``final`` replaced, or nothing."""
    try:
        os.replace(former, final)
    except OSError:
        _remove(final)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def json_text(value: Any) -> str:
    """A msgspec struct, or plain values, as the JSON that we write to files: indented, ending with a line feed."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def write_text_atomic(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends through :func:`atomic_file`, whose errors it raises."""
    with atomic_file(path, overwrite=overwrite) as temporary:
        try:
            temporary.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise MRTranslateError(f"cannot write {shown(path)}: {reason(error)}") from error


def _refuse_unfit_target(final: Path, *, overwrite: bool) -> None:
    """Raise UsageError unless ``final`` is free or a regular file that may be replaced."""
    try:
        mode = final.stat().st_mode
    except FileNotFoundError:
        if not final.is_symlink():
            return
        raise UsageError(f"{shown(final)} is a link that leads nowhere: remove it or choose another name") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {shown(final)}: {reason(error)}; choose another name") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{shown(final)} is a folder: give the name of a file")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{shown(final)} is not a regular file: choose another name")
    if not overwrite:
        raise UsageError(f"{shown(final)} exists and is kept: choose another name or allow overwriting (--overwrite)")


def _new_temporary(final: Path) -> Path:
    """Create an empty file in the folder of ``final``, with the usual permissions of new files."""
    temporary = final.parent / temporary_name(final)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileNotFoundError:
        raise _no_folder(final) from None
    except OSError as error:
        raise _closed_folder(final, reason(error)) from error
    return temporary


def temporary_name(final: Path) -> str:
    """A hidden name beside ``final`` that says which process on which machine writes there."""
    return f"{TEMPORARY_PREFIX}{_machine()}-{os.getpid()}-{secrets.token_hex(8)}{full_extension(final)}"


def _no_folder(final: Path) -> UsageError:
    return UsageError(f"cannot write {shown(final)}: its folder does not exist; create it first")


def _closed_folder(final: Path, why: str) -> UsageError:
    closed = f"the folder {shown(final.parent)} takes no files ({why})"
    return UsageError(f"cannot write {shown(final)}: {closed}; choose another folder")


def sync(path: Path, flags: int) -> None:
    """Wait until what was written to a file or folder, opened with these flags of ``os.open``, is on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_strays(folder: Path) -> None:
    """Remove temporary files and folders that killed processes of this machine left in ``folder``.

    Only names of our form, made on this machine, by a process that is gone: a folder on a shared disk may hold the
    living files of others. Windows has no harmless way to ask for a process by id; there strays stay.
    """
    if os.name != "posix":
        return
    try:
        names = os.listdir(folder)
    except OSError:
        return  # the write itself will say what is wrong with the folder
    for name in names:
        match = _TEMPORARY_NAME.match(name)
        if match and match["machine"] == _machine() and not _is_running(int(match["pid"])):
            stray = folder / name
            if stray.is_dir() and not stray.is_symlink():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                _remove(stray)


@functools.cache
def _machine() -> str:
    """Twelve hexadecimal digits for this machine; containers that number their processes apart count as machines."""
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()} {namespace}".encode()).hexdigest()[:12]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's process, or a number we cannot judge
    return True
