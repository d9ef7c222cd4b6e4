"""What a reader sees: the acquired source and the image to judge, side by side and linked, and no more than that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _

from .Comparison import Pane, showLinked
from .Layouts import READING, READING_TAGS, OwnLayout
from .RawVolumeFile import readNifti
from .Results import WRITTEN_UNIT, setWindow


class ReadingViews:
    """The two volumes of one item; hidden from other modules, never saved, and removed when the reader goes on.

    Segmentations and markups of the scene are left as they are: whether they are drawn stands in their own display
    nodes, for all views at once, and a scene that is saved during a session would come back with them hidden.
    """

    def __init__(self, onLeft: Callable[[], None]) -> None:
        """Nothing is shown; ``onLeft`` is called when the user chooses another layout."""
        self._layout = OwnLayout(READING, onLeft)
        self._nodes: list[Any] = []

    def show(self, image: Path, source: Path, sourceContrast: str) -> None:
        """Show an item instead of the former one.

        Args:
            image: What is to be judged; 1000 is the brain's 99.5th percentile.
            source: The acquired scan beside it, in the same units.
            sourceContrast: Which contrast that is.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If one is cut short.
        """
        volumes = [readNifti(path) for path in (source, image)]
        self._removeNodes()
        names = (_("Acquired {contrast}").format(contrast=sourceContrast), _("To judge"))
        self._nodes = [_hiddenVolume(name, *volume) for name, volume in zip(names, volumes, strict=True)]
        self._layout.open()
        for composite in _composites():
            composite.SetDoPropagateVolumeSelection(False)  # else a volume that is loaded meanwhile is shown here too
            composite.SetLabelVolumeID(None)
        showLinked([Pane(node, tag, WRITTEN_UNIT) for node, tag in zip(self._nodes, READING_TAGS, strict=True)])

    def isIntact(self) -> bool:
        """Whether the views show the item, and nothing over it: scripts and other modules can fill all views."""
        shown = [
            (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID())
            for composite in _composites()
        ]
        return shown == [(node.GetID(), None, None) for node in self._nodes]

    def close(self) -> None:
        """Back to the layout before; nothing of the session stays in the scene."""
        self._layout.close()
        for composite in _composites():
            composite.SetDoPropagateVolumeSelection(True)
        self._removeNodes()

    def _removeNodes(self) -> None:
        nodes, self._nodes = self._nodes, []
        for node in nodes:
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
                slicer.mrmlScene.RemoveNode(node)


def _composites() -> list[Any]:
    """Of the two views in their order; none before they were shown for the first time."""
    composites = {node.GetLayoutName(): node for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    return [composites[tag] for tag in READING_TAGS if tag in composites]


def _hiddenVolume(name: str, array: Any, ijkToRAS: Any) -> Any:
    node = _addHidden("vtkMRMLScalarVolumeNode", name)
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(ijkToRAS[row][column]))
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, array)
    display = _addHidden("vtkMRMLScalarVolumeDisplayNode")
    display.SetDefaultColorMap()
    node.SetAndObserveDisplayNodeID(display.GetID())
    setWindow(node, WRITTEN_UNIT, WRITTEN_UNIT / 2)  # blinded images end there
    return node


def _addHidden(nodeClass: str, name: str | None = None) -> Any:
    """A new node, hidden before the scene tells of it: Slicer would enter it in its tree of data there and then."""
    node = slicer.mrmlScene.CreateNodeByClass(nodeClass)
    node.UnRegister(None)
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)
