"""The layout manager: arranges views as the scene's layout node says, and makes them when first needed."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from Testing.slicer_host.plot_view import qMRMLPlotView
from Testing.slicer_host.scene import Scene
from Testing.slicer_host.slice_widget import qMRMLSliceWidget
from Testing.slicer_host.table_view import qMRMLTableView
from Testing.slicer_host.three_d_widget import qMRMLThreeDWidget

INITIAL_SIZE = QtCore.QSize(800, 600)


class qSlicerLayoutManager(QtCore.QObject):
    """Shows the views of the current layout in ``viewport()``."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._widgets: dict[str, QtWidgets.QWidget] = {}  # view node ID -> widget
        self._shown: list[str] = []
        self._viewport = QtWidgets.QWidget()
        self._viewport.setObjectName("CentralWidgetLayoutFrame")
        self._viewport.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        self._stack = QtWidgets.QVBoxLayout(self._viewport)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._viewport.resize(INITIAL_SIZE)
        self._layout_node = scene.layout_logic.GetLayoutNode()
        self._arrangement = -1
        self._tag = self._layout_node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._arrange())
        self._layout_node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self._arrange()
        self._viewport.show()

    def release(self) -> None:
        """Let go of the scene; the views are dead afterwards."""
        self._layout_node.RemoveObserver(self._tag)
        for widget in self._widgets.values():
            if isinstance(widget, (qMRMLSliceWidget, qMRMLThreeDWidget)):
                widget.release()
        self._viewport.close()
        self._viewport.deleteLater()

    # What modules call ----------------------------------------------------------------------------------------------

    def setLayout(self, layout: int) -> None:
        """Show the layout with this number, one of Slicer's or one added to the layout node."""
        self._layout_node.SetViewArrangement(layout)

    def _get_layout(self) -> int:
        return int(self._layout_node.GetViewArrangement())

    layout = Property(int, _get_layout, setLayout, notify=layoutChanged)

    def layoutLogic(self) -> Any:
        """The vtkMRMLLayoutLogic."""
        return self._scene.layout_logic

    def viewport(self) -> QtWidgets.QWidget:
        """The widget that holds the views."""
        return self._viewport

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene.mrml

    def mrmlSliceLogics(self) -> Any:
        """A vtkCollection of all slice logics."""
        return self._scene.application_logic.GetSliceLogics()

    def sliceViewNames(self) -> list[str]:
        """Layout names of all slice views made so far, shown or not."""
        return [widget.mrmlSliceNode().GetLayoutName() for widget in self._of_type(qMRMLSliceWidget)]

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        """The slice view with this layout name, such as ``Red``."""
        widgets = (
            widget for widget in self._of_type(qMRMLSliceWidget) if widget.mrmlSliceNode().GetLayoutName() == name
        )
        return next(widgets, None)

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        """The ``index``-th 3D view."""
        widgets = self._of_type(qMRMLThreeDWidget)
        return widgets[index] if 0 <= index < len(widgets) else None

    def tableWidget(self, index: int) -> qMRMLTableView | None:
        """The ``index``-th table view."""
        widgets = self._of_type(qMRMLTableView)
        return widgets[index] if 0 <= index < len(widgets) else None

    def plotWidget(self, index: int) -> qMRMLPlotView | None:
        """The ``index``-th plot view."""
        widgets = self._of_type(qMRMLPlotView)
        return widgets[index] if 0 <= index < len(widgets) else None

    def resetSliceViews(self) -> None:
        """Zoom every slice view to its background volume."""
        for widget in self._of_type(qMRMLSliceWidget):
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Look at the middle in every 3D view."""
        for widget in self._of_type(qMRMLThreeDWidget):
            widget.threeDView().resetFocalPoint()

    threeDViewCount = Property(int, lambda self: len(self._of_type(qMRMLThreeDWidget)))
    tableViewCount = Property(int, lambda self: len(self._of_type(qMRMLTableView)))
    plotViewCount = Property(int, lambda self: len(self._of_type(qMRMLPlotView)))

    def _of_type(self, kind: type[Any]) -> list[Any]:
        return [widget for widget in self._widgets.values() if isinstance(widget, kind)]

    # Arranging ------------------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        arrangement = self._layout_node.GetViewArrangement()
        root = self._layout_node.GetLayoutRootElement()
        if arrangement == self._arrangement or root is None:
            return
        self._arrangement = arrangement
        self._shown = []
        old = self._stack.takeAt(0)
        arranged = self._build(root)
        self._stack.addWidget(arranged)
        arranged.show()
        for node_id, widget in self._widgets.items():
            if node_id not in self._shown:
                widget.setParent(None)
            self._scene.mrml.GetNodeByID(node_id).SetMappedInLayout(node_id in self._shown)
        if old is not None and (container := old.widget()) is not None and container not in self._widgets.values():
            container.deleteLater()
        self.layoutChanged.emit(arrangement)

    def _build(self, element: Any) -> QtWidgets.QWidget:
        """The widget of a <layout> element, filled, or of a <view> element."""
        if element.GetName() == "view":
            return self._view(element)
        kind = element.GetAttribute("type") or "vertical"
        items = [element.GetNestedElement(index) for index in range(element.GetNumberOfNestedElements())]
        contents = [(item, self._build(item.GetNestedElement(0))) for item in items]
        if kind == "tab":
            return _tabs(contents)
        if kind == "grid":
            return _grid(contents)
        return _row(contents, horizontal=kind == "horizontal", split=element.GetAttribute("split") == "true")

    def _view(self, element: Any) -> QtWidgets.QWidget:
        node = self._scene.layout_logic.GetViewFromElement(element)
        if node is None:
            return QtWidgets.QWidget()
        if node.GetID() not in self._widgets:
            self._widgets[node.GetID()] = self._make(node)
        self._shown.append(node.GetID())
        return self._widgets[node.GetID()]

    def _make(self, node: Any) -> QtWidgets.QWidget:
        if node.IsA("vtkMRMLSliceNode"):
            return qMRMLSliceWidget(self._scene.application_logic, node)
        if node.IsA("vtkMRMLViewNode"):
            return qMRMLThreeDWidget(self._scene.application_logic, node)
        if node.IsA("vtkMRMLTableViewNode"):
            return _TableOfViewNode(node)
        if node.IsA("vtkMRMLPlotViewNode"):
            return qMRMLPlotView(node)
        return QtWidgets.QLabel(f"{node.GetName()}: this host has no such view")


class _TableOfViewNode(qMRMLTableView):
    """Shows the table that a view node points to."""

    def __init__(self, view_node: Any) -> None:
        super().__init__()
        self._view_node = view_node
        self._view_observers = type(self._observers)(self)
        self._view_observers.add(view_node, vtk.vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def tableView(self) -> qMRMLTableView:
        """The table, as qMRMLTableWidget."""
        return self

    def mrmlTableViewNode(self) -> Any:
        """The view node."""
        return self._view_node

    def _follow(self) -> None:
        table = self._view_node.GetTableNode()
        if table is not self.mrmlTableNode():
            self.setMRMLTableNode(table)


def _row(contents: list[tuple[Any, QtWidgets.QWidget]], *, horizontal: bool, split: bool) -> QtWidgets.QWidget:
    if split:
        splitter = QtWidgets.QSplitter(Qt.Orientation.Horizontal if horizontal else Qt.Orientation.Vertical)
        for _, widget in contents:
            splitter.addWidget(widget)
            widget.show()
        sizes = [int(item.GetAttribute("splitSize") or 0) for item, _ in contents]
        splitter.setSizes(sizes if any(sizes) else [100] * len(contents))
        return splitter
    container = QtWidgets.QWidget()
    row = (QtWidgets.QHBoxLayout if horizontal else QtWidgets.QVBoxLayout)(container)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(2)
    for _, widget in contents:
        row.addWidget(widget, 1)
        widget.show()
    return container


def _grid(contents: list[tuple[Any, QtWidgets.QWidget]]) -> QtWidgets.QWidget:
    container = QtWidgets.QWidget()
    grid = QtWidgets.QGridLayout(container)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(2)
    for item, widget in contents:
        row, column, rows, columns = (
            int(item.GetAttribute(name) or default)
            for name, default in (("row", 0), ("column", 0), ("rowspan", 1), ("colspan", 1))
        )
        grid.addWidget(widget, row, column, rows, columns)
        widget.show()
    return container


def _tabs(contents: list[tuple[Any, QtWidgets.QWidget]]) -> QtWidgets.QWidget:
    tabs = QtWidgets.QTabWidget()
    for item, widget in contents:
        tabs.addTab(widget, item.GetAttribute("name") or "")
    return tabs
