"""Shows a plot chart node: Qt lines and dots where Slicer draws with VTK charts."""

# ruff: noqa: N801 (the names are Slicer's)

from __future__ import annotations

import math
from typing import Any, NamedTuple

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from Testing.slicer_host.node_observers import NodeObservers

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 34, 46
_LEGEND_ROW = 16
_NUM_TICKS = 5


class Curve(NamedTuple):
    """One series: its title, colour, and points that have a number."""

    title: str
    color: QtGui.QColor
    points: tuple[tuple[float, float], ...]
    is_dashed: bool


class qMRMLPlotView(QtWidgets.QWidget):
    """The scatter and line series of a vtkMRMLPlotChartNode, kept true while they change."""

    def __init__(self, view_node: Any) -> None:
        super().__init__()
        self._view_node, self._chart = view_node, None
        self._observers, self._chart_observers = NodeObservers(self), NodeObservers(self)
        self._observers.add(view_node, vtk.vtkCommand.ModifiedEvent, self._follow)
        self.setMinimumSize(60, 60)
        self._follow()

    def mrmlPlotViewNode(self) -> Any:
        """The view node."""
        return self._view_node

    def plotView(self) -> qMRMLPlotView:
        """The view, as qMRMLPlotWidget."""
        return self

    def curves(self) -> list[Curve]:
        """What is drawn."""
        if self._chart is None:
            return []
        count = self._chart.GetNumberOfPlotSeriesNodes()
        return [_curve(self._chart.GetNthPlotSeriesNode(index)) for index in range(count)]

    def _follow(self) -> None:
        chart = self._view_node.GetPlotChartNode()
        if chart is not self._chart:
            self._chart_observers.remove_all()
            self._chart = chart
            if chart is not None:
                self._chart_observers.add(chart, vtk.vtkCommand.ModifiedEvent, self._redraw)
        self._redraw()

    def _redraw(self) -> None:
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Axes, curves, legend."""
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtCore.Qt.GlobalColor.white)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        curves = [curve for curve in self.curves() if curve.points]
        if not curves:
            return
        legend = max(painter.fontMetrics().horizontalAdvance(curve.title) for curve in curves) + 40
        area = QtCore.QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT - legend, -_BOTTOM)
        to_pixels = _draw_axes(painter, area, curves)
        self._draw_titles(painter, area)
        for row, curve in enumerate(curves):
            _draw_curve(painter, [to_pixels(*point) for point in curve.points], curve)
            _draw_legend(painter, area.right() + 10, area.top() + row * _LEGEND_ROW, curve)

    def _draw_titles(self, painter: QtGui.QPainter, area: QtCore.QRectF) -> None:
        center = QtCore.Qt.AlignmentFlag.AlignCenter
        painter.setPen(QtCore.Qt.GlobalColor.black)
        painter.drawText(QtCore.QRectF(area.left(), 4, area.width(), 24), center, self._chart.GetTitle() or "")
        below = QtCore.QRectF(area.left(), area.bottom() + 20, area.width(), 22)
        painter.drawText(below, center, self._chart.GetXAxisTitle() or "")
        painter.save()
        painter.translate(14, area.center().y())
        painter.rotate(-90)
        painter.drawText(QtCore.QRectF(-150, -12, 300, 24), center, self._chart.GetYAxisTitle() or "")
        painter.restore()


def _curve(series: Any) -> Curve:
    table = series.GetTableNode().GetTable()
    xs, ys = (table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName()))
    if not all(isinstance(column, vtk.vtkDataArray) for column in (xs, ys)):
        return Curve(series.GetName(), QtGui.QColor(), (), False)  # Slicer draws no texts either
    points = [(xs.GetTuple1(row), ys.GetTuple1(row)) for row in range(xs.GetNumberOfTuples())]
    drawn = tuple(point for point in points if all(map(math.isfinite, point)))
    dashed = series.GetLineStyle() == slicer.vtkMRMLPlotSeriesNode.LineStyleDash
    return Curve(series.GetName(), QtGui.QColor.fromRgbF(*series.GetColor()), drawn, dashed)


def _draw_axes(painter: QtGui.QPainter, area: QtCore.QRectF, curves: list[Curve]) -> Any:
    """Axes with ticks; returns the function from values to pixels."""
    xs, ys = ([point[axis] for curve in curves for point in curve.points] for axis in (0, 1))
    (left, right), (low, high) = ((min(values), max(max(values), min(values) + 1e-6)) for values in (xs, ys))

    def to_pixels(x: float, y: float) -> QtCore.QPointF:
        across, up = (x - left) / (right - left), (y - low) / (high - low)
        return QtCore.QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())

    painter.setPen(QtCore.Qt.GlobalColor.gray)
    painter.drawRect(area)
    painter.setPen(QtCore.Qt.GlobalColor.black)
    for tick in range(_NUM_TICKS + 1):
        share = tick / _NUM_TICKS
        x, y = left + share * (right - left), low + share * (high - low)
        painter.drawText(to_pixels(x, low) + QtCore.QPointF(-6, 16), f"{x:.3g}")
        painter.drawText(to_pixels(left, y) + QtCore.QPointF(-34, 4), f"{y:.3g}")
    return to_pixels


def _draw_curve(painter: QtGui.QPainter, points: list[QtCore.QPointF], curve: Curve) -> None:
    pen = QtGui.QPen(curve.color, 2)
    if curve.is_dashed:
        pen.setStyle(QtCore.Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.drawPolyline(points)
    if not curve.is_dashed:
        painter.setBrush(curve.color)
        for point in points:
            painter.drawEllipse(point, 3, 3)


def _draw_legend(painter: QtGui.QPainter, x: float, y: float, curve: Curve) -> None:
    painter.fillRect(QtCore.QRectF(x, y + 5, 16, 3), curve.color)
    painter.setPen(QtCore.Qt.GlobalColor.black)
    painter.drawText(QtCore.QPointF(x + 22, y + 11), curve.title)
