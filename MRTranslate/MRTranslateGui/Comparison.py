"""Source, synthetic and reference side by side: linked, equally bright; then difference, flicker and curtain.

Leaving the comparison gives back the layout and the display windows that were there before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from .ColorTable import colorTable
from .Layouts import COMPARISON, COMPARISON_WITH_REFERENCE, REFERENCE_TAG, SOURCE_TAG, SYNTHETIC_TAG, OwnLayout
from .Results import SYNTHETIC_ATTRIBUTE, TARGET_ATTRIBUTE, WRITTEN_UNIT, estimatedUnit, setWindow
from .RevealCurtain import RevealCurtain
from .SceneExchange import lieOnOneGrid

FLICKER_MSEC = 500
DIFFERENCE_RANGE = 0.5
"""Shown difference, relative to the brain's 99.5th percentile: beyond it colours are saturated."""
_DIFFERENCE_COLORS_TAG = "MRTranslateDifference"


@dataclass(frozen=True)
class Pane:
    """One view of the comparison: what it shows, and the brain's 99.5th percentile there, which is shown brightest."""

    volume: Any
    tag: str
    unit: float


class Comparison:
    """The comparison of one synthetic volume. Make a new one for another volume.

    Attributes:
        isOpen: Whether our layout is shown.
    """

    def __init__(
        self,
        synthetic: Any,
        source: Any,
        reference: Any | None,
        *,
        sourceUnit: float | None = None,
        onLeft: Callable[[], None] | None = None,
    ) -> None:
        """Prepare to compare; nothing changes on screen.

        Args:
            synthetic: The result.
            source: Its first source.
            reference: A real scan of the same contrast, None without.
            sourceUnit: 99.5th percentile of the brain in the source; estimated if None.
            onLeft: Called when the comparison has closed because the user chose another layout.
        """
        self._panes = [
            Pane(source, SOURCE_TAG, sourceUnit or estimatedUnit(source, brain=synthetic)),
            Pane(synthetic, SYNTHETIC_TAG, WRITTEN_UNIT),
        ]
        if reference is not None:
            self._panes.append(Pane(reference, REFERENCE_TAG, estimatedUnit(reference, brain=synthetic)))
        self._layout = OwnLayout(COMPARISON if reference is None else COMPARISON_WITH_REFERENCE, self._onLayoutLeft)
        self._onLeft = onLeft
        self._formerWindows: list[tuple[str, float, float, bool]] = []
        self._difference: Any | None = None
        self._curtain: RevealCurtain | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(FLICKER_MSEC)
        self._timer.connect("timeout()", self._flick)

    @property
    def isOpen(self) -> bool:
        return self._layout.isShown

    def open(self) -> None:
        """Show the views side by side, linked, on one slice and with one window."""
        if self.isOpen:
            return
        self._equalizeWindows()
        self._layout.open()
        showLinked(self._panes)

    def close(self) -> None:
        """Back to the layout and windows before; harmless when it is not open or the nodes are gone."""
        self.setFlicker(False)
        self.setCurtain(False, 0.0)
        self.setDifference(False)
        windows, self._formerWindows = self._formerWindows, []
        for nodeID, window, level, automatic in windows:
            node = slicer.mrmlScene.GetNodeByID(nodeID)
            if node is not None and node.GetDisplayNode() is not None:
                setWindow(node, window, level)
                node.GetDisplayNode().SetAutoWindowLevel(automatic)
        self._layout.close()

    def setDifference(self, shown: bool) -> str | None:
        """Show synthetic minus reference in the synthetic view; returns a sentence if that cannot be done."""
        if not shown:
            if self._difference is not None:
                slicer.mrmlScene.RemoveNode(self._difference)
                self._difference = None
            if self.isOpen:
                self._composite(1).SetBackgroundVolumeID(self._panes[1].volume.GetID())
            return None
        if len(self._panes) < 3:
            return _("There is no reference to subtract: choose one under Optional inputs.")
        synthetic, reference = self._panes[1], self._panes[2]
        if not lieOnOneGrid(synthetic.volume, reference.volume):
            return _("The reference lies on another grid than the result: resample it onto {source} first.").format(
                source=self._panes[0].volume.GetName()
            )
        self.open()
        self._difference = differenceVolume(synthetic, reference)
        self._composite(1).SetBackgroundVolumeID(self._difference.GetID())
        return None

    def setFlicker(self, running: bool) -> None:
        """Swap the synthetic view twice a second with the reference, or with the source if there is none."""
        if running:
            self.open()
            self._composite(1).SetForegroundVolumeID(self._panes[-1 if len(self._panes) > 2 else 0].volume.GetID())
            self._timer.start()
        elif self._timer.isActive():
            self._timer.stop()
            if self.isOpen:
                self._composite(1).SetForegroundOpacity(0.0)
                self._composite(1).SetForegroundVolumeID(None)

    def setCurtain(self, shown: bool, position: float) -> None:
        """Draw the reference (or source) over the synthetic view, right of ``position`` (0..100 % of the width)."""
        if not shown:
            if self._curtain is not None:
                self._curtain.remove()
                self._curtain = None
            return
        self.open()
        if self._curtain is None:
            other = self._panes[2 if len(self._panes) > 2 else 0]
            manager = slicer.app.layoutManager()
            self._curtain = RevealCurtain(manager.sliceWidget(self._panes[1].tag), manager.sliceWidget(other.tag))
        self._curtain.setPosition(position)

    def _onLayoutLeft(self) -> None:
        self.close()
        if self._onLeft is not None:
            self._onLeft()

    def _flick(self) -> None:
        if not self.isOpen or slicer.mrmlScene.GetNodeByID(self._panes[1].volume.GetID()) is None:
            self._timer.stop()
            return
        composite = self._composite(1)
        composite.SetForegroundOpacity(0.0 if composite.GetForegroundOpacity() > 0.5 else 1.0)

    def _composite(self, index: int) -> Any:
        return slicer.app.layoutManager().sliceWidget(self._panes[index].tag).mrmlSliceCompositeNode()

    def _equalizeWindows(self) -> None:
        self._formerWindows = []
        for pane in self._panes:
            pane.volume.CreateDefaultDisplayNodes()
            display = pane.volume.GetDisplayNode()
            automatic = bool(display.GetAutoWindowLevel())
            self._formerWindows.append((pane.volume.GetID(), display.GetWindow(), display.GetLevel(), automatic))
            setWindow(pane.volume, 1.1 * pane.unit, 0.55 * pane.unit)


