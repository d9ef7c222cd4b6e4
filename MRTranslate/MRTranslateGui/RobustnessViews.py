"""The layout of a robustness run: the chosen result beside the unperturbed one, below them curves and scores.

Leaving it gives back the layout that was there before.
"""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .Comparison import Pane, showLinked
from .Layouts import CURVES, CURVES_WITH_VOLUMES, PERTURBED_TAG, ROBUSTNESS_TAG, UNPERTURBED_TAG, OwnLayout
from .Results import WRITTEN_UNIT
from .RobustnessResult import RobustnessResult


class RobustnessViews:
    """The views of one run. Make new ones for another run.

    Attributes:
        isOpen: Whether our layout is shown.
    """

    def __init__(self, result: RobustnessResult, *, onLeft: Callable[[], None]) -> None:
        """Prepare; nothing changes on screen. ``onLeft`` is called when the user chooses another layout."""
        self.result = result
        self._panes = _panesOf(result)
        self._layout = OwnLayout(CURVES_WITH_VOLUMES if self._panes else CURVES, onLeft)

    @property
    def isOpen(self) -> bool:
        return self._layout.isShown

    def open(self, region: str) -> None:
        """Show them, with the curves of this region."""
        if not self.isOpen:
            self._layout.open()
            if self._panes:
                showLinked(self._panes)
        self.showRegion(region)

    def showRegion(self, region: str) -> None:
        """Draw the curves of another region."""
        if not self.isOpen:
            return
        plot = slicer.mrmlScene.GetSingletonNode(ROBUSTNESS_TAG, "vtkMRMLPlotViewNode")
        chart = self.result.charts.get(region)
        if plot is not None:
            plot.SetPlotChartNodeID(None if chart is None else chart.GetID())
        table = slicer.mrmlScene.GetSingletonNode(ROBUSTNESS_TAG, "vtkMRMLTableViewNode")
        if table is not None:
            table.SetTableNodeID(self.result.scores.GetID())

    def close(self) -> None:
        """Back to the layout before; harmless when it is not open or the nodes are gone."""
        self._layout.close()


def _panesOf(result: RobustnessResult) -> list[Pane]:
    unperturbed, shown = result.unperturbed, result.shownVolume
    if unperturbed is None or shown is None:
        return []
    return [Pane(unperturbed, UNPERTURBED_TAG, WRITTEN_UNIT), Pane(shown, PERTURBED_TAG, WRITTEN_UNIT)]
