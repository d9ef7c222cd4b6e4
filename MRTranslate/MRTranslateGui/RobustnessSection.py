"""The section Robustness: what to try, and the run; RobustnessShown shows what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import slicer
from slicer.i18n import tr as _

from .ModelCatalog import ModelEntry
from .ParameterNode import ParameterNode
from .PerturbationList import PerturbationList
from .RobustnessResult import RobustnessResult
from .RobustnessShown import RobustnessShown
from .RobustnessTask import RobustnessOrder, RunRecord, bareTranslation, missingForRobustness, robustnessTask
from .RunView import RunView
from .TaskRunner import Task, TaskRunner
from .Translation import Order
from .WorkerProcess import State

BYTES_PER_VOXEL = 2
"""Synthetic volumes are int16."""


class RobustnessSection:
    """Follows the panel's inputs for a new run, and the chosen table of scores for what is shown."""

    def __init__(
        self,
        ui: Any,
        runner: TaskRunner,
        ask: Callable[[Task, Callable[[Any], str]], None],
        order: Callable[[], tuple[Order, ModelEntry | None]],
    ) -> None:
        """Wire the section.

        Args:
            ui: Widgets of the ``.ui`` file.
            runner: Whose signals tell how the run goes.
            ask: Runs a task and shows the sentence that the function makes of its value.
            order: What the panel's inputs ask for, and the chosen model; called while there are parameters.
        """
        self.ui, self._runner, self._ask, self._order = ui, runner, ask, order
        self._parameters: ParameterNode | None = None
        self._task: Task | None = None
        self._record: RunRecord | None = None
        self.types = PerturbationList(ui.robustnessTypeList, self._onTypes)
        self._view = RunView(
            SimpleNamespace(
                applyButton=ui.robustnessRunButton,
                stateLabel=ui.robustnessStateLabel,
                progressBar=ui.robustnessProgressBar,
                logTextEdit=ui.logTextEdit,
            ),
            idleText=_("Run"),
            cancelToolTip=_("Stop the run; what is finished is kept, and Run goes on from there."),
        )
        self.shown = RobustnessShown(ui, onSaved=self._view.showDone, onProblem=self._view.showFailure)
        ui.robustnessRunButton.connect("clicked(bool)", self.onRunButton)
        self._slots = [
            (runner.stateChanged, self._onState),
            (runner.progressed, lambda progress: self._isOurs() and self._view.showProgress(progress)),
            (runner.failed, self._onFailed),
            (runner.cancelled, self._onCancelled),
        ]
        for signal, slot in self._slots:
            signal.connect(slot)

    def disconnect(self) -> None:
        """The panel goes; the runner may live on."""
        self.setParameters(None)
        for signal, slot in self._slots:
            signal.disconnect(slot)
        self._slots = []

    def setParameters(self, parameters: ParameterNode | None) -> None:
        """Follow these parameters; None while the scene is closing."""
        self._parameters = parameters
        self.update()

    def update(self) -> None:
        """Bring everything that follows from the parameters up to date."""
        parameters = self._parameters
        if parameters is not None:
            order = self._robustnessOrder(parameters)
            self.types.show(order.perturbations, hasSeveralSources=len(order.translation.sources) != 1)
            self._view.setReadiness(self._missing(order), _("Measure how the result changes when the scans are worse."))
            self.ui.robustnessSizeLabel.setText(_sizeText(order))
            if self._runner.isBusy and not self._isOurs():
                self.ui.robustnessRunButton.setEnabled(False)
        self.shown.setScores(None if parameters is None else parameters.robustnessScores)

    # --- the run --------------------------------------------------------------------------------------------------

    def onRunButton(self, _checked: bool = False) -> None:
        """Start, or cancel what runs."""
        if self._isOurs():
            self._runner.cancel()
            return
        if self._parameters is None or self._runner.isBusy:
            return
        order = self._robustnessOrder(self._parameters)
        if self._missing(order):
            return
        logging.info("MRTranslate: robustness, %s at levels %s", ", ".join(order.perturbations), order.levels)
        task, self._record = robustnessTask(order)
        self._task = task
        self._ask(task, self.take)
        if self._task is task and self._runner.task is not task:  # it could not even be started; the panel says why
            self._task = None

    def take(self, result: RobustnessResult) -> str:
        """Show a finished run, the console's too; returns a sentence about it."""
        self._task = None
        if self._parameters is not None:
            self._parameters.robustnessScores = result.scores
        text = _("Done: {name}.").format(name=result.scores.GetName())
        self._view.showDone(_("Done."))
        return text

    def _isOurs(self) -> bool:
        return self._task is not None and self._runner.task is self._task

    def _onState(self, state: State) -> None:
        if self._isOurs() or (self._task is not None and not self._runner.isBusy):
            self._view.showState(state)
        if not self._runner.isBusy:
            self.update()
        elif not self._isOurs():
            self.ui.robustnessRunButton.setEnabled(False)

    def _onFailed(self, task: Task, sentence: str) -> None:
        if task is self._task:
            self._task = None
            self._view.showFailure(" ".join((sentence, *self._whatIsKept())))

    def _onCancelled(self, task: Task) -> None:
        if task is self._task:
            self._task = None
            self._view.showDone(" ".join((_("Cancelled."), *self._whatIsKept())))

    def _whatIsKept(self) -> list[str]:
        number = 0 if self._record is None else self._record.numFinished
        text = _("{number} finished results are kept: Run goes on from there.").format(number=number)
        return [text] if number else []

    def _robustnessOrder(self, parameters: ParameterNode) -> RobustnessOrder:
        translation, model = self._order()
        levels = sorted((parameters.robustnessFirstLevel, parameters.robustnessLastLevel))
        return RobustnessOrder(
            translation=bareTranslation(translation),
            card={} if model is None else model.card,
            perturbations=tuple(name for name in parameters.robustnessTypes.split(",") if name),
            levels=tuple(range(levels[0], levels[1] + 1)),
            adversarial=parameters.robustnessAdversarial,
            keepVolumes=parameters.robustnessVolumes,
        )

    def _missing(self, order: RobustnessOrder) -> list[str]:
        _translation, model = self._order()
        return missingForRobustness(order, model)

    def _onTypes(self, chosen: tuple[str, ...]) -> None:
        if self._parameters is not None:
            self._parameters.robustnessTypes = ",".join(chosen)


def _sizeText(order: RobustnessOrder) -> str:
    """How much it is: translations and, if they are kept, the memory of their volumes."""
    number = len(order.perturbations) * len(order.levels)
    first = next(iter(order.translation.sources.values()), None)
    node = None if first is None else slicer.mrmlScene.GetNodeByID(first)
    text = _("{number} translations, and one of the scans as they are.").format(number=number)
    if not order.keepVolumes or node is None or node.GetImageData() is None:
        return text
    megabytes = (number + 2) * node.GetImageData().GetNumberOfPoints() * BYTES_PER_VOXEL / 1e6
    return text + " " + _("The volumes take about {size:.0f} MB of memory.").format(size=megabytes)
