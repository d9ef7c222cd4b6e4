"""The words "SYNTHETIC ... not for diagnostic use" in the corner of every slice view that shows one of our volumes.

Where an acquired volume lies over ours, as in every other moment of Flicker, that is said too, or instead.
An actor of our own and not the view's corner annotation, which Slicer's Data Probe rewrites on every movement.
"""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _

from .Results import TARGET_ATTRIBUTE, isSynthetic, nodeByID
from .RevealCurtain import EDGE_ATTRIBUTE
from .SceneExchange import lieOnOneGrid

SYNTHETIC_COLOR, ACQUIRED_COLOR = (1.0, 0.85, 0.2), (1.0, 1.0, 1.0)
MARGIN = 0.02
"""From the label to the view's border, as a share of the view."""
FONT_SIZE, CURTAIN_FONT_SIZE = 14, 12
"""Beside a curtain there is half a view, often of three."""


class SyntheticLabel(slicer.util.VTKObservationMixin):
    """Watches all slice views from :meth:`start` to :meth:`stop`, views that come later included."""

    def __init__(self) -> None:
        slicer.util.VTKObservationMixin.__init__(self)
        self._actors: dict[str, tuple[Any, Any]] = {}
        self._edges: dict[str, float] = {}

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
        self._edges.clear()

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
        composite = widget.mrmlSliceCompositeNode()
        text, color = _textFor(composite)
        actor = self._actorIn(name, widget, isNeeded=bool(text))
        if actor is None:
            return
        edge = float(composite.GetAttribute(EDGE_ATTRIBUTE) or 1.0)  # what is right of a curtain's edge is not ours
        if (actor.GetInput(), bool(actor.GetVisibility()), self._edges.get(name)) != (text, bool(text), edge):
            actor.SetInput(text)
            actor.SetVisibility(bool(text))
            actor.GetTextProperty().SetColor(*color)
            _placeLeftOf(edge, actor, self._actors[name][0])
            self._edges[name] = edge
            widget.sliceView().scheduleRender()

    def _actorIn(self, name: str, widget: Any, *, isNeeded: bool) -> Any | None:
        """The label's actor in a view, made when first needed, and again when the view was made anew."""
        renderer = widget.sliceView().renderWindow().GetRenderers().GetFirstRenderer()
        known, actor = self._actors.get(name, (None, None))
        if known is not renderer:
            if known is not None:
                known.RemoveViewProp(actor)
                del self._actors[name]
            if not isNeeded:
                return None
            actor = _newActor()
            renderer.AddViewProp(actor)
            self._actors[name] = renderer, actor
        return actor


def _textFor(composite: Any) -> tuple[str, tuple[float, float, float]]:
    """The label's words and colour; no words where nothing of ours is shown."""
    below, above = nodeByID(composite.GetBackgroundVolumeID()), nodeByID(composite.GetForegroundVolumeID())
    opacity = composite.GetForegroundOpacity()
    shown = below if isSynthetic(below) else above if isSynthetic(above) and opacity > 0 else None
    if shown is None:
        return "", SYNTHETIC_COLOR
    text = f"SYNTHETIC {shown.GetAttribute(TARGET_ATTRIBUTE) or ''}".strip() + f"\n{_('not for diagnostic use')}"
    if above is None or opacity < 1 or isSynthetic(above):
        return text, SYNTHETIC_COLOR
    onTop = _("acquired: {name}").format(name=above.GetName())
    return (onTop, ACQUIRED_COLOR) if _hides(above, below) else (f"{onTop}\n{text}", SYNTHETIC_COLOR)


def _hides(above: Any, below: Any) -> bool:
    """Whether nothing of the volume below can be seen beside or through an opaque one above it."""
    display = above.GetDisplayNode()
    return display is not None and not display.GetApplyThreshold() and lieOnOneGrid(above, below)


def _placeLeftOf(edge: float, actor: Any, renderer: Any) -> None:
    """Put the label's right end at ``edge``, 0..1 of the view's width, or as near as it can be read in full."""
    actor.GetTextProperty().SetFontSize(FONT_SIZE if edge == 1.0 else CURTAIN_FONT_SIZE)
    size = [0.0, 0.0]
    actor.GetSize(renderer, size)
    width = size[0] / max(renderer.GetSize()[0], 1)
    actor.SetPosition(min(max(edge - MARGIN, width + MARGIN), 1.0 - MARGIN), 1.0 - MARGIN)


def _newActor() -> Any:
    actor = vtk.vtkTextActor()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    style = actor.GetTextProperty()
    style.SetBold(True)
    style.SetShadow(True)
    style.SetJustificationToRight()
    style.SetVerticalJustificationToTop()
    return actor
