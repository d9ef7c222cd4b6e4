"""Our arrangements of views. Slicer knows them from the start, so that a scene that was saved in one comes back in it.

Leaving one gives back the layout that was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

SOURCE_TAG, SYNTHETIC_TAG, REFERENCE_TAG = "MRTranslateSource", "MRTranslateSynthetic", "MRTranslateReference"
UNPERTURBED_TAG, PERTURBED_TAG = "MRTranslateUnperturbed", "MRTranslatePerturbed"
ROBUSTNESS_TAG = "MRTranslateRobustness"
"""Singleton tag of the plot and the table view."""
READING_SOURCE_TAG, READING_IMAGE_TAG = "MRTranslateReadingSource", "MRTranslateReadingImage"
READING_TAGS = (READING_SOURCE_TAG, READING_IMAGE_TAG)
"""Views of a blinded reader, in which nobody else shows anything."""
COMPARISON, COMPARISON_WITH_REFERENCE = 24712, 24713
"""Above 100 as Slicer asks, and far from other extensions'; numbers are saved with scenes and stay as they are."""
CURVES, CURVES_WITH_VOLUMES = 24720, 24721
READING = 24730
COMPARISON_GROUP, ROBUSTNESS_GROUP, READING_GROUP = 2471, 2472, 2473
"""Views of one group are linked with each other and not with the rest."""
_VIEW_COLORS = {SYNTHETIC_TAG: "#C04040"}


class OwnLayout:
    """One of our layouts, from opening it until it is closed or the user chooses another one.

    Attributes:
        isShown: Whether it is what the main window shows.
    """

    def __init__(self, number: int, onLeft: Callable[[], None]) -> None:
        """Nothing changes on screen; ``onLeft`` is called when the user chooses another layout."""
        self._number, self._onLeft = number, onLeft
        self._former = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        self._observation: tuple[Any, int] | None = None

    @property
    def isShown(self) -> bool:
        return self._observation is not None and layoutNode().GetViewArrangement() == self._number

    def open(self) -> None:
        """Show it; harmless when it is shown."""
        if self.isShown:
            return
        node = layoutNode()
        if node.GetViewArrangement() not in layoutDescriptions():  # else a restored scene, whose former layout is lost
            self._former = node.GetViewArrangement()
        slicer.app.layoutManager().setLayout(self._number)
        self._observation = (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified))

    def close(self) -> None:
        """Back to the layout before, unless the user has gone elsewhere; harmless when it is not shown."""
        wasShown = self.isShown
        self._forget()
        if wasShown:
            slicer.app.layoutManager().setLayout(self._former)

    def _onModified(self, *_arguments: object) -> None:
        if not self.isShown:
            self._forget()
            self._onLeft()

    def _forget(self) -> None:
        if self._observation is not None:
            node, tag = self._observation
            self._observation = None
            node.RemoveObserver(tag)


def registerLayouts() -> None:
    """Make our layouts known to Slicer; harmless when they are. Without a main window there is nothing to arrange."""
    if slicer.app.layoutManager() is None:
        return
    node = layoutNode()
    for number, description in layoutDescriptions().items():
        if not node.IsLayoutDescription(number):
            node.AddLayoutDescription(number, description)


def layoutDescriptions() -> dict[int, str]:
    """All our layouts as Slicer's XML, by number."""
    source, synthetic = (SOURCE_TAG, _("Source")), (SYNTHETIC_TAG, _("SYNTHETIC"))
    reference = (REFERENCE_TAG, _("Reference"))
    perturbations = (UNPERTURBED_TAG, _("SYNTHETIC, unperturbed")), (PERTURBED_TAG, _("SYNTHETIC, perturbed"))
    reading = (READING_SOURCE_TAG, _("Acquired")), (READING_IMAGE_TAG, _("To judge: real or synthetic"))
    curves = _row([_viewXml("vtkMRMLPlotViewNode"), _viewXml("vtkMRMLTableViewNode")])
    volumes = _row([_sliceXml(*view, ROBUSTNESS_GROUP) for view in perturbations])
    return {
        COMPARISON: _row([_sliceXml(*view, COMPARISON_GROUP) for view in (source, synthetic)]),
        COMPARISON_WITH_REFERENCE: _row(
            [_sliceXml(*view, COMPARISON_GROUP) for view in (source, synthetic, reference)]
        ),
        READING: _row([_sliceXml(*view, READING_GROUP) for view in reading]),
        CURVES: curves,
        CURVES_WITH_VOLUMES: (
            '<layout type="vertical" split="true">'
            f'<item splitSize="600">{volumes}</item><item splitSize="400">{curves}</item></layout>'
        ),
    }


def layoutNode() -> Any:
    """The scene's node that says which layout is shown."""
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def _row(views: Sequence[str]) -> str:
    return '<layout type="horizontal" split="true">' + "".join(f"<item>{view}</item>" for view in views) + "</layout>"


def _sliceXml(tag: str, label: str, group: int) -> str:
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{tag}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{_VIEW_COLORS.get(tag, "#707070")}</property>'
        f'<property name="viewgroup" action="default">{group}</property>'
        "</view>"
    )


def _viewXml(kind: str) -> str:
    return (
        f'<view class="{kind}" singletontag="{ROBUSTNESS_TAG}">'
        '<property name="viewlabel" action="default">R</property></view>'
    )
