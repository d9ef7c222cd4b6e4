"""The modules ``qt`` and ``ctk`` that Slicer's Python code imports."""

from __future__ import annotations

import enum
import sys
import types

from Testing.slicer_host import ctk_widgets, pythonqt
from Testing.slicer_host.ui_loader import QUiLoader

# PySide6's own machinery, which PythonQt does not have: a module that leans on it must fail here as it would in Slicer.
_PYSIDE_ONLY = {"Signal", "Slot", "Property", "SignalInstance", "ClassInfo", "QEnum", "QFlag", "QtMsgType"}


def install() -> None:
    """Put ``qt`` and ``ctk`` into ``sys.modules``."""
    _show_enums_as_numbers()
    qt = types.ModuleType("qt", "Qt as PythonQt shows it, on PySide6.")
    for module in pythonqt.QT_MODULES:
        for name in dir(module):
            if not name.startswith("_") and name not in _PYSIDE_ONLY:
                setattr(qt, name, getattr(module, name))
    vars(qt)["QUiLoader"] = QUiLoader
    ctk = types.ModuleType("ctk", "Stand-ins for the ctk widgets used by scripted modules.")
    vars(ctk).update(ctk_widgets.WIDGETS)
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk


def _show_enums_as_numbers() -> None:
    """Let ``print(slider.orientation)`` say 2, as PythonQt does; the values are numbers already (see ``__init__``)."""
    classes = [getattr(module, name) for module in pythonqt.QT_MODULES for name in dir(module)]
    inner = [value for cls in classes if isinstance(cls, type) for value in vars(cls).values()]
    for value in classes + inner:
        if isinstance(value, type) and issubclass(value, int) and issubclass(value, enum.Enum):
            value.__repr__ = int.__repr__  # type: ignore[method-assign]
