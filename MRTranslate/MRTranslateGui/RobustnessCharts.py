"""The curves of a robustness run: for each region a chart of the relative change by level, a series for each type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from .RobustnessResult import REGION_ATTRIBUTE
from .RobustnessTables import LEVEL_COLUMN, curveColumn, limitOf, regionTitle

COLORS = (
    *((0.00, 0.45, 0.70), (0.90, 0.60, 0.00), (0.00, 0.62, 0.45), (0.80, 0.40, 0.00), (0.80, 0.47, 0.65)),
    *((0.34, 0.71, 0.91), (0.55, 0.45, 0.10), (0.35, 0.25, 0.60)),
)
"""Told apart with every kind of colour vision (after Okabe and Ito); markers change when they repeat."""
LIMIT_COLOR = (0.75, 0.10, 0.10)


def chartsOf(report: Mapping[str, Any], titles: Mapping[str, str], curves: Any, name: str) -> list[Any]:
    """New chart nodes, one for each region, with all their series.

    Args:
        report: As JSON values.
        titles: Of the perturbations, by key.
        curves: The table of curves.
        name: Of the run.
    """
    return [_chart(report, titles, curves, region, name) for region in report["unperturbed"]["regions"]]


def seriesOf(chart: Any) -> list[Any]:
    """The series nodes of a chart."""
    return [chart.GetNthPlotSeriesNode(index) for index in range(chart.GetNumberOfPlotSeriesNodes())]


def _chart(report: Mapping[str, Any], titles: Mapping[str, str], curves: Any, region: str, name: str) -> Any:
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name}, {region}")
    chart.SetAttribute(REGION_ATTRIBUTE, region)
    chart.SetTitle(_("Change of the {region}").format(region=regionTitle(region)))
    chart.SetXAxisTitle(_("Level"))
    chart.SetYAxisTitle(_("Mean absolute change (%)"))
    for index, perturbation in enumerate(report["plan"]["perturbations"]):
        series = _series(curves, curveColumn(region, perturbation), titles.get(perturbation, perturbation))
        series.SetColor(*COLORS[index % len(COLORS)])
        series.SetMarkerStyle(_MARKERS[index // len(COLORS) % len(_MARKERS)])
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    if limitOf(report, region) is not None:
        series = _series(curves, curveColumn(region, "limit"), _("limit of the model"))
        series.SetColor(*LIMIT_COLOR)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleDash)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    return chart


_MARKERS = (
    slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle,
    slicer.vtkMRMLPlotSeriesNode.MarkerStyleSquare,
    slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond,
)


def _series(curves: Any, column: str, title: str) -> Any:
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", title)
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetAndObserveTableNodeID(curves.GetID())
    series.SetXColumnName(LEVEL_COLUMN)
    series.SetYColumnName(column)
    series.SetLineWidth(2)
    series.SetMarkerSize(7)
    return series
