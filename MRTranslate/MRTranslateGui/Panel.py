"""The panel: shows the parameters, forwards clicks, shows what the tasks report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from . import Scoring
from .AdvancedSection import AdvancedSection
from .BatchTask import FOLDER_ATTRIBUTE
from .Console import Console
from .LookingSection import LookingSection
from .ModelCardText import cardHtml, routeQuality
from .ModelCatalog import ModelEntry, readCatalog
from .NodeFacts import doubtOfReference, guessFromScene
from .OutputChoice import mapToFill, nodeToFill
from .Packages import PackagesMissing
from .ParameterNode import ParameterNode, sourceNodes
from .Readiness import Request, readyText, whatIsMissing
from .ReadingSection import ReadingSection
from .RobustnessResult import RobustnessResult
from .RobustnessSection import RobustnessSection
from .RoleGuess import ROLES
from .RunView import RunView
from .SampleDataSources import SAMPLE_ATTRIBUTE, loadPhantom
from .TaskRunner import Task
from .Translation import Order, Translated, requestOf, translationTask
from .TrustSection import TrustSection
from .WorkerProcess import State

FAVOURITE_TARGET = "FLAIR"
"""Taken where the model offers it and the user has not chosen: the contrast that is missing most often."""


class Panel:
    """One panel on one logic; :meth:`setParameters` gives it a scene's choices."""

    def __init__(self, ui: Any, console: Console) -> None:
        self.ui, self.console = ui, console
        self.parameters: ParameterNode | None = None
        self.catalog = readCatalog()
        self.runView = RunView(ui)
        self.looking = LookingSection(ui, self.score)
        self.trust = TrustSection(ui)
        self.robustness = RobustnessSection(ui, console.runner, self.ask, lambda: (self._order(), self._model()))
        self.reading = ReadingSection(ui)
        self.advanced = AdvancedSection(ui, self.ask)
        self._isUpdating = False
        self._picked: set[str] = set()
        self._tell: dict[int, Callable[[Any], str]] = {}
        ui.guessLabel.setVisible(False)
        self._fillModels()
        self.advanced.onDevice = self._onDevice
        self.advanced.onModelsChanged = self.refreshModels
        ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        ui.guessButton.connect("clicked(bool)", self.onGuessButton)
        ui.sampleDataButton.connect("clicked(bool)", self.onSampleDataButton)
        ui.targetComboBox.connect("currentIndexChanged(int)", self._onTargetChosen)
        ui.modelComboBox.connect("currentIndexChanged(int)", self._onModelChosen)
        for selector in (ui.outputSelector, ui.attentionSelector, ui.uncertaintySelector):
            selector.connect("nodeActivated(vtkMRMLNode*)", self._onOutputPicked)
        self._slots = [
            (console.runner.stateChanged, self._onState),
            (console.runner.progressed, self.runView.showProgress),
            (console.runner.logged, self.runView.log),
            (console.runner.succeeded, self._onSucceeded),
            (console.runner.failed, self._onFailed),
            (console.runner.cancelled, self._onCancelled),
        ]
        for signal, slot in self._slots:
            signal.connect(slot)
        if slicer.app.layoutManager() is not None:
            slicer.app.layoutManager().connect("layoutChanged(int)", self._onLayoutChanged)

    def disconnect(self) -> None:
        """The panel goes; the runner may live on."""
        self.looking.setParameters(None)
        self.trust.setParameters(None)
        self.robustness.disconnect()
        self.reading.stop()
        for signal, slot in self._slots:
            signal.disconnect(slot)
        self._slots = []
        if slicer.app.layoutManager() is not None:
            slicer.app.layoutManager().disconnect("layoutChanged(int)", self._onLayoutChanged)

    def closeViews(self) -> None:
        """Give layout and display windows back to whoever is looking next."""
        self.looking.closeComparison()
        self.robustness.shown.closeViews()
        self.reading.stop()

    def setParameters(self, parameters: ParameterNode | None) -> None:
        """Show these choices; None while there is no scene to choose from."""
        self.parameters = parameters
        self._picked.clear()
        if parameters is None:
            self.reading.stop()
        self.looking.setParameters(parameters)
        self.trust.setParameters(parameters)
        self.robustness.setParameters(parameters)
        self.update()

    def update(self) -> None:
        """Bring everything that follows from the parameters up to date."""
        if self._isUpdating or self.parameters is None:
            return
        self._isUpdating = True
        try:
            self._offerTargets()
            model, sources = self._model(), sourceNodes(self.parameters)
            target = self.parameters.target
            self._showModel(model)
            self.advanced.showDevice(self.parameters.device)
            self.ui.routeLabel.setText(routeQuality(model, sources, target) if model is not None else "")
            self.ui.cardBrowser.setHtml(cardHtml(model, sources, target) if model is not None else _noModel())
            doubt = doubtOfReference(self.parameters.reference, self.parameters.target)
            self.ui.referenceDoubtLabel.setText(doubt)
            self.ui.referenceDoubtLabel.setVisible(bool(doubt))
            self.ui.lowResolutionSelector.setEnabled(
                (model is not None and model.usesLowResolution) or self.parameters.lowResolutionTarget is not None
            )
            request = self._request(model)
            self.runView.setReadiness(whatIsMissing(request), readyText(request))
            self.looking.update()
            self.trust.update(model)
            self.robustness.update()
        finally:
            self._isUpdating = False

    def guessIfEmpty(self) -> None:
        """Fill the roles when the user has chosen none."""
        if self.parameters is not None and not sourceNodes(self.parameters):
            self.guess(onlyIfFound=True)

    def guess(self, *, onlyIfFound: bool = False) -> None:
        """Fill the roles from names, tags and intensities; roles that cannot be told are left empty."""
        if self.parameters is None:
            return
        guesses, doubted = guessFromScene()
        if not guesses.chosen and onlyIfFound:
            return
        with slicer.util.NodeModify(self.parameters.parameterNode):
            for role in ROLES:
                nodeID = guesses.chosen.get(role)
                node = slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None
                if node is None or node is not self.parameters.reference:
                    setattr(self.parameters, f"source{role}", node)
        sentences = []
        if not guesses.chosen and not guesses.ambiguous:
            sentences.append(_("No scan could be told by its name: choose them yourself."))
        sentences += [
            _("Several volumes look like {role}: choose one.").format(role=role) for role in guesses.ambiguous
        ]
        sentences += [
            _("The volume named {role} does not look like one: check it.").format(role=role) for role in doubted
        ]
        self.ui.guessLabel.setText(" ".join(sentences))
        self.ui.guessLabel.setVisible(bool(sentences))

    def onGuessButton(self, _checked: bool = False) -> None:
        self.guess()

    def onSampleDataButton(self, _checked: bool = False) -> None:
        if self.parameters is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
            nodes = loadPhantom()
        with slicer.util.NodeModify(self.parameters.parameterNode):
            for role in ROLES:
                setattr(self.parameters, f"source{role}", nodes.get(role) if role in ("T1w", "T2w") else None)
            self.parameters.reference = nodes["FLAIR"]
            self.parameters.lesionMask = nodes["lesion"]
            self.parameters.target = "FLAIR"
        self.ui.guessLabel.setText(_("A generated head with a tumour. Press Apply."))
        self.ui.guessLabel.setVisible(True)

    def onApplyButton(self, _checked: bool = False) -> None:
        """Start, or cancel what runs."""
        if self.console.runner.isBusy:
            self.console.runner.cancel()
            return
        if self.parameters is None or whatIsMissing(self._request(self._model())):
            return
        order = self._order()
        logging.info("MRTranslate: %s to %s", "+".join(order.sources), order.target)
        self._start(translationTask(order))

    def score(self, synthetic: Any, reference: Any) -> None:
        """Measure in the worker; the table is shown when it is there."""
        if self.parameters is not None:
            self._start(
                Scoring.scoringTask(
                    synthetic,
                    reference,
                    brainMask=self.parameters.brainMask,
                    lesionMask=self.parameters.lesionMask,
                )
            )

    def ask(self, task: Task, tell: Callable[[Any], str]) -> None:
        """Run a task and show the sentence that ``tell`` makes of its answer."""
        if self._start(task):
            self._tell[id(task)] = tell

    def refreshModels(self) -> None:
        """Models were installed or removed."""
        self.catalog = readCatalog()
        self._fillModels()
        self.update()

    # --- what the runner reports ----------------------------------------------------------------------------------

    def _onState(self, state: State) -> None:
        self.runView.showState(state)
        self.advanced.setEnabled(not self.console.runner.isBusy)
        if not self.console.runner.isBusy:
            self.update()

    def _onSucceeded(self, task: Task, value: Any) -> None:
        tell = self._tell.pop(id(task), None)
        if tell is not None:
            self.runView.showDone(tell(value))
        elif isinstance(value, Translated):
            self._showTranslated(value)
        elif isinstance(value, RobustnessResult):
            self.runView.showDone(self.robustness.take(value))
        elif isinstance(value, list):  # files that the console asked for
            self.runView.showDone(_("Done: {number} files.").format(number=len(value)))
        elif value is not None:
            self._showTable(value)

    def _onFailed(self, task: Task, sentence: str) -> None:
        self._tell.pop(id(task), None)
        self.runView.showFailure(sentence)

    def _onCancelled(self, task: Task) -> None:
        self._tell.pop(id(task), None)  # or a later task that gets the same id would be told about in its words
        self.runView.showCancelled()

    def _showTranslated(self, translated: Translated) -> None:
        self._picked.clear()
        if self.parameters is not None:
            with slicer.util.NodeModify(self.parameters.parameterNode):
                self.parameters.outputVolume = translated.volume
                if translated.attention is not None:
                    self.parameters.attentionVolume = translated.attention
                if translated.uncertainty is not None:
                    self.parameters.uncertaintyVolume = translated.uncertainty
        self.looking.renewComparison()
        if self._mayFillViews():
            slicer.util.setSliceViewerLayers(background=translated.volume, foreground=None, label=None)
        self.trust.openIfMeasured(translated.volume)
        for warning in translated.warnings:
            self.runView.log(warning)
        text = _("Done: {name}.").format(name=translated.volume.GetName())
        if translated.warnings:
            text += " " + _("Please read: {warnings}").format(
                warnings=" ".join(_sentence(w) for w in translated.warnings)
            )
        self.runView.showDone(text)
        self.update()

    def _showTable(self, table: Any) -> None:
        if table.GetAttribute(FOLDER_ATTRIBUTE) is not None:  # a batch is nothing that the present views are about
            self.runView.showDone(_("Done: {name}.").format(name=table.GetDescription()))
            return
        self.runView.showDone(_("Scored: {name}.").format(name=table.GetName()))
        if self._mayFillViews():
            # The layout first: it makes the table view, which only then can be told what to show.
            slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
            slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
            slicer.app.applicationLogic().PropagateTableSelection()

    def _mayFillViews(self) -> bool:
        """Not while the user compares, and never before the eyes of a blinded reader."""
        return (
            slicer.app.layoutManager() is not None and not self.ui.compareButton.checked and not self.reading.isReading
        )

    # --- from parameters to request and order ---------------------------------------------------------------------

    def _start(self, task: Task) -> bool:
        try:
            self.console.ensurePackages()
            self.console.runner.run(task)
        except (PackagesMissing, RuntimeError) as error:
            self.runView.showFailure(str(error))
            return False
        return True

    def _model(self) -> ModelEntry | None:
        return self.catalog.find(self.parameters.model if self.parameters is not None else "")

    def _request(self, model: ModelEntry | None) -> Request:
        return requestOf(self._order(), model)

    def _order(self) -> Order:
        chosen = self.parameters
        if chosen is None:
            raise RuntimeError("the panel has no parameters")
        model, sources = self._model(), sourceNodes(chosen)
        output, attention, uncertainty = self._outputs(chosen, next(iter(sources.values()), None))
        return Order(
            sources={role: node.GetID() for role, node in sources.items()},
            target=chosen.target,
            model=None if model is None else model.name,
            lowResolution=_idOf(chosen.lowResolutionTarget),
            brainMask=_idOf(chosen.brainMask),
            reference=_idOf(chosen.reference),
            output=output,
            wantsAttention=chosen.wantsAttention,
            attention=attention,
            wantsUncertainty=chosen.wantsUncertainty,
            uncertainty=uncertainty,
            wantsChecks=chosen.wantsChecks,
            lesionMask=_idOf(chosen.lesionMask),
            options={
                "device": chosen.device,
                "threads": chosen.threads or None,
                "precision": chosen.precision.value,
                "registration": chosen.registration.value,
                "bias_correction": chosen.biasCorrection,
            },
            keepFiles=chosen.keepTemporaryFiles,
        )

    def _outputs(self, chosen: ParameterNode, first: Any | None) -> tuple[str | None, str | None, str | None]:
        """IDs of the nodes that volume, attention and uncertainty map go into; None for a new one."""
        about = (chosen.target, first)
        volume = nodeToFill(chosen.outputVolume, "volume", *about, isPicked=self._isPicked(chosen.outputVolume))
        attention, uncertainty = (
            mapToFill(node, kind, *about, result=volume, isPicked=self._isPicked(node))
            for kind, node in (("attention", chosen.attentionVolume), ("uncertainty", chosen.uncertaintyVolume))
        )
        return volume, attention, uncertainty

    def _isPicked(self, node: Any | None) -> bool:
        return node is not None and node.GetID() in self._picked

    def _onOutputPicked(self, node: Any | None) -> None:
        """A hand chose it, for the next run only: so it is filled whatever it holds, if that is ours."""
        if node is not None:
            self._picked.add(node.GetID())
            self.update()

    # --- what is not bound by name --------------------------------------------------------------------------------

    def _offerTargets(self) -> None:
        model, parameters = self._model(), self.parameters
        if parameters is None:
            return
        offered = model.targetsFor(sourceNodes(parameters)) if model is not None else ()
        combo = self.ui.targetComboBox
        if [combo.itemText(index) for index in range(combo.count)] != list(offered):
            blocked = combo.blockSignals(True)
            combo.clear()
            for target in offered:
                combo.addItem(target)
            combo.blockSignals(blocked)
        if offered and parameters.target not in offered:
            self._setTarget(FAVOURITE_TARGET if FAVOURITE_TARGET in offered else offered[0])
        blocked = combo.blockSignals(True)
        combo.setCurrentIndex(offered.index(parameters.target) if parameters.target in offered else -1)
        combo.blockSignals(blocked)

    def _onTargetChosen(self, index: int) -> None:
        if self.parameters is not None and index >= 0:
            self._setTarget(self.ui.targetComboBox.itemText(index))

    def _setTarget(self, target: str) -> None:
        """Choose the contrast to make; the sample's reference, which no user chose, goes with its contrast."""
        parameters = self.parameters
        if parameters is None:
            return
        sample = parameters.reference and parameters.reference.GetAttribute(SAMPLE_ATTRIBUTE)
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.target = target
            if sample not in (None, target):
                parameters.reference = None

    def _onModelChosen(self, index: int) -> None:
        if self.parameters is not None and 0 <= index < len(self.catalog.models):
            self.parameters.model = self.catalog.models[index].name

    def _onLayoutChanged(self, _layout: int) -> None:
        """Maps and outlines are laid over the views that came."""
        self.update()

    def _onDevice(self, device: str) -> None:
        if self.parameters is not None:
            self.parameters.device = device

    def _fillModels(self) -> None:
        combo = self.ui.modelComboBox
        blocked = combo.blockSignals(True)
        combo.clear()
        for model in self.catalog.models:
            combo.addItem(f"{model.name} {model.version}")
        combo.blockSignals(blocked)
        for problem in self.catalog.problems:
            self.runView.log(problem)

    def _showModel(self, model: ModelEntry | None) -> None:
        self.advanced.showModel(model)
        if self.console.runner.isBusy:
            self.advanced.setEnabled(False)
        combo = self.ui.modelComboBox
        blocked = combo.blockSignals(True)
        combo.setCurrentIndex(-1 if model is None else self.catalog.models.index(model))
        combo.blockSignals(blocked)


def _idOf(node: Any) -> str | None:
    return None if node is None else str(node.GetID())


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


def _noModel() -> str:
    return f"<p>{_('No model is installed: install one under Advanced.')}</p>"
