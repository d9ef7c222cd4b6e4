"""Shows a table node."""

# ruff: noqa: N801 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtGui, QtWidgets

from Testing.slicer_host.node_observers import NodeObservers


class qMRMLTableView(QtWidgets.QTableView):
    """The cells of a vtkMRMLTableNode, read only, kept true while the table changes."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._table: Any = None
        self._observers = NodeObservers(self)
        self._cells = QtGui.QStandardItemModel(self)
        self.setModel(self._cells)
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)

    def setMRMLScene(self, scene: Any) -> None:
        """The scene the table lives in."""
        self._scene = scene

    def mrmlScene(self) -> Any:
        """The scene in use."""
        return self._scene

    def mrmlTableNode(self) -> Any:
        """The table shown, or None."""
        return self._table

    def setMRMLTableNode(self, node: Any) -> None:
        """Show another table, or none."""
        self._observers.remove_all()
        self._table = node
        if node is not None:
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, self._fill)
        self._fill()

    def _fill(self) -> None:
        table = self._table
        self._cells.clear()
        if table is None:
            return
        columns = range(table.GetNumberOfColumns())
        self._cells.setHorizontalHeaderLabels([table.GetColumnName(column) or "" for column in columns])
        for row in range(table.GetNumberOfRows()):
            self._cells.appendRow([QtGui.QStandardItem(table.GetCellText(row, column)) for column in columns])
        self.resizeColumnsToContents()
