"""The worker's life ends with its parent's, and takes along whatever the worker started."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from MRTranslateLib.worker.session import remove_if_abandoned

GRACE_SECONDS = 0.4
"""For the running job to stop by itself and tidy up; then the process ends anyway, within a second in all."""
LOCK_PATIENCE_SECONDS = 0.3
"""A dying parent closes our pipe and lets go of its lock in the same moment, but in no certain order."""


def own_process_group() -> int | None:
    """Become the leader of a session and process group, so that the client can kill worker and offspring at once.

    Returns:
        The group, None where there are no process groups or the system refuses.
    """
    if os.name != "posix":
        return None
    with contextlib.suppress(OSError):  # refused to a group's leader, which is what is wanted
        os.setsid()
    return os.getpgrp() if os.getpgrp() == os.getpid() else None


class ParentWatch:
    """Notices on POSIX systems that the parent has died although the pipe is still open, because a third holds it."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def is_orphan(self) -> bool:
        """Whether another process has become the parent; always False on Windows, where orphans keep the number."""
        return os.getppid() != self._parent


class LastWill:
    """What happens when the client is gone; from whichever thread notices first, and once."""

    def __init__(self, session_folder: Path | None, stop_work: Callable[[], object]) -> None:
        self._session_folder, self._stop_work = session_folder, stop_work
        self._begun = threading.Lock()

    def carry_out(self) -> None:
        """Ask the work to stop, wait :data:`GRACE_SECONDS` for the process to end by itself, then end it."""
        if not self._begun.acquire(blocking=False):
            return
        self._stop_work()
        time.sleep(GRACE_SECONDS)
        self.leave_nothing()
        os._exit(1)

    def leave_nothing(self) -> None:
        """Kill all descendants; remove the session's folder if its owner is dead."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        if self._session_folder is not None:
            give_up = time.monotonic() + LOCK_PATIENCE_SECONDS
            while not remove_if_abandoned(self._session_folder) and time.monotonic() < give_up:
                time.sleep(0.05)
