"""The layout of a robustness run: the chosen result beside the unperturbed one, below them curves and scores.

Leaving it gives back the layout that was there before.
"""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from .Comparison import Pane, showLinked, sliceViewXml
from .Results import WRITTEN_UNIT
from .RobustnessResult import RobustnessResult

LAYOUT_ID = 24720
"""Without volumes; one more with them."""
VIEW_GROUP = 2472
TAG = "MRTranslateRobustness"
"""Singleton tag of the plot and the table view."""
UNPERTURBED_TAG, PERTURBED_TAG = "MRTranslateUnperturbed", "MRTranslatePerturbed"


class RobustnessViews:
    """The views of one run. Make new ones for another run.

    Attributes:
        isOpen: Whether our layout was opened and not closed.
    """

    def __init__(self, result: RobustnessResult) -> None:
        """Prepare; nothing changes on screen."""
        self.isOpen = False
        self.result = result
        self._formerLayout: int | None = None

    def open(self, region: str) -> None:
        """Show them, with the curves of this region."""
        if not self.isOpen:
            manager, layout = slicer.app.layoutManager(), _layoutNode()
            self._formerLayout = layout.GetViewArrangement()
            panes = self._panes()
            layoutID, description = LAYOUT_ID + bool(panes), layoutDescription(panes)
            if not layout.IsLayoutDescription(layoutID):
                layout.AddLayoutDescription(layoutID, description)
            manager.setLayout(layoutID)
            self.isOpen = True
            if panes:
                showLinked(panes)
        self.showRegion(region)

    def showRegion(self, region: str) -> None:
        """Draw the curves of another region."""
        if not self.isOpen:
            return
        plot = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLPlotViewNode")
        chart = self.result.charts.get(region)
        if plot is not None:
            plot.SetPlotChartNodeID(None if chart is None else chart.GetID())
        table = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLTableViewNode")
        if table is not None:
            table.SetTableNodeID(self.result.scores.GetID())

    def close(self) -> None:
        """Back to the layout before; harmless when it is not open or the nodes are gone."""
        if not self.isOpen:
            return
        self.isOpen = False
        layout = _layoutNode()
        ours = layout is not None and LAYOUT_ID <= layout.GetViewArrangement() <= LAYOUT_ID + 1
        if ours and self._formerLayout is not None:
            slicer.app.layoutManager().setLayout(self._formerLayout)

    def _panes(self) -> list[Pane]:
        unperturbed, shown = self.result.unperturbed, self.result.shownVolume
        if unperturbed is None or shown is None:
            return []
        return [
            Pane(unperturbed, UNPERTURBED_TAG, _("SYNTHETIC, unperturbed"), WRITTEN_UNIT),
            Pane(shown, PERTURBED_TAG, _("SYNTHETIC, perturbed"), WRITTEN_UNIT),
        ]


def layoutDescription(panes: list[Pane]) -> str:
    """The layout as Slicer's XML: slice views above, plot and table below."""
    slices = "".join(f"<item>{sliceViewXml(pane, VIEW_GROUP)}</item>" for pane in panes)
    above = f'<item splitSize="600"><layout type="horizontal" split="true">{slices}</layout></item>' if panes else ""
    below = "".join(
        f'<item><view class="{kind}" singletontag="{TAG}">'
        f'<property name="viewlabel" action="default">{label}</property></view></item>'
        for kind, label in (("vtkMRMLPlotViewNode", "R"), ("vtkMRMLTableViewNode", "R"))
    )
    return (
        f'<layout type="vertical" split="true">{above}'
        f'<item splitSize="400"><layout type="horizontal" split="true">{below}</layout></item></layout>'
    )


def _layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()
