"""A window like Slicer's: the module panel on the left, the views on the right."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Qt


class MainWindow(QtWidgets.QMainWindow):
    """Borrows the panel of a module and the views of the layout manager."""

    def __init__(self, widget: Any, panel_width: int) -> None:
        """``widget`` is a scripted module's Python widget; ``panel_width`` in pixels."""
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle(f"{widget.moduleName} on the Slicer host (not 3D Slicer)")
        self._panel: QtWidgets.QWidget = widget.parent
        self._views: QtWidgets.QWidget = slicer.app.layoutManager().viewport()
        self._scroll = QtWidgets.QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._scroll.setWidget(self._panel)
        self._splitter = QtWidgets.QSplitter()
        self._splitter.addWidget(self._scroll)
        self._splitter.addWidget(self._views)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([panel_width, 10_000])
        self._scroll.setFixedWidth(panel_width)
        self.setCentralWidget(self._splitter)
        self.statusBar()
        for part in (self._panel, self._views):
            part.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen, False)
            part.show()

    def give_back(self) -> None:
        """Return the panel and the views, and close."""
        self._scroll.takeWidget()
        for part in (self._panel, self._views):
            part.setParent(None)
            part.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
            part.show()
        self.close()
        self.deleteLater()

    def let_resize(self) -> None:
        """Let a person drag the border between panel and views."""
        self._scroll.setMinimumWidth(300)
        self._scroll.setMaximumWidth(16_777_215)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        """Closing the window ends the program's event loop, if it runs one."""
        super().closeEvent(event)
        QtWidgets.QApplication.quit()
