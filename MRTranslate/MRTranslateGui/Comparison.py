"""Source, synthetic and reference side by side: linked, equally bright; then difference, flicker and curtain.

Leaving the comparison gives back the layout and the display windows that were there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from .ColorTable import colorTable
from .Results import SYNTHETIC_ATTRIBUTE, TARGET_ATTRIBUTE, WRITTEN_UNIT, estimatedUnit, setWindow
from .RevealCurtain import RevealCurtain
from .SceneExchange import ijkToWorld

LAYOUT_ID = 24710
"""Plus the number of views: our layouts; above 100 as Slicer asks, and far from other extensions'."""
VIEW_GROUP = 2471
"""Views of one group are linked with each other and not with the rest."""
FLICKER_MSEC = 500
DIFFERENCE_RANGE = 0.5
"""Shown difference, relative to the brain's 99.5th percentile: beyond it colours are saturated."""
_DIFFERENCE_COLORS_TAG = "MRTranslateDifference"
_VIEW_COLORS = {"MRTranslateSynthetic": "#C04040"}


@dataclass(frozen=True)
class Pane:
    """One view of the comparison: what it shows, how it is headed, and the value that is shown brightest."""

    volume: Any
    tag: str
    label: str
    unit: float


class Comparison:
    """The comparison of one synthetic volume. Make a new one for another volume.

    Attributes:
        isOpen: Whether our layout is shown.
    """

    def __init__(self, synthetic: Any, source: Any, reference: Any | None, *, sourceUnit: float | None = None) -> None:
        """Prepare to compare; nothing changes on screen.

        Args:
            synthetic: The result.
            source: Its first source.
            reference: A real scan of the same contrast, None without.
            sourceUnit: 99.5th percentile of the brain in the source; estimated if None.
        """
        self.isOpen = False
        self._panes = [
            Pane(source, "MRTranslateSource", _("Source"), sourceUnit or estimatedUnit(source)),
            Pane(synthetic, "MRTranslateSynthetic", _("SYNTHETIC"), WRITTEN_UNIT),
        ]
        if reference is not None:
            self._panes.append(Pane(reference, "MRTranslateReference", _("Reference"), estimatedUnit(reference)))
        self._formerLayout: int | None = None
        self._formerWindows: list[tuple[str, float, float, bool]] = []
        self._difference: Any | None = None
        self._curtain: RevealCurtain | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(FLICKER_MSEC)
        self._timer.connect("timeout()", self._flick)

    def open(self) -> None:
        """Show the views side by side, linked, on one slice and with one window."""
        if self.isOpen:
            return
        layout = _layoutNode()
        self._formerLayout = layout.GetViewArrangement()
        self._equalizeWindows()
        layoutID = LAYOUT_ID + len(self._panes)
        description = layoutDescription(self._panes)
        if not layout.IsLayoutDescription(layoutID):
            layout.AddLayoutDescription(layoutID, description)
        elif layout.GetLayoutDescription(layoutID) != description:
            layout.SetLayoutDescription(layoutID, description)
        slicer.app.layoutManager().setLayout(layoutID)
        self.isOpen = True
        showLinked(self._panes)

    def close(self) -> None:
        """Back to the layout and windows before; harmless when it is not open or the nodes are gone."""
        self.setFlicker(False)
        self.setCurtain(False, 0.0)
        self.setDifference(False)
        if not self.isOpen:
            return
        self.isOpen = False
        for nodeID, window, level, automatic in self._formerWindows:
            node = slicer.mrmlScene.GetNodeByID(nodeID)
            if node is not None and node.GetDisplayNode() is not None:
                setWindow(node, window, level)
                node.GetDisplayNode().SetAutoWindowLevel(automatic)
        layout = _layoutNode()
        ours = layout is not None and LAYOUT_ID < layout.GetViewArrangement() <= LAYOUT_ID + 3
        if ours and self._formerLayout is not None:
            slicer.app.layoutManager().setLayout(self._formerLayout)

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
        if not _sameGrid(synthetic.volume, reference.volume):
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


def layoutDescription(panes: Sequence[Pane]) -> str:
    """The layout as Slicer's XML: the panes from left to right."""
    views = "".join(f"<item>{sliceViewXml(pane, VIEW_GROUP)}</item>" for pane in panes)
    return f'<layout type="horizontal" split="true">{views}</layout>'


def sliceViewXml(pane: Pane, group: int) -> str:
    """A slice view of a layout; views of one group are linked with each other."""
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{pane.tag}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{pane.label}</property>'
        f'<property name="viewcolor" action="default">{_VIEW_COLORS.get(pane.tag, "#707070")}</property>'
        f'<property name="viewgroup" action="default">{group}</property>'
        "</view>"
    )


def differenceVolume(synthetic: Pane, reference: Pane) -> Any:
    """A new volume: synthetic minus reference, each relative to its brain's 99.5th percentile."""
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


def _sameGrid(first: Any, second: Any) -> bool:
    if first.GetImageData().GetDimensions() != second.GetImageData().GetDimensions():
        return False
    return bool(np.abs(ijkToWorld(first) - ijkToWorld(second)).max() < 1e-3)


def _layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()
