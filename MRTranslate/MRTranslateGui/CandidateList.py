"""The places to look at: choosing one jumps all slice views there, and its mark stands out from the others'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _


@dataclass(frozen=True)
class Candidate:
    """A control point of a markups list."""

    listID: str
    index: int
    label: str
    description: str


class CandidateList:
    """Findings before hard spots, in a list widget with two buttons to walk along."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._candidates: list[Candidate] = []
        ui.candidateListWidget.connect("currentRowChanged(int)", self.onRowChanged)
        ui.candidateListWidget.connect("itemClicked(QListWidgetItem*)", self.onItemClicked)
        ui.previousCandidateButton.connect("clicked(bool)", lambda _checked: self.step(-1))
        ui.nextCandidateButton.connect("clicked(bool)", lambda _checked: self.step(1))
        self._showChoice(-1)

    def show(self, *lists: Any | None) -> None:
        """Offer the points of these markups lists, one after the other; None for a list that there is not."""
        candidates = [candidate for points in lists if points is not None for candidate in _candidatesOf(points)]
        if candidates == self._candidates:
            return
        self._candidates = candidates
        widget = self.ui.candidateListWidget
        blocked = widget.blockSignals(True)
        widget.clear()
        for candidate in candidates:
            widget.addItem(candidate.label)
        widget.setCurrentRow(-1)
        widget.blockSignals(blocked)
        self._showChoice(-1)

    def step(self, by: int) -> None:
        """To the next candidate, or the one before; from the last to the first."""
        if self._candidates:
            row = self.ui.candidateListWidget.currentRow
            start = row if row >= 0 else (-1 if by > 0 else 0)
            self.ui.candidateListWidget.setCurrentRow((start + by) % len(self._candidates))

    def onRowChanged(self, row: int) -> None:
        self._showChoice(row)
        self._highlight(row)
        self._jump(row)

    def onItemClicked(self, _item: Any) -> None:
        """Back to the chosen one, if the views were scrolled away meanwhile."""
        self._jump(self.ui.candidateListWidget.currentRow)

    def _jump(self, row: int) -> None:
        if not 0 <= row < len(self._candidates):
            return
        candidate = self._candidates[row]
        points = slicer.mrmlScene.GetNodeByID(candidate.listID)
        if points is None or candidate.index >= points.GetNumberOfControlPoints():
            self.ui.candidateLabel.setText(_("This point was removed from its list."))
            return
        position = [0.0, 0.0, 0.0]
        points.GetNthControlPointPositionWorld(candidate.index, position)  # where it is now, should it have been moved
        sliceNode = slicer.vtkMRMLSliceNode
        sliceNode.JumpAllSlices(slicer.mrmlScene, *position, sliceNode.CenteredJumpSlice)

    def _highlight(self, row: int) -> None:
        """Points that are not selected are drawn dim."""
        for index, candidate in enumerate(self._candidates):
            points = slicer.mrmlScene.GetNodeByID(candidate.listID)
            if points is not None and candidate.index < points.GetNumberOfControlPoints():
                points.SetNthControlPointSelected(candidate.index, row < 0 or index == row)

    def _showChoice(self, row: int) -> None:
        chosen = self._candidates[row].description if 0 <= row < len(self._candidates) else ""
        self.ui.candidateLabel.setText(chosen)
        self.ui.candidateLabel.setVisible(bool(chosen))
        for widget in (
            self.ui.candidateListWidget, self.ui.previousCandidateButton, self.ui.nextCandidateButton
        ):  # fmt: skip
            widget.setEnabled(bool(self._candidates))


def _candidatesOf(points: Any) -> list[Candidate]:
    return [
        Candidate(
            points.GetID(),
            index,
            points.GetNthControlPointLabel(index),
            points.GetNthControlPointDescription(index),
        )
        for index in range(points.GetNumberOfControlPoints())
    ]