def showLinked(panes: Sequence[Pane]) -> None:
    """Fill the views of the panes, which the layout shows, in the plane of the first volume and linked."""
    manager = slicer.app.layoutManager()
    widgets = [manager.sliceWidget(pane.tag) for pane in panes]
    for pane, widget in zip(panes, widgets, strict=True):
        composite = widget.mrmlSliceCompositeNode()
        composite.SetLinkedControl(False)  # or the next line would be broadcast to the others
        composite.SetBackgroundVolumeID(pane.volume.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetForegroundOpacity(0.0)
        widget.mrmlSliceNode().SetOrientation("Axial")
        widget.mrmlSliceNode().RotateToVolumePlane(panes[0].volume)
        widget.sliceLogic().FitSliceToBackground()
    offset = widgets[0].sliceLogic().GetSliceOffset()
    for widget in widgets:
        widget.sliceLogic().SetSliceOffset(offset)
        widget.mrmlSliceCompositeNode().SetHotLinkedControl(True)
        widget.mrmlSliceCompositeNode().SetLinkedControl(True)


def differenceVolume(synthetic: Pane, reference: Pane) -> Any:
    """A new volume: synthetic minus reference, each relative to its pane's ``unit``; 0 where the synthetic one is."""
    difference = slicer.util.arrayFromVolume(synthetic.volume).astype(np.float32)
    difference *= np.float32(1 / synthetic.unit)
    real = slicer.util.arrayFromVolume(reference.volume)
    np.subtract(difference, real * np.float32(1 / reference.unit), out=difference, where=difference != 0)
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLScalarVolumeNode", f"{synthetic.volume.GetName()} minus {reference.volume.GetName()}"
    )
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, "1")
    node.SetAttribute(TARGET_ATTRIBUTE, f"{synthetic.volume.GetAttribute(TARGET_ATTRIBUTE)} minus reference")
    node.SetHideFromEditors(True)
    node.CopyOrientation(synthetic.volume)
    node.SetAndObserveTransformNodeID(synthetic.volume.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(node, difference)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(_differenceColors().GetID())
    setWindow(node, 2 * DIFFERENCE_RANGE, 0.0)
    return node


def _differenceColors() -> Any:
    """Blue for too dark, black for equal, red for too bright; never saved with the scene, nor is the difference."""
    strength = np.linspace(-1.0, 1.0, 255)
    red, blue, opaque = np.maximum(strength, 0), np.maximum(-strength, 0), np.ones_like(strength)
    rgba = np.stack([red, 0.35 * np.abs(strength), blue, opaque], axis=1)
    return colorTable(_DIFFERENCE_COLORS_TAG, "MRTranslate difference", rgba, saved=False)
