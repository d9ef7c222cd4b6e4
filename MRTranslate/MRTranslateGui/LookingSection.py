"""The buttons for looking at a result: side by side, difference, flicker, curtain, scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from . import Results
from .Comparison import Comparison
from .NodeFacts import doubtOfReference
from .ParameterNode import ParameterNode

MODES = ("difference", "flicker", "curtain")
"""Looks at one and the same view: one at a time."""


class LookingSection:
    """Follows the output volume of the parameters; needs no run, so that it works on a loaded scene too."""

    def __init__(self, ui: Any, onScore: Callable[[Any, Any], None]) -> None:
        """Wire the section; ``onScore`` is called with the synthetic volume and its reference."""
        self.ui = ui
        self._onScore = onScore
        self._parameters: ParameterNode | None = None
        self._comparison: Comparison | None = None
        self._comparedIDs: tuple[str | None, ...] = ()
        self._modeButtons = {mode: getattr(ui, f"{mode}Button") for mode in MODES}
        ui.compareButton.connect("toggled(bool)", self.onCompareToggled)
        for mode, button in self._modeButtons.items():
            button.connect("toggled(bool)", lambda checked, mode=mode: self.onModeToggled(mode, checked))
        ui.scoreButton.connect("clicked(bool)", self.onScoreButton)

    def setParameters(self, parameters: ParameterNode | None) -> None:
        """Follow these parameters; None while the scene is closing."""
        if parameters is None:
            self.closeComparison()
        self._parameters = parameters
        self.update()

    def update(self) -> None:
        """Enable what can be looked at, and follow sliders and changed volumes."""
        volume, source, reference = self.compared()
        if self._comparison is not None and self._comparedIDs != _ids(volume, source, reference):
            self.closeComparison()
        possible = volume is not None and source is not None
        self.ui.compareButton.setEnabled(possible)
        self.ui.flickerButton.setEnabled(possible)
        self.ui.curtainButton.setEnabled(possible)
        self.ui.curtainSlider.setEnabled(possible)
        self.ui.differenceButton.setEnabled(possible and reference is not None)
        self.ui.scoreButton.setEnabled(possible and reference is not None)
        if self._comparison is not None and self.ui.curtainButton.checked and self._parameters is not None:
            self._comparison.setCurtain(True, self._parameters.curtainPosition)
        self._explain(volume, reference)

    def compared(self) -> tuple[Any, Any, Any]:
        """The synthetic volume, its first source and its reference; None for what there is not."""
        volume = None if self._parameters is None else self._parameters.outputVolume
        if not Results.isSynthetic(volume) or volume.GetImageData() is None:
            return None, None, None
        source = volume.GetNodeReference(Results.FIRST_SOURCE_REFERENCE)
        reference = self._parameters.reference or volume.GetNodeReference(Results.REFERENCE_REFERENCE)
        return volume, source, reference

    def closeComparison(self) -> None:
        """Back to the former layout, buttons up."""
        comparison, self._comparison = self._comparison, None
        for button in (self.ui.compareButton, *self._modeButtons.values()):
            self._check(button, False)
        if comparison is not None:
            comparison.close()

    def renewComparison(self) -> None:
        """The compared volume was filled anew: open again on what it holds now, without difference of the former."""
        if self._comparison is not None:
            self.closeComparison()
            self.ui.compareButton.setChecked(True)

    def onCompareToggled(self, checked: bool) -> None:
        volume, source, reference = self.compared()
        if not checked:
            self.closeComparison()
            self._explain(volume, reference)
            return
        if volume is None or source is None or slicer.app.layoutManager() is None:
            self._check(self.ui.compareButton, False)
            return
        self._comparison = Comparison(
            volume, source, reference, sourceUnit=_sourceUnit(volume), onLeft=self._onComparisonLeft
        )
        self._comparedIDs = _ids(volume, source, reference)
        self._comparison.open()

    def onModeToggled(self, mode: str, checked: bool) -> None:
        if checked:
            for other in MODES:
                if other != mode and self._modeButtons[other].checked:
                    self._modeButtons[other].setChecked(False)
            if self._comparison is None:
                self.ui.compareButton.setChecked(True)
        if self._comparison is None or self._parameters is None:
            self._check(self._modeButtons[mode], False)
            return
        problem = None
        if mode == "difference":
            problem = self._comparison.setDifference(checked)
        elif mode == "flicker":
            self._comparison.setFlicker(checked)
        else:
            self._comparison.setCurtain(checked, self._parameters.curtainPosition)
        volume, _source, reference = self.compared()
        self._explain(volume, reference)
        if problem is not None:
            self._check(self._modeButtons[mode], False)
            self.ui.lookingNote.setText(problem)

    def onScoreButton(self, _checked: bool = False) -> None:
        volume, _source, reference = self.compared()
        if volume is not None and reference is not None:
            self._onScore(volume, reference)

    def _onComparisonLeft(self) -> None:
        self.closeComparison()
        self.update()

    def _explain(self, volume: Any, reference: Any) -> None:
        if volume is None:
            text = _("Make a synthetic volume first, or choose one under Outputs.")
        elif reference is None:
            text = Results.describe(volume) + " " + _("With a real reference, difference and scores are possible.")
        else:
            text = Results.describe(volume)
        doubt = "" if volume is None else doubtOfReference(reference, volume.GetAttribute(Results.TARGET_ATTRIBUTE))
        self.ui.lookingNote.setText(" ".join(part for part in (text, *self._legend(reference), doubt) if part))

    def _legend(self, reference: Any) -> list[str]:
        """How to read the synthetic view as it is drawn now."""
        other = _("the source") if reference is None else _("the reference")
        texts = {
            "difference": _(
                "Red is brighter than {other}, blue is darker, black is equal; colours are full from a difference of "
                "half the brain's brightest."
            ),
            "flicker": _("The view SYNTHETIC swaps twice a second with {other}."),
            "curtain": _("In the view SYNTHETIC, what is right of the edge is {other}."),
        }
        return [texts[mode].format(other=other) for mode in MODES if self._modeButtons[mode].checked]

    @staticmethod
    def _check(button: Any, checked: bool) -> None:
        """Set a button without its slot being called."""
        blocked = button.blockSignals(True)
        button.setChecked(checked)
        button.blockSignals(blocked)


def _ids(*nodes: Any) -> tuple[str | None, ...]:
    return tuple(None if node is None else node.GetID() for node in nodes)


def _sourceUnit(volume: Any) -> float | None:
    sources = Results.provenanceOf(volume).get("sources", [])
    return float(sources[0]["percentile_value"]) if sources else None
