"""A new folder whose files appear together or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MRTranslateLib.errors import MRTranslateError, UsageError
from MRTranslateLib.files import reason, remove_strays, shown, sync, temporary_name


def refuse_unfit_folder(folder: Path) -> None:
    """Refuse now, before the work, a name under which :func:`new_folder` could not put its files.

    Raises:
        UsageError: If it is a file or holds files, or the folder that it lies in is missing or closed.
    """
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise UsageError(f"{shown(folder)} exists and is no folder: choose another name")
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{shown(folder)} holds files and is kept: give a new or an empty folder")
        if not folder.absolute().parent.is_dir():
            raise UsageError(f"cannot make {shown(folder)}: the folder that it lies in does not exist; create it first")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot make {shown(folder)}: {reason(error)}; choose another name") from error
    if not os.access(folder.absolute().parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot make {shown(folder)}: permission denied; choose another place")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name complete or not at all.

    The body writes into a hidden folder beside. When the body ends that is renamed; when it raises it is removed. What
    a killed process leaves behind, the next write into that place removes.

    Args:
        folder: Final name; nothing there, or an empty folder.

    Yields:
        An empty folder to write to.

    Raises:
        UsageError: As :func:`refuse_unfit_folder`.
        MRTranslateError: If it cannot be made or renamed.
    """
    refuse_unfit_folder(folder)
    final = folder.absolute()
    temporary = final.parent / temporary_name(final)
    remove_strays(final.parent)
    try:
        with writing(folder):
            temporary.mkdir()
        yield temporary
        with writing(folder):
            for path in sorted(temporary.rglob("*")):
                if path.is_file():
                    sync(path, os.O_RDWR)
            if final.is_dir():
                final.rmdir()  # an empty one, which Windows does not replace
            temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if os.name == "posix":
        with contextlib.suppress(OSError):  # some network file systems cannot sync a folder
            sync(final.parent, os.O_RDONLY)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the system says while something is written to ``folder``, as our own error.

    Raises:
        MRTranslateError: For an OSError of the body.
    """
    try:
        yield
    except OSError as error:
        raise MRTranslateError(
            f"cannot write {shown(folder)} ({reason(error)}): free space or choose another place"
        ) from error
