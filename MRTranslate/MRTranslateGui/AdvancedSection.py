"""Devices, models on this computer, and what is installed: everything that most users never open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

from .ModelCatalog import ModelEntry
from .TaskRunner import Task, questionTask


class AdvancedSection:
    """The widgets of the section that are not simply bound to a parameter."""

    def __init__(self, ui: Any, ask: Callable[[Task, Callable[[Any], str]], None]) -> None:
        """Wire the section.

        Args:
            ui: Widgets of the ``.ui`` file.
            ask: Runs a task and shows the sentence that the function makes of its answer.
        """
        self.ui = ui
        self._ask = ask
        self._model: ModelEntry | None = None
        self.onDevice: Callable[[str], None] = lambda _device: None
        self.onModelsChanged: Callable[[], None] = lambda: None
        self._fillDevices([{"name": "cpu", "title": _("processor")}])
        ui.deviceComboBox.connect("currentIndexChanged(int)", self._onDeviceChosen)
        ui.packagesButton.connect("clicked(bool)", self.onPackagesButton)
        ui.installModelButton.connect("clicked(bool)", self.onInstallButton)
        ui.verifyModelButton.connect("clicked(bool)", self.onVerifyButton)
        ui.removeModelButton.connect("clicked(bool)", self.onRemoveButton)

    def showDevice(self, name: str) -> None:
        """Show the chosen device, also one that this computer does not have (any more)."""
        combo = self.ui.deviceComboBox
        index = combo.findData(name)
        if index < 0:
            combo.addItem(name, name)
            index = combo.findData(name)
        if combo.currentIndex != index:
            combo.setCurrentIndex(index)

    def showModel(self, model: ModelEntry | None) -> None:
        """Which model the buttons are about."""
        self._model = model
        self.ui.verifyModelButton.setEnabled(model is not None)
        self.ui.removeModelButton.setEnabled(model is not None and not model.shipped)

    def setEnabled(self, enabled: bool) -> None:
        """Grey the buttons while a task runs."""
        self.ui.packagesButton.setEnabled(enabled)
        self.ui.installModelButton.setEnabled(enabled)
        self.showModel(self._model)
        if not enabled:
            self.ui.verifyModelButton.setEnabled(False)
            self.ui.removeModelButton.setEnabled(False)

    def onPackagesButton(self, _checked: bool = False) -> None:
        self._ask(questionTask("describe", {}), self._describe)

    def onVerifyButton(self, _checked: bool = False) -> None:
        if self._model is not None:
            self._ask(questionTask("models", {"action": "verify", "name": self._model.name}), _verdict)

    def onInstallButton(self, _checked: bool = False) -> None:
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Install a model"), "", _("Model") + " (*.zip)"
        )
        if path:
            parameters = {"action": "install", "source": str(path), "replace": False}
            self._ask(questionTask("models", parameters), self._installed)

    def onRemoveButton(self, _checked: bool = False) -> None:
        if self._model is None:
            return
        question = _("Remove the model {name} from this computer?").format(name=self._model.name)
        if slicer.util.confirmOkCancelDisplay(question):
            name = self._model.name
            self._ask(questionTask("models", {"action": "remove", "name": name}), lambda _answer: self._removed(name))

    def _onDeviceChosen(self, index: int) -> None:
        if index >= 0:
            self.onDevice(str(self.ui.deviceComboBox.itemData(index)))

    def _describe(self, answer: Mapping[str, Any]) -> str:
        chosen = self.ui.deviceComboBox.itemData(self.ui.deviceComboBox.currentIndex)
        self._fillDevices(answer["devices"])
        self.showDevice(str(chosen))
        packages = ", ".join(f"{name} {version or _('missing')}" for name, version in answer["packages"].items())
        self.ui.packagesLabel.setText(f"{answer['program']}, {answer['platform']}\n{packages}")
        return _("Devices and packages are shown under Advanced.")

    def _fillDevices(self, devices: list[Mapping[str, Any]]) -> None:
        combo = self.ui.deviceComboBox
        blocked = combo.blockSignals(True)
        combo.clear()
        combo.addItem(_("automatic"), "auto")
        for device in devices:
            text = f"{device['name']}: {device['title']}"
            if "memory_gb" in device:
                text += _(", {free:.0f} of {all:.0f} GB free").format(
                    free=device["free_memory_gb"], all=device["memory_gb"]
                )
            combo.addItem(text, device["name"])
        combo.blockSignals(blocked)

    def _installed(self, answer: Mapping[str, Any]) -> str:
        self.onModelsChanged()
        return _("Installed the model {name} {version}.").format(name=answer["name"], version=answer["version"])

    def _removed(self, name: str) -> str:
        self.onModelsChanged()
        return _("Removed the model {name}.").format(name=name)


def _verdict(answer: list[Mapping[str, Any]]) -> str:
    damaged = [f"{model['name']}: {model['problem']}" for model in answer if model["problem"] is not None]
    if damaged:
        return _("Damaged: {models}").format(models="; ".join(damaged))
    return _("Every byte of {models} is as published.").format(models=", ".join(model["name"] for model in answer))
