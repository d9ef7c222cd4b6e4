"""One process at a time in a folder: a lock that the system itself lets go when its holder dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.file_lock import try_lock
from MRTranslateLib.files import shown

LOCK_NAME = ".mrtranslate-model-lock"
RETRY_SECONDS = 0.05


@contextmanager
def folder_lock(folder: Path, *, patience_seconds: float) -> Iterator[None]:
    """Hold the lock of ``folder`` during the body.

    The lock file stays; the lock on it ends with the body or with the process, SIGKILL included.

    Raises:
        MRTranslateError: If another process holds it longer than ``patience_seconds``.
        OSError: If the folder takes no files.
    """
    with (folder / LOCK_NAME).open("ab") as file:
        give_up = time.monotonic() + patience_seconds
        while not try_lock(file):
            if time.monotonic() > give_up:
                raise MRTranslateError(
                    f"another MRTranslate is changing the models in {shown(folder)}: try again when it has ended"
                )
            time.sleep(RETRY_SECONDS)
        yield
