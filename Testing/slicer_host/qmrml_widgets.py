"""Stand-ins for the qMRML widgets: they show and choose nodes of a real MRML scene."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.slicer_host import ctk_numbers, ctk_sections
from Testing.slicer_host.node_combo_box import qMRMLColorTableComboBox, qMRMLNodeComboBox
from Testing.slicer_host.segment_selector import qMRMLSegmentSelectorWidget
from Testing.slicer_host.table_view import qMRMLTableView


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and tells its children."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        """Use ``scene`` (None for none) and tell who is connected."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        """The scene in use."""
        return self._scene


class qMRMLSliderWidget(ctk_numbers.ctkSliderWidget):
    """A slider with the units of the scene; the host shows none."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._quantity = ""
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        """Where the units are defined."""
        self._scene = scene

    def mrmlScene(self) -> Any:
        """The scene in use."""
        return self._scene

    def _get_quantity(self) -> str:
        return self._quantity

    def setQuantity(self, quantity: str) -> None:
        """What is measured, such as ``length``."""
        self._quantity = quantity

    quantity = Property(str, _get_quantity, setQuantity)


class qMRMLSpinBox(ctk_numbers.ctkDoubleSpinBox):
    """A spin box with the units of the scene; the host shows none."""

    def setMRMLScene(self, scene: Any) -> None:
        """Where the units are defined."""


class qMRMLRangeWidget(ctk_numbers.ctkRangeWidget):
    """A range with the units of the scene; the host shows none."""

    def setMRMLScene(self, scene: Any) -> None:
        """Where the units are defined."""


class qMRMLCollapsibleButton(ctk_sections.ctkCollapsibleButton):
    """A collapsible section that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        """Tell who is connected."""
        self.mrmlSceneChanged.emit(scene)


WIDGETS: dict[str, type[QtWidgets.QWidget]] = {
    cls.__name__: cls
    for cls in (
        qMRMLWidget,
        qMRMLNodeComboBox,
        qMRMLColorTableComboBox,
        qMRMLSegmentSelectorWidget,
        qMRMLSliderWidget,
        qMRMLSpinBox,
        qMRMLRangeWidget,
        qMRMLCollapsibleButton,
        qMRMLTableView,
    )
}
