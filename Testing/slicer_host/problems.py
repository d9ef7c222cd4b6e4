"""What went wrong without raising in the test: exceptions in slots and observers, VTK errors, forgotten processes."""

from __future__ import annotations

import re
import sys
import traceback
from types import TracebackType
from typing import Any

import psutil
import vtk
from PySide6 import QtCore

_HARMLESS_LEVELS = (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg)
_HARMLESS_TEXTS = ("propagateSizeHints", "QFontDatabase", "XDG_RUNTIME_DIR")  # about the platform, not about us


class Problems:
    """Collects them while it is installed; a test that expects one says so."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def install(self) -> None:
        """Listen to Python, VTK and Qt."""
        self._excepthook = sys.excepthook
        sys.excepthook = self._on_exception
        self._output = _OutputWindow(self)
        QtCore.qInstallMessageHandler(self._on_qt_message)

    def uninstall(self) -> None:
        """Stop listening."""
        sys.excepthook = self._excepthook
        QtCore.qInstallMessageHandler(None)
        vtk.vtkOutputWindow.SetInstance(None)

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # PySide6 and VTK print the exceptions of slots and observers through this hook and go on.
        self.found.append("".join(traceback.format_exception(kind, error, trace)))
        self._excepthook(kind, error, trace)

    def _on_qt_message(self, level: QtCore.QtMsgType, _context: Any, text: str) -> None:
        if level in _HARMLESS_LEVELS or any(noise in text for noise in _HARMLESS_TEXTS):
            return
        self.found.append(f"Qt: {text}")
        sys.stderr.write(f"Qt: {text}\n")

    def expect(self, pattern: str) -> str:
        """Take one collected problem that matches out of the list.

        Raises:
            AssertionError: If there is none.
        """
        for index, text in enumerate(self.found):
            if re.search(pattern, text):
                return self.found.pop(index)
        raise AssertionError(f"no problem matches {pattern!r} among {self.found}")


class _OutputWindow:
    """VTK's messages; errors count as problems."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._window = vtk.vtkStringOutputWindow()
        self._window.AddObserver(vtk.vtkCommand.ErrorEvent, self._on_error)
        vtk.vtkOutputWindow.SetInstance(self._window)

    @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]
    def _on_error(self, _caller: object, _event: str, text: str) -> None:
        self._problems.found.append(f"VTK: {text}")
        sys.stderr.write(f"VTK: {text}\n")


def child_processes() -> set[psutil.Process]:
    """All living descendants of this process."""
    alive = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
        except psutil.NoSuchProcess:
            continue
    return alive
