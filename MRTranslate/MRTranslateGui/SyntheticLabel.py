"""The words "SYNTHETIC ... not for diagnostic use" in the corner of every slice view that shows one of our volumes.

An actor of our own and not the view's corner annotation, which Slicer's Data Probe rewrites on every movement.
"""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _

from .Results import TARGET_ATTRIBUTE, isSynthetic

COLOR = (1.0, 0.85, 0.2)


class SyntheticLabel(slicer.util.VTKObservationMixin):
    """Watches all slice views from :meth:`start` to :meth:`stop`, views that come later included."""

    def __init__(self) -> None:
        slicer.util.VTKObservationMixin.__init__(self)
        self._actors: dict[str, tuple[Any, Any]] = {}

    def start(self) -> None:
        """Label what is shown now and whatever will be; harmless when it does so already."""
        self.stop()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAddedEvent, self._onNodeAdded)
        for event in (scene.EndImportEvent, scene.EndCloseEvent):
            self.addObserver(scene, event, self.refresh)
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            self._watch(composite)
        self.refresh()

    def stop(self) -> None:
        """Take all labels and observers away."""
        self.removeObservers()
        for renderer, actor in self._actors.values():
            renderer.RemoveViewProp(actor)
        self._actors.clear()

    def textOf(self, viewName: str) -> str:
        """What the label of a view says; empty if it shows nothing of ours."""
        actor = self._actors.get(viewName)
        return actor[1].GetInput() if actor is not None and actor[1].GetVisibility() else ""

    def refresh(self, *_arguments: object) -> None:
        """Bring the labels of all views up to date."""
        manager = slicer.app.layoutManager()
        if manager is None:  # Slicer without a main window
            return
        for name in manager.sliceViewNames():
            self._label(name, manager.sliceWidget(name))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, _caller: Any, _event: Any, node: Any) -> None:
        if node is not None and node.IsA("vtkMRMLSliceCompositeNode"):
            self._watch(node)

    def _watch(self, composite: Any) -> None:
        if not self.hasObserver(composite, vtk.vtkCommand.ModifiedEvent, self.refresh):
            self.addObserver(composite, vtk.vtkCommand.ModifiedEvent, self.refresh)

    def _label(self, name: str, widget: Any) -> None:
        text = _textFor(widget.mrmlSliceCompositeNode())
        if name not in self._actors:
            if not text:
                return
            self._actors[name] = _addActor(widget.sliceView())
        actor = self._actors[name][1]
        if actor.GetInput() != text or bool(actor.GetVisibility()) != bool(text):
            actor.SetInput(text)
            actor.SetVisibility(bool(text))
            widget.sliceView().scheduleRender()


def _textFor(composite: Any) -> str:
    layers = [composite.GetBackgroundVolumeID()]
    if composite.GetForegroundOpacity() > 0:
        layers.append(composite.GetForegroundVolumeID())
    for nodeID in layers:
        node = slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None
        if isSynthetic(node):
            title = f"SYNTHETIC {node.GetAttribute(TARGET_ATTRIBUTE) or ''}".strip()
            return f"{title}\n{_('not for diagnostic use')}"
    return ""


def _addActor(view: Any) -> tuple[Any, Any]:
    actor = vtk.vtkTextActor()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(0.98, 0.98)
    style = actor.GetTextProperty()
    style.SetFontSize(14)
    style.SetBold(True)
    style.SetShadow(True)
    style.SetColor(*COLOR)
    style.SetJustificationToRight()
    style.SetVerticalJustificationToTop()
    renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
    renderer.AddViewProp(actor)
    return renderer, actor
