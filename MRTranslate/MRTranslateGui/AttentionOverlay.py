"""The attention map over the anatomy: heat map as foreground, colour legend, threshold and opacity."""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

HEAT_COLORS = "vtkMRMLPETProceduralColorNodePET-Heat"
ATTENTION_RANGE = (0.0, 1.0)


def showAttention(attention: Any, *, threshold: float, opacity: float) -> None:
    """Lay the map over whatever the slice views show.

    Args:
        attention: Volume with values 0..1, or 0..1000 as files hold them; 0 is not looked at.
        threshold: Share of the map's range below which it is not drawn, 0..1.
        opacity: 0 hides it, 1 hides the anatomy.
    """
    attention.CreateDefaultDisplayNodes()
    display = attention.GetDisplayNode()
    low, high = rangeOf(attention)
    with slicer.util.NodeModify(display):
        if slicer.mrmlScene.GetNodeByID(HEAT_COLORS) is not None:
            display.SetAndObserveColorNodeID(HEAT_COLORS)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(high - low, (high + low) / 2)
        display.SetAutoThreshold(False)
        display.SetApplyThreshold(True)
        display.SetThreshold(low + threshold * (high - low), high)
    for composite in _compositeNodes():
        if composite.GetForegroundVolumeID() != attention.GetID():
            composite.SetForegroundVolumeID(attention.GetID())
        composite.SetForegroundOpacity(opacity)
    _showLegend(display)


def hideAttention(attention: Any) -> None:
    """Take the map off all slice views; the volume stays."""
    for composite in _compositeNodes():
        if composite.GetForegroundVolumeID() == attention.GetID():
            composite.SetForegroundVolumeID(None)
            composite.SetForegroundOpacity(0.0)
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(attention.GetDisplayNode())
    if legend is not None:
        slicer.mrmlScene.RemoveNode(legend)


def isShown(attention: Any) -> bool:
    """Whether any slice view has the map as its foreground."""
    return any(composite.GetForegroundVolumeID() == attention.GetID() for composite in _compositeNodes())


def rangeOf(attention: Any) -> tuple[float, float]:
    """The map's fixed range, 0..1 as computed or 0..1000 as written; never stretched to its own values."""
    image = attention.GetImageData()
    low, high = ATTENTION_RANGE
    return (low, 1000.0) if image is not None and image.GetScalarRange()[1] > high else (low, high)


def _showLegend(display: Any) -> None:
    logic = slicer.modules.colors.logic()
    legend = logic.GetColorLegendDisplayNode(display) or logic.AddDefaultColorLegendDisplayNode(display)
    if legend is not None:
        legend.SetTitleText(_("Attention"))
        legend.SetNumberOfLabels(3)
        legend.SetVisibility(True)


def _compositeNodes() -> list[Any]:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
