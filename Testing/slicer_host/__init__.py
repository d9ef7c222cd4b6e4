"""A small stand-in for the 3D Slicer application, for tests and for trying the panel without Slicer.

The MRML scene, nodes, logics, displayable managers and ``slicer.util`` are Slicer's own, from the ``slicer-core``
wheel. What that wheel lacks is supplied here: Qt as PythonQt shows it (on PySide6), the ctk and qMRML widgets, the
application object with its layout manager, and the Python base classes of scripted modules. See README.md beside this
file.
"""

from __future__ import annotations

import sys

from Testing.slicer_host.availability import missing_reason

# PythonQt's enums are numbers. PySide6 makes its own IntEnum and IntFlag when it finds this before its first import:
# 0x02 inherit from int, 0x04 and 0x08 keep the short names (Qt.Checked beside Qt.CheckState.Checked).
sys.pyside6_option_python_enum = 0x0E  # type: ignore[attr-defined]

__all__ = ["load_module", "missing_reason", "start_host"]


def __getattr__(name: str) -> object:
    # Loaded late, so that a machine without slicer-core or PySide6 can still import this package and say why it skips.
    if name in ("load_module", "start_host"):
        from Testing.slicer_host import host

        return getattr(host, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
