"""Dialogs that open in a test: answered as the test said, else closed and counted as a problem. No test hangs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtWidgets

from Testing.slicer_host.problems import Problems

Answer = Callable[[Any], object]  # gets the dialog

_LOOK_EVERY_MS = 20


class Dialogs(QtCore.QObject):
    """Looks for modal dialogs; the timer also runs inside their own event loops."""

    def __init__(self, problems: Problems) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._problems = problems
        self._answers: deque[Answer] = deque()
        self._handled: QtWidgets.QWidget | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_LOOK_EVERY_MS)

    def answer_next(self, answer: Answer) -> None:
        """Call ``answer(dialog)`` with the next modal dialog: ``lambda dialog: dialog.accept()``."""
        self._answers.append(answer)

    def reset(self) -> None:
        """Forget answers and what was seen."""
        self._answers.clear()
        self.seen.clear()

    def watch(self, watching: bool) -> None:
        """With False, dialogs wait for a person."""
        if watching:
            self._timer.start(_LOOK_EVERY_MS)
        else:
            self._timer.stop()

    def _look(self) -> None:
        dialog = QtWidgets.QApplication.activeModalWidget()
        if dialog is self._handled:
            return
        self._handled = dialog
        if isinstance(dialog, QtWidgets.QDialog):
            self._handle(dialog)

    def _handle(self, dialog: QtWidgets.QDialog) -> None:
        text = dialog.windowTitle()
        if isinstance(dialog, QtWidgets.QMessageBox):
            text = f"{text}: {dialog.text()}"
        self.seen.append(text)
        if self._answers:
            self._answers.popleft()(dialog)
        elif isinstance(dialog, QtWidgets.QProgressDialog):
            self._handled = dialog  # shows progress and waits for no answer
        else:
            self._problems.found.append(f"an unexpected dialog opened: {text}")
            dialog.reject()
