"""The lesion mask as outlines in the slice views, over whatever they show; how it was shown before comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import slicer.util

from .ColorTable import colorTable
from .ShownViews import shownSliceViews

OUTLINE_COLOR = (0.2, 1.0, 0.4, 1.0)
"""Of labels that have no colours of their own: green stands out from both heat maps."""
MAX_LABEL = 255


class LesionOutline:
    """At most one mask is outlined at a time."""

    def __init__(self) -> None:
        self._nodeID: str | None = None
        self._undo: dict[str, Callable[[], None]] = {}

    def show(self, node: Any | None) -> None:
        """Outline this segmentation, or this labelmap in the layout's slice views; None for nothing."""
        if node is None or node.GetID() != self._nodeID:
            self._giveBack()
        if node is None:
            return
        self._nodeID = node.GetID()
        if node.IsA("vtkMRMLSegmentationNode"):
            self._outlineSegmentation(node)
        else:
            self._outlineLabels(node)

    def _outlineSegmentation(self, node: Any) -> None:
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        if display.GetID() not in self._undo:
            settings = ("Visibility", "Visibility2D", "Visibility2DOutline", "Visibility2DFill")
            former = {name: getattr(display, f"Get{name}")() for name in settings}
            self._undo[display.GetID()] = lambda: _apply(display, former)
        wanted = {"Visibility": True, "Visibility2D": True, "Visibility2DOutline": True, "Visibility2DFill": False}
        _apply(display, wanted)

    def _outlineLabels(self, node: Any) -> None:
        node.CreateDefaultDisplayNodes()
        if node.GetDisplayNode().GetColorNode() is None:  # nothing of such a labelmap would be drawn
            rgba = np.tile(OUTLINE_COLOR, (MAX_LABEL + 1, 1))
            rgba[0] = 0.0
            colors = colorTable("MRTranslateLesion", "MRTranslate lesion", rgba, saved=True)
            node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        for composite, sliceNode in shownSliceViews():
            if composite.GetID() not in self._undo:
                formerLabels = {name: getattr(composite, f"Get{name}")() for name in ("LabelVolumeID", "LabelOpacity")}
                formerSlice = {"UseLabelOutline": sliceNode.GetUseLabelOutline()}
                self._undo[composite.GetID()] = lambda c=composite, s=sliceNode, f=formerLabels, g=formerSlice: (
                    _apply(c, f),
                    _apply(s, g),
                )
            _apply(composite, {"LabelVolumeID": node.GetID(), "LabelOpacity": 1.0})
            _apply(sliceNode, {"UseLabelOutline": True})

    def _giveBack(self) -> None:
        undo, self._undo, self._nodeID = self._undo, {}, None
        for nodeID, putBack in undo.items():
            if slicer.mrmlScene.GetNodeByID(nodeID) is not None:
                putBack()


def _apply(node: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if getattr(node, f"Get{name}")() != value:
            getattr(node, f"Set{name}")(value)
