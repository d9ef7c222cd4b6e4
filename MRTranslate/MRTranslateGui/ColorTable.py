"""Our own colour tables: made once a scene, found again by their tag."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer


def colorTable(tag: str, name: str, rgba: np.ndarray[Any, Any], *, saved: bool) -> Any:
    """The scene's colour table of that tag, made if it is not there.

    Args:
        tag: By which it is found again, in a loaded scene too.
        name: For lists of colour tables.
        rgba: Shape ``(N, 4)``, 0..1, from the lowest value to the highest; for labelmaps row n is label n.
        saved: Whether the scene takes it along, for volumes that are saved with it.
    """
    colors = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLColorTableNode")
    if colors is not None:
        return colors
    colors = slicer.mrmlScene.CreateNodeByClass("vtkMRMLColorTableNode")
    colors.UnRegister(None)
    colors.SetName(name)
    colors.SetTypeToUser()
    colors.SetNumberOfColors(len(rgba))
    for index, color in enumerate(rgba):
        colors.SetColor(index, str(index), *color)
    colors.SetHideFromEditors(True)
    colors.SetSaveWithScene(saved)
    colors.SetSingletonTag(tag)
    return slicer.mrmlScene.AddNode(colors)
