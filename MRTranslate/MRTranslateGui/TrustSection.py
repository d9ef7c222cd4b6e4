"""Section Trust: what is measured on Apply, where not to trust the result, maps and candidates over the views."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from . import HeatMapOverlay, Results
from .CandidateList import CandidateList
from .LesionOutline import LesionOutline
from .ModelCatalog import ModelEntry
from .ParameterNode import HeatMap, ParameterNode
from .TrustNodes import Trust, trustOf
from .TrustText import whatItMeans, whereNotToTrust


class TrustSection:
    """Follows the output volume of the parameters; needs no run, so that it works on a loaded scene too."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._parameters: ParameterNode | None = None
        self._shownID: str | None = None
        self._candidates = CandidateList(ui)
        self._outline = LesionOutline()
        boxes = (ui.wantsAttentionCheckBox, ui.wantsUncertaintyCheckBox, ui.wantsChecksCheckBox)
        self._whatTheyDo = tuple((box, box.toolTip) for box in boxes)

    def setParameters(self, parameters: ParameterNode | None) -> None:
        """Follow these parameters; None while the scene is closing."""
        self._parameters = parameters
        if parameters is None:
            self._shownID = None
            self._outline.show(None)
            self._candidates.show()

    def update(self, model: ModelEntry | None) -> None:
        """Bring options, sentence, map, outline and candidates up to date."""
        if self._parameters is None:
            return
        trust = trustOf(self._parameters.outputVolume)
        self._offer(model)
        self._say(self._parameters.outputVolume)
        self._showMap(trust)
        self._showOutline()
        self._candidates.show(trust.findings, trust.hardSpots)

    def openIfMeasured(self, volume: Any) -> None:
        """Unfold the section when a result comes with something to read here."""
        if trustOf(volume) != Trust():
            self.ui.trustCollapsibleButton.collapsed = False

    def _offer(self, model: ModelEntry | None) -> None:
        """What cannot be made stays in sight, grey, with the reason as its tooltip."""
        wanted = (self._parameters.wantsAttention, self._parameters.wantsUncertainty, self._parameters.wantsChecks)
        reasons = _whyNot(model, self._parameters.target)
        for (box, whatItDoes), isWanted, reason in zip(self._whatTheyDo, wanted, reasons, strict=True):
            box.setEnabled(isWanted or not reason)  # what was ticked for another model can be unticked
            box.setToolTip(reason or whatItDoes)
        self.ui.attentionSelector.setEnabled(self._parameters.wantsAttention)
        self.ui.uncertaintySelector.setEnabled(self._parameters.wantsUncertainty)

    def _say(self, volume: Any) -> None:
        if not Results.isSynthetic(volume):
            self.ui.trustLabel.setText(_("Make a synthetic volume first, or choose one under Outputs."))
            self.ui.trustLabel.setToolTip("")
            return
        record = Results.provenanceOf(volume)
        self.ui.trustLabel.setText(whereNotToTrust(record))
        self.ui.trustLabel.setToolTip(whatItMeans(record))

    def _showMap(self, trust: Trust) -> None:
        maps = {HeatMap.ATTENTION: trust.attention, HeatMap.UNCERTAINTY: trust.uncertainty}
        maps = {kind: node for kind, node in maps.items() if node is not None and node.GetImageData() is not None}
        for widget in (self.ui.heatMapComboBox, self.ui.opacitySlider, self.ui.thresholdSlider):
            widget.setEnabled(bool(maps))
        self.ui.heatMapComboBox.setToolTip(_whatIsShown(self._parameters.heatMap, maps))
        wanted = maps.get(self._parameters.heatMap)
        former = Results.nodeByID(self._shownID)
        if former is not None and former is not wanted:
            HeatMapOverlay.hideMap(former)
        self._shownID = None if wanted is None else wanted.GetID()
        if wanted is not None:
            HeatMapOverlay.showMap(
                wanted, threshold=self._parameters.heatMapThreshold, opacity=self._parameters.heatMapOpacity
            )

    def _showOutline(self) -> None:
        mask = self._parameters.lesionMask
        self.ui.lesionOutlineCheckBox.setEnabled(mask is not None)
        self.ui.lesionOutlineCheckBox.setToolTip(
            _("The edge of the lesion mask over image and heat map.")
            if mask is not None
            else _("Choose a lesion mask under Optional inputs first.")
        )
        self._outline.show(mask if self._parameters.lesionOutline else None)


def _whyNot(model: ModelEntry | None, target: str) -> tuple[str, str, str]:
    """Why attention map, uncertainty map and check cannot be made; empty texts where they can."""
    if model is None:
        none = _("No model is installed: install one under Advanced.")
        return none, none, none
    noAttention = _("The model {model} comes without a local discriminator, so it makes no attention map.")
    noUncertainty = _(
        "The model {model} was not calibrated against errors in {target}, so it makes no uncertainty map."
    )
    errors = target or _("any contrast")
    return (
        "" if model.makesAttention else noAttention.format(model=model.name),
        "" if model.isCalibratedFor(target) else noUncertainty.format(model=model.name, target=errors),
        "",
    )


def _whatIsShown(kind: HeatMap, maps: dict[HeatMap, Any]) -> str:
    if not maps:
        return _("This result has no map: tick one above, then Apply.")
    if kind is not HeatMap.NONE and kind not in maps:
        return _("This result has no such map: tick it above, then Apply.")
    return _("Lay a map over the slices.")
