"""Stand-ins for the ctk sections that hide and show what they hold."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

_EXPLICIT = Qt.WidgetAttribute.WA_WState_ExplicitShowHide


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A section with a header; a click on the header hides or shows what lies below it."""

    contentsCollapsed = Signal(bool)
    _HEADER_HEIGHT = 24

    def __init__(self, *arguments: object) -> None:
        """``ctkCollapsibleButton(parent)`` or ``ctkCollapsibleButton(text, parent)``."""
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        if arguments and isinstance(arguments[0], str):
            self.setText(arguments[0])
        self._collapsed_height = 0
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._HEADER_HEIGHT, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred)
        self.toggled.connect(self._show_contents)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide (True) or show the contents."""
        self.setChecked(not collapsed)

    def _get_collapsed_height(self) -> int:
        return self._collapsed_height

    def setCollapsedHeight(self, height: int) -> None:
        """How many pixels of the contents stay visible when collapsed; the host hides them all."""
        self._collapsed_height = height

    collapsed = Property(bool, _is_collapsed, setCollapsed)
    collapsedHeight = Property(int, _get_collapsed_height, setCollapsedHeight)

    def _show_contents(self, shown: bool) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget) and not child.isWindow():
                self._show_child(child, shown)
        self.updateGeometry()
        self.contentsCollapsed.emit(not shown)

    @staticmethod
    def _show_child(child: QtWidgets.QWidget, shown: bool) -> None:
        # What was hidden on purpose before the collapse stays hidden after it.
        if not shown:
            child.setProperty("hiddenBeforeCollapse", child.isHidden() and child.testAttribute(_EXPLICIT))
        child.setVisible(shown and not child.property("hiddenBeforeCollapse"))

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """Hide what is added while collapsed."""
        super().childEvent(event)
        child = event.child()
        if event.polished() and not self.isChecked() and isinstance(child, QtWidgets.QWidget):
            self._show_child(child, shown=False)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Only the header is clickable."""
        return 0 <= position.y() < self._HEADER_HEIGHT and self.rect().contains(position)

    def sizeHint(self) -> QtCore.QSize:
        """The header, and the layout below it unless collapsed."""
        return self._size(layout.totalSizeHint() if (layout := self.layout()) else QtCore.QSize())

    def minimumSizeHint(self) -> QtCore.QSize:
        """The same for the smallest layout."""
        return self._size(layout.totalMinimumSize() if (layout := self.layout()) else QtCore.QSize())

    def _size(self, contents: QtCore.QSize) -> QtCore.QSize:
        header = QtCore.QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._HEADER_HEIGHT)
        return header if not self.isChecked() or not contents.isValid() else contents.expandedTo(header)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the header: an arrow and the text on a bar."""
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self._HEADER_HEIGHT)
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 6, 12, 12)
        primitive = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(
            primitive.PE_IndicatorArrowDown if self.isChecked() else primitive.PE_IndicatorArrowRight, arrow
        )
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width() - 34)
        painter.drawText(
            option.rect.adjusted(24, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text
        )


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose contents hide when it is unchecked."""

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        if arguments and isinstance(arguments[0], str):
            self.setTitle(arguments[0])
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._show_contents)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide (True) or show the contents."""
        self.setChecked(not collapsed)

    collapsed = Property(bool, _is_collapsed, setCollapsed)

    def _show_contents(self, shown: bool) -> None:
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            child.setVisible(shown)
