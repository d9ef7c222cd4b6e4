"""Where the finished cells of a robustness run wait while it is cancelled, failed, or Slicer is gone.

A private folder under Slicer's temporary path, named after what decides the cells' content: the same case goes on where
it stopped, another case never meets it. It goes when its run is done, or when nobody came back for it in a week.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import slicer

import MRTranslateLib

PARENT_NAME = "MRTranslate-robustness"
FOLDER_PREFIX = "case-"
KEPT_DAYS = 7


class CaseDigest:
    """Collects what decides the content of a cell: files one by one, then the settings."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=12)

    def addFile(self, path: Path) -> None:
        """A file of the case, by its role (its name) and content.

        Raises:
            OSError: If it cannot be read.
        """
        self._hash.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                self._hash.update(block)

    def addSettings(self, settings: Mapping[str, Any]) -> None:
        """JSON values."""
        self._hash.update(json.dumps([MRTranslateLib.__version__, settings], sort_keys=True).encode())

    def folder(self) -> Path:
        """The case's folder; nothing is made."""
        return parentFolder() / f"{FOLDER_PREFIX}{self._hash.hexdigest()}"


def parentFolder() -> Path:
    """The folder of all unfinished runs; nothing is made."""
    return Path(slicer.app.temporaryPath) / PARENT_NAME


def claim(folder: Path) -> None:
    """Make the folder, closed to other users, and forget the runs that nobody came back for.

    Raises:
        OSError: If there is no place.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob(f"{FOLDER_PREFIX}*"):
        if old != folder and time.time() - old.stat().st_mtime > KEPT_DAYS * 86400:
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.touch()


def finishedCells(folder: Path, perturbations: Sequence[str]) -> int:
    """How many cells of these kinds wait there."""
    return sum(len(list((folder / "cells").glob(f"{name}_level*_*.json"))) for name in perturbations)


def remove(folder: Path) -> None:
    """The run is done."""
    shutil.rmtree(folder, ignore_errors=True)
