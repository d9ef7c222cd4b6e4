"""The slice views of the present layout: what we lay over the anatomy is laid there, not in views kept elsewhere."""

from __future__ import annotations

from typing import Any

import slicer.util

from .Layouts import READING_TAGS


def shownSliceViews() -> list[tuple[Any, Any]]:
    """Composite and slice node of each slice view that the layout shows; none without a main window.

    The views of a reading session are left out: a map over them would tell the reader what an image is.
    """
    composites = {node.GetLayoutName(): node for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    return [
        (composites[node.GetLayoutName()], node)
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")
        if node.IsMappedInLayout() and node.GetLayoutName() in composites and node.GetLayoutName() not in READING_TAGS
    ]
