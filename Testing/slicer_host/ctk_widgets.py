"""Stand-ins for the ctk widgets that scripted modules use, with the properties, signals and look of the originals.

Each property has its setter as a method too (``slider.value = 1`` and ``slider.setValue(1)``), since both are written.
"""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from Testing.slicer_host.ctk_numbers import (
    ctkDoubleRangeSlider,
    ctkDoubleSlider,
    ctkDoubleSpinBox,
    ctkRangeWidget,
    ctkSliderWidget,
)
from Testing.slicer_host.ctk_paths import ctkDirectoryButton, ctkPathLineEdit
from Testing.slicer_host.ctk_sections import ctkCollapsibleButton, ctkCollapsibleGroupBox


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that shows a text while nothing is chosen."""

    def _get_default_text(self) -> str:
        return self.placeholderText()

    def setDefaultText(self, text: str) -> None:
        """What to show while nothing is chosen."""
        self.setPlaceholderText(text)

    defaultText = Property(str, _get_default_text, setDefaultText)


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


class ctkPushButton(QtWidgets.QPushButton):
    """A push button."""


class ctkCheckablePushButton(QtWidgets.QPushButton):
    """A push button with a check box in it; the host shows its state as pressed."""

    checkBoxToggled = Signal(bool)

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self.setCheckable(True)
        self.toggled.connect(self.checkBoxToggled)


class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that may offer "don't show again"."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings_key = ""

    def _get_settings_key(self) -> str:
        return self._settings_key

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        """Where the user's answer is kept."""
        self._settings_key = key

    dontShowAgainSettingsKey = Property(str, _get_settings_key, setDontShowAgainSettingsKey)


class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows a colour."""

    colorChanged = Signal(QtGui.QColor)

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._color = QtGui.QColor(Qt.GlobalColor.black)

    def _get_color(self) -> QtGui.QColor:
        return self._color

    def setColor(self, color: QtGui.QColor) -> None:
        """Show another colour."""
        if color != self._color:
            self._color = QtGui.QColor(color)
            self.setText(self._color.name())
            self.colorChanged.emit(self._color)

    color = Property(QtGui.QColor, _get_color, setColor, notify=colorChanged)


class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text browser as high as its text."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._show_details_text, self._hide_details_text = "", ""
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.document().contentsChanged.connect(self.updateGeometry)

    def sizeHint(self) -> QtCore.QSize:
        """The document's height at the present width."""
        document = self.document().clone()
        document.setTextWidth(self.viewport().width())
        return QtCore.QSize(super().sizeHint().width(), round(document.size().height()) + 2 * self.frameWidth())

    minimumSizeHint = sizeHint

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Another width needs another height."""
        super().resizeEvent(event)
        self.updateGeometry()


class ctkExpandButton(QtWidgets.QToolButton):
    """A small arrow that is pressed or not."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setArrowType(Qt.ArrowType.DownArrow)


class ctkSearchBox(QtWidgets.QLineEdit):
    """A line edit for search words."""


WIDGETS: dict[str, type[QtWidgets.QWidget]] = {
    cls.__name__: cls
    for cls in (
        ctkCollapsibleButton,
        ctkCollapsibleGroupBox,
        ctkDoubleSlider,
        ctkDoubleSpinBox,
        ctkSliderWidget,
        ctkRangeWidget,
        ctkDoubleRangeSlider,
        ctkPathLineEdit,
        ctkDirectoryButton,
        ctkComboBox,
        ctkCheckBox,
        ctkPushButton,
        ctkCheckablePushButton,
        ctkMenuButton,
        ctkMessageBox,
        ctkColorPickerButton,
        ctkFittedTextBrowser,
        ctkExpandButton,
        ctkSearchBox,
    )
}
