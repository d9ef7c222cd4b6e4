"""The ``PythonSlicer`` executable: a launcher that starts Python as its child, as Slicer's does.

Killing only the launcher leaves the child alive; modules must end the whole tree, and tests can see whether they do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def make_python_slicer(folder: Path) -> Path:
    """Write the launcher into ``folder``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        launcher = folder / "PythonSlicer.bat"
        launcher.write_text(f'@"{sys.executable}" %*\r\n', encoding="utf-8")
        return launcher
    launcher = folder / "PythonSlicer"
    # The last line keeps the shell from replacing itself with Python.
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n', encoding="utf-8")
    launcher.chmod(0o755)
    return launcher
