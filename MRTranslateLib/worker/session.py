"""The private temporary folder that volumes pass through between Slicer and the worker.

Images of patients lie in it, so nobody else may read it, and it goes with its owner: at the latest when the owner's
process is dead, however that died. Who owns it holds a lock on a file inside; the system lets go of the lock when the
owner dies, so nobody has to guess from process numbers. Standard library only: Slicer uses this too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from MRTranslateLib.file_lock import try_lock

SESSION_PREFIX = "mrtranslate-session-"
LOCK_NAME = "owner.lock"
SETTLED_SECONDS = 10.0
"""A folder younger than this may be one whose owner has not locked it yet."""


class SessionFolder:
    """A new private folder, owned by this process until :meth:`remove` or the end of the process.

    Attributes:
        path: The folder; only the user may enter it (mode 700).
    """

    def __init__(self, parent: Path | None = None) -> None:
        """Make it in ``parent``, None for the system's temporary folder.

        Raises:
            OSError: If the parent takes no folder.
        """
        # mkdtemp makes it with mode 700; on Windows the user's own temporary folder is closed to others.
        self.path = Path(tempfile.mkdtemp(prefix=SESSION_PREFIX, dir=parent))
        self._lock = (self.path / LOCK_NAME).open("ab")
        try_lock(self._lock)

    def new_job_folder(self) -> Path:
        """An empty folder for the files of one job.

        Raises:
            OSError: If the disk is full or the session's folder is gone.
        """
        return Path(tempfile.mkdtemp(prefix="job-", dir=self.path))

    def remove(self) -> None:
        """Remove the folder and all in it; what cannot be removed is left to :func:`remove_abandoned`."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned(parent: Path | None = None) -> None:
    """Remove the folders that dead sessions of this user left in ``parent``, None for the temporary folder."""
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    with contextlib.suppress(OSError):
        for folder in parent.glob(SESSION_PREFIX + "*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > SETTLED_SECONDS:
                    remove_if_abandoned(folder)


def remove_if_abandoned(folder: Path) -> bool:
    """Remove a session's folder unless its owner lives; whether it was removed.

    Raises:
        ValueError: If ``folder`` does not have the name of a session's folder: nothing else is ever removed.
    """
    if not is_session_folder(folder):
        raise ValueError(f"{folder} is not named {SESSION_PREFIX}...")
    lock = folder / LOCK_NAME
    try:
        if folder.is_symlink() or (os.name == "posix" and folder.stat().st_uid != os.getuid()):
            return False
        if lock.exists():
            with lock.open("ab") as file:
                if not try_lock(file):
                    return False
    except OSError:
        return False
    # Renamed first: whoever still writes by name into the folder finds it gone instead of filling it again.
    with contextlib.suppress(OSError):
        folder = folder.rename(folder.with_name(folder.name + "-gone"))
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def is_session_folder(folder: Path) -> bool:
    """Whether it bears the name that :class:`SessionFolder` gives."""
    return folder.name.startswith(SESSION_PREFIX)
