"""What came of a robustness run: type and level to scroll through, curves, verdict, and the report to save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from .RobustnessResult import ROBUSTNESS_ATTRIBUTE, RobustnessResult, isRobustnessResult, restoreMarks
from .RobustnessTables import regionTitle
from .RobustnessViews import RobustnessViews


class RobustnessShown:
    """The lower half of the section; follows the chosen table of scores, so that it works on a loaded scene too."""

    def __init__(self, ui: Any, *, onSaved: Callable[[str], None], onProblem: Callable[[str], None]) -> None:
        """Wire the widgets; the functions are told a sentence when a report was saved, or could not be."""
        self.ui, self._onSaved, self._onProblem = ui, onSaved, onProblem
        self._result: RobustnessResult | None = None
        self._views: RobustnessViews | None = None
        self._observed: tuple[Any, Any] | None = None
        ui.robustnessSelector.addAttribute("vtkMRMLTableNode", ROBUSTNESS_ATTRIBUTE, "1")
        ui.robustnessViewsButton.connect("toggled(bool)", self.onViewsToggled)
        ui.robustnessShownTypeComboBox.connect("currentIndexChanged(int)", self._onTypeChosen)
        ui.robustnessShownLevelSlider.connect("valueChanged(int)", self._onLevelChosen)
        ui.robustnessRegionComboBox.connect("currentIndexChanged(int)", self._onRegionChosen)
        ui.robustnessSaveButton.connect("clicked(bool)", self.onSaveButton)
        self._fill()

    def setScores(self, scores: Any | None) -> None:
        """Show this run; None for none."""
        result = RobustnessResult(scores) if isRobustnessResult(scores) else None
        former = None if self._result is None else self._result.scores
        if (None if result is None else result.scores) is former:
            return
        self.closeViews()
        self._observe(None if result is None else result.browser)
        self._result = result
        if result is not None:
            restoreMarks(result)
        self._fill()

    def onViewsToggled(self, checked: bool) -> None:
        if not checked or self._result is None or slicer.app.layoutManager() is None:
            self.closeViews()
            return
        self._views = RobustnessViews(self._result, onLeft=self.closeViews)
        self._views.open(self._region())

    def closeViews(self) -> None:
        """Back to the former layout, button up."""
        views, self._views = self._views, None
        button = self.ui.robustnessViewsButton
        blocked = button.blockSignals(True)
        button.setChecked(False)
        button.blockSignals(blocked)
        if views is not None:
            views.close()

    def onSaveButton(self, _checked: bool = False) -> None:
        if self._result is None:
            return
        suggested = f"{self._result.scores.GetName()}.html"
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Save the report"), suggested, _("Page and numbers") + " (*.html)"
        )
        if not path:
            return
        try:
            page, numbers = self._result.saveReport(Path(str(path)))
        except (OSError, ValueError) as error:
            self._onProblem(str(error))
        else:
            self._onSaved(_("Saved {page} and {numbers}.").format(page=page, numbers=numbers.name))

    # --- choices and what they show -------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Everything that depends on which run is shown."""
        result, ui = self._result, self.ui
        _fillCombo(ui.robustnessShownTypeComboBox, {} if result is None else result.types)
        regions = () if result is None else tuple(result.charts)
        _fillCombo(ui.robustnessRegionComboBox, {region: regionTitle(region) for region in regions})
        hasVolumes = result is not None and result.shownVolume is not None
        ui.robustnessShownTypeComboBox.setEnabled(hasVolumes)
        ui.robustnessShownLevelSlider.setEnabled(hasVolumes)
        for widget in (ui.robustnessRegionComboBox, ui.robustnessViewsButton, ui.robustnessSaveButton):
            widget.setEnabled(result is not None)
        sentences = () if result is None else result.sentences
        ui.robustnessVerdictLabel.setText("\n".join(sentences))
        ui.robustnessVerdictLabel.setVisible(bool(sentences))
        self._follow()

    def _onTypeChosen(self, _index: int) -> None:
        self._scroll()

    def _onLevelChosen(self, _level: int) -> None:
        self._scroll()

    def _scroll(self) -> None:
        if self._result is not None:
            self._result.show(self._chosenItem())
            self._follow()

    def _chosenItem(self) -> int:
        """Index of the item of the chosen type at the chosen step; step 0 is the unperturbed one."""
        step = self.ui.robustnessShownLevelSlider.value
        if self._result is None or step == 0:
            return 0
        ofType = self._itemsOf(_chosenKey(self.ui.robustnessShownTypeComboBox))
        return ofType[min(step, len(ofType)) - 1]

    def _itemsOf(self, perturbation: str) -> list[int]:
        items = () if self._result is None else self._result.items
        return [index for index, item in enumerate(items) if item.perturbation == perturbation]

    def _follow(self, *_arguments: object) -> None:
        """Show where the browser is, which others scroll too."""
        result, label = self._result, self.ui.robustnessShownLabel
        label.setVisible(result is not None)
        if result is None:
            return
        index = result.shownItem
        item = result.items[index]
        combo, slider = self.ui.robustnessShownTypeComboBox, self.ui.robustnessShownLevelSlider
        blocked = combo.blockSignals(True), slider.blockSignals(True)
        if item.level:
            combo.setCurrentIndex(combo.findData(item.perturbation))
        slider.setMaximum(len(self._itemsOf(_chosenKey(combo))))
        slider.setValue(self._itemsOf(item.perturbation).index(index) + 1 if item.level else 0)
        combo.blockSignals(blocked[0])
        slider.blockSignals(blocked[1])
        noVolumes = _("The volumes of this run were not kept; curves, scores and report are there.")
        label.setText(noVolumes if result.shownVolume is None else self._textOf(index))

    def _textOf(self, index: int) -> str:
        if self._result is None:
            return ""
        text, region = self._result.items[index].text, self._region()
        change = self._result.change(index, region)
        if change is None:
            return text
        return _("{item}: changes the {region} by {percent:.1f} %").format(
            item=text, region=regionTitle(region), percent=100 * change
        )

    def _region(self) -> str:
        return _chosenKey(self.ui.robustnessRegionComboBox)

    def _onRegionChosen(self, _index: int) -> None:
        if self._views is not None:
            self._views.showRegion(self._region())
        self._follow()

    def _observe(self, browser: Any) -> None:
        """Listen to this browser, and no longer to the one before."""
        if self._observed is not None:
            self._observed[0].RemoveObserver(self._observed[1])
        self._observed = None if browser is None else (browser, browser.AddObserver("ModifiedEvent", self._follow))


def _fillCombo(combo: Any, entries: dict[str, str]) -> None:
    blocked = combo.blockSignals(True)
    combo.clear()
    for key, title in entries.items():
        combo.addItem(title, key)
    combo.blockSignals(blocked)


def _chosenKey(combo: Any) -> str:
    return str(combo.itemData(combo.currentIndex) or "")
