"""Pictures of a panel and of the views, for the documentation and for tests that look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt


def grab_panel(widget: Any, path: Path, width: int = 450, height: int | None = None) -> None:
    """Write the panel of a scripted module's widget as PNG; without ``height`` it is as high as it needs to be."""
    panel: QtWidgets.QWidget = widget.parent
    panel.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    panel.show()
    _settle(panel, QtCore.QSize(width, height or panel.sizeHint().height()))
    if height is None:  # texts that wrap know their height only at the right width
        needed = panel.heightForWidth(width) if panel.hasHeightForWidth() else panel.sizeHint().height()
        _settle(panel, QtCore.QSize(width, needed))
    _save(panel, path)


def grab_views(path: Path, width: int = 800, height: int = 600) -> None:
    """Write the views of the current layout as PNG."""
    viewport = slicer.app.layoutManager().viewport()
    _settle(viewport, QtCore.QSize(width, height))
    _render_all()
    _save(viewport, path)


def grab_window(widget: Any, path: Path, width: int = 1280, height: int = 800, panel_width: int = 450) -> None:
    """Write panel and views side by side as PNG, as in Slicer's main window."""
    from Testing.slicer_host.main_window import MainWindow

    window = MainWindow(widget, panel_width)
    window.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    window.show()
    _settle(window, QtCore.QSize(width, height))
    _render_all()
    _save(window, path)
    window.give_back()


def _settle(widget: QtWidgets.QWidget, size: QtCore.QSize) -> None:
    widget.resize(size)
    slicer.app.processEvents()


def _render_all() -> None:
    slicer.util.forceRenderAllViews()
    slicer.app.processEvents()


def _save(widget: QtWidgets.QWidget, path: Path) -> None:
    if not widget.grab().save(str(path)):
        raise OSError(f"the picture could not be written to {path}")
