"""Tables of the scene, written once and read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
import vtk


def newTable(name: str, columns: Mapping[str, Sequence[str]]) -> Any:
    """A new locked table node.

    Args:
        name: Made unique.
        columns: Cells by heading, all of one length.
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName(name))
    for heading, texts in columns.items():
        column = vtk.vtkStringArray()
        column.SetName(heading)
        for text in texts:
            column.InsertNextValue(text)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    return node
