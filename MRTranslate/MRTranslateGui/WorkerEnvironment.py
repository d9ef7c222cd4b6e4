"""What the worker is started with: the interpreter, where it finds the library, where it may put files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import qt
import slicer

import MRTranslateLib

WORKER_ARGUMENTS = ("-m", "MRTranslateLib", "worker")


def pythonInterpreter() -> str:
    """Slicer's own Python program; this process's where there is none, as in tests without Slicer."""
    home = getattr(getattr(slicer, "app", None), "slicerHome", None)
    if home:
        program = Path(home, "bin", "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
        if program.exists():
            return str(program)
    return sys.executable


def workerEnvironment(temporaryFolder: Path) -> qt.QProcessEnvironment:
    """Slicer's own environment, which PythonSlicer needs, and what the worker needs besides.

    Args:
        temporaryFolder: Private folder for whatever the worker and its libraries put down.
    """
    environment = qt.QProcessEnvironment.systemEnvironment()
    library = str(Path(MRTranslateLib.__file__).resolve().parents[1])
    former = environment.value("PYTHONPATH", "")
    environment.insert("PYTHONPATH", library + os.pathsep + former if former else library)
    for name in ("TMPDIR", "TEMP", "TMP"):
        environment.insert(name, str(temporaryFolder))
    environment.insert("PYTHONUNBUFFERED", "1")
    environment.insert("PYTHONFAULTHANDLER", "1")  # a crash leaves its last Python lines in the log
    return environment
