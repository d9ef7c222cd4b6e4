"""A map of trust over the anatomy: heat map as foreground, colour legend with unit, threshold and opacity."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
from slicer.i18n import tr as _

from . import Results
from .ColorTable import colorTable
from .ShownViews import shownSliceViews

HEAT_COLORS = "vtkMRMLPETProceduralColorNodePET-Heat"
UNCERTAINTY_COLORS_TAG = "MRTranslateUncertainty"
UNCERTAINTY_RANGE = (0.0, 0.3 * Results.WRITTEN_UNIT)
"""Half-widths as they are shown: beyond 30 % of the brain's brightest the colour is saturated."""

LABEL_FORMAT = "%5.4g"
"""Of the legend's numbers: five characters, for Slicer writes the title as large as the numbers leave room for."""


def showMap(volume: Any, *, threshold: float, opacity: float) -> None:
    """Lay a map over whatever the layout's slice views show.

    Args:
        volume: Attention map, 0..1 or 0..1000 as files hold it, or uncertainty map in the result's unit; 0 is no
            difficulty or doubt.
        threshold: Share of the map's range below which it is not drawn, 0..1.
        opacity: 0 hides it, 1 hides the anatomy.
    """
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    low, high = rangeOf(volume)
    colors = _colorsOf(volume)
    with slicer.util.NodeModify(display):
        if slicer.mrmlScene.GetNodeByID(colors) is not None:
            display.SetAndObserveColorNodeID(colors)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(high - low, (high + low) / 2)
        display.SetAutoThreshold(False)
        display.SetApplyThreshold(True)
        top = max(high, volume.GetImageData().GetScalarRange()[1])  # what saturates the colours is drawn all the same
        display.SetThreshold(low + threshold * (high - low), top)
    for composite, _sliceNode in shownSliceViews():
        if composite.GetForegroundVolumeID() != volume.GetID():
            composite.SetForegroundVolumeID(volume.GetID())
        composite.SetForegroundOpacity(opacity)
    _showLegend(display, titleOf(volume))


def hideMap(volume: Any) -> None:
    """Take the map off all slice views; the volume stays."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if composite.GetForegroundVolumeID() == volume.GetID():
            composite.SetForegroundVolumeID(None)
            composite.SetForegroundOpacity(0.0)
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(volume.GetDisplayNode())
    if legend is not None:
        slicer.mrmlScene.RemoveNode(legend)


def rangeOf(volume: Any) -> tuple[float, float]:
    """The map's fixed range, never stretched to its own values: two results are drawn alike."""
    if _isUncertainty(volume):
        return UNCERTAINTY_RANGE
    image = volume.GetImageData()
    return (0.0, 1000.0) if image is not None and image.GetScalarRange()[1] > 1.0 else (0.0, 1.0)


def titleOf(volume: Any) -> str:
    """What the legend's numbers are, with their unit."""
    if _isUncertainty(volume):
        return _("9 of 10 errors are smaller;\nthe brain's brightest is 1000")
    return _("Attention: 0 easy, 1 hard to get right")


def _isUncertainty(volume: Any) -> bool:
    return bool(volume.GetAttribute(Results.KIND_ATTRIBUTE) == "uncertainty")


def _colorsOf(volume: Any) -> str:
    """ID of the colour node: heat for attention; black over blue to white, unlike it, for uncertainty."""
    if not _isUncertainty(volume):
        return HEAT_COLORS
    share = np.linspace(0.0, 1.0, 256)
    corners = (0.0, 0.35, 0.7, 1.0)
    channels = ((0.05, 0.1, 0.2, 1.0), (0.05, 0.25, 0.75, 1.0), (0.15, 0.75, 0.9, 1.0), (1.0, 1.0, 1.0, 1.0))
    rgba = np.stack([np.interp(share, corners, channel) for channel in channels], axis=1)
    return str(colorTable(UNCERTAINTY_COLORS_TAG, "MRTranslate uncertainty", rgba, saved=True).GetID())


def _showLegend(display: Any, title: str) -> None:
    logic = slicer.modules.colors.logic()
    legend = logic.GetColorLegendDisplayNode(display) or logic.AddDefaultColorLegendDisplayNode(display)
    if legend is not None:
        legend.SetTitleText(title)
        legend.SetNumberOfLabels(3)
        legend.SetLabelFormat(LABEL_FORMAT)
        legend.SetVisibility(True)
