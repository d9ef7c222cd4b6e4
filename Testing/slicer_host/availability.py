"""Whether this machine can run the host, and if not, why."""

from __future__ import annotations

import importlib.util

REQUIRED = {"slicer_core": "slicer-core", "PySide6": "PySide6-Essentials", "vtk": "vtk", "psutil": "psutil"}


def missing_reason() -> str | None:
    """One sentence naming the wheels to install, or None where the host can run."""
    missing = [wheel for module, wheel in REQUIRED.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return None
    return f"the Slicer host needs {' and '.join(missing)}: python -m pip install {' '.join(missing)}"
