"""Apply that becomes Cancel, what goes on in words, the progress bar with the time left, and the bounded log."""

from __future__ import annotations

import math
from typing import Any

from slicer.i18n import tr as _

from .WorkerProcess import JobProgress, State


class RunView:
    """Shows one runner's state in the widgets of the ``.ui`` file; decides nothing."""

    def __init__(self, ui: Any, *, idleText: str | None = None, cancelToolTip: str | None = None) -> None:
        """Use these widgets; the texts are the button's when nothing runs, and its tooltip's when it cancels."""
        self._ui = ui
        self._idleText = idleText or _("Apply")
        self._cancelToolTip = cancelToolTip or _("Stop the run; nothing is loaded then.")
        self._isReady = False
        self._readyText = ""
        self._state = State.IDLE
        ui.progressBar.setVisible(False)
        self._say("")

    def setReadiness(self, missing: list[str], readyText: str) -> None:
        """Say by Apply's tooltip what is missing, or what it will do."""
        self._isReady, self._readyText = not missing, "\n".join(missing) or readyText
        self._showButton()

    def showState(self, state: State) -> None:
        """Follow the runner."""
        self._state = state
        busy = state in (State.STARTING, State.RUNNING, State.IMPORTING, State.CANCELLING)
        self._ui.progressBar.setVisible(busy)
        # A bar without range moves by itself: something goes on, nobody knows how far.
        self._ui.progressBar.setRange(0, 1000 if state is State.RUNNING else 0)
        if state is State.RUNNING:
            self._ui.progressBar.setValue(0)
        texts = {
            State.STARTING: _("Starting..."),
            State.RUNNING: _("Running..."),
            State.IMPORTING: _("Loading the result..."),
            State.CANCELLING: _("Cancelling..."),
        }
        if state in texts:
            self._say(texts[state])
        self._showButton()

    def showProgress(self, progress: JobProgress) -> None:
        """How far it is and how long it will take."""
        self._ui.progressBar.setValue(round(1000 * progress.fraction))
        text = _("{stage}: {percent} %").format(stage=stageName(progress.stage), percent=int(100 * progress.fraction))
        if progress.remainingSeconds is not None:
            text += _(", about {time} left").format(time=inWords(progress.remainingSeconds))
        self._say(text)

    def showDone(self, text: str) -> None:
        """The run is over and gave something."""
        self._say(text)

    def showFailure(self, sentence: str) -> None:
        """The run is over and gave nothing; the sentence says why."""
        self._say(_("Failed: {reason}").format(reason=sentence), color="#c0392b")
        self.log(sentence)

    def showCancelled(self) -> None:
        """The user stopped it; this is no failure."""
        self._say(_("Cancelled. Nothing was loaded."))

    def log(self, line: str) -> None:
        """One line more in the log, which forgets its oldest."""
        self._ui.logTextEdit.appendPlainText(line.rstrip())

    def _showButton(self) -> None:
        button = self._ui.applyButton
        if self._state in (State.STARTING, State.RUNNING):
            button.setText(_("Cancel"))
            button.setToolTip(self._cancelToolTip)
            button.setEnabled(True)
        elif self._state in (State.IMPORTING, State.CANCELLING):
            button.setEnabled(False)
        else:
            button.setText(self._idleText)
            button.setToolTip(self._readyText)
            button.setEnabled(self._isReady)

    def _say(self, text: str, *, color: str = "") -> None:
        label = self._ui.stateLabel
        label.setText(text)
        label.setVisible(bool(text))
        label.setStyleSheet(f"color: {color};" if color else "")


def stageName(stage: str) -> str:
    """A stage of the library in words; the library's own word where we have none."""
    names = {
        "read": _("Reading"),
        "prepare": _("Preparing"),
        "check": _("Checking the scans"),
        "register": _("Aligning the scans"),
        "mask": _("Finding the brain"),
        "sample": _("Sampling"),
        "translate": _("Translating"),
        "attention": _("Making the attention map"),
        "checks": _("Comparing with the sources"),
        "uncertainty": _("Making the uncertainty map"),
        "write": _("Writing"),
        "evaluate": _("Scoring"),
        "adversarial": _("Searching the worst case"),
        "report": _("Writing the report"),
        "install": _("Installing the model"),
        "verify": _("Verifying"),
        "describe": _("Looking"),
    }
    return names.get(stage, stage)


def inWords(seconds: float) -> str:
    """A time, rounded up to what a person cares about.

    Example:
        >>> inWords(3.2), inWords(37), inWords(130)
        ('5 s', '40 s', '3 min')
    """
    if seconds <= 90:
        step = 5 if seconds <= 15 else 10
        return _("{seconds} s").format(seconds=max(step, math.ceil(seconds / step) * step))
    return _("{minutes} min").format(minutes=math.ceil(seconds / 60))
