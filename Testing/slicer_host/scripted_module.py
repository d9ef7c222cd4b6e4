"""``slicer.ScriptedLoadableModule``: the base classes of a scripted module's four classes."""

# ruff: noqa: N815 (the names are Slicer's)

from __future__ import annotations

import logging
import sys
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

from Testing.slicer_host.ctk_sections import ctkCollapsibleButton
from Testing.slicer_host.qmrml_widgets import qMRMLWidget

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """What a module says of itself; ``parent`` is the application's module object."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = ["Anonymous"]
        parent.helpText = ""
        parent.acknowledgementText = ""
        parent.hidden = False
        icon = Path(self.resourcePath(f"Icons/{self.moduleName}.png"))
        if icon.is_file():
            parent.icon = QtGui.QIcon(str(icon))
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        """Absolute path of a file in the module's Resources folder."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        """A sentence with a link to the module's documentation."""
        return f'<p>For more information see the <a href="{docPage or self.moduleName}">module documentation</a>.</p>'

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the module's own self-test."""
        test = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """Fills the panel; ``parent`` is the panel widget, or None for a panel of its own."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        alone = parent is None
        self.parent = parent if parent is not None else self._panel_of_its_own()
        self.layout: Any = self.parent.layout()
        if alone:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().moduleAboutToBeUnloaded.connect(self._onModuleAboutToBeUnloaded)

    @staticmethod
    def _panel_of_its_own() -> qMRMLWidget:
        panel = qMRMLWidget()
        QtWidgets.QVBoxLayout(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        return panel

    def resourcePath(self, filename: str) -> str:
        """Absolute path of a file in the module's Resources folder."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; modules call this first in their own."""
        if self.developerMode:
            self.setupDeveloperSection()

    def setupDeveloperSection(self) -> None:
        """The section with Reload, shown in developer mode."""
        section = ctkCollapsibleButton()
        section.setText("Reload && Test")
        row = QtWidgets.QHBoxLayout(section)
        for text, slot in (("Reload", self.onReload), ("Reload and Test", self.onReloadAndTest)):
            button = QtWidgets.QPushButton(text)
            button.clicked.connect(lambda _=False, slot=slot: slot())
            row.addWidget(button)
        self.layout.addWidget(section)

    def onReload(self) -> None:
        """Load the module's code again and fill the panel anew."""
        slicer.util.reloadScriptedModule(self.moduleName)

    def onReloadAndTest(self, **kwargs: Any) -> None:
        """Reload, then run the self-test."""
        self.onReload()
        slicer.selfTests[self.moduleName](**kwargs)

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().moduleAboutToBeUnloaded.disconnect(self._onModuleAboutToBeUnloaded)

    def cleanup(self) -> None:
        """The application closes or the module is reloaded."""

    def enter(self) -> None:
        """The user chose this module."""

    def exit(self) -> None:
        """The user chose another module."""


class ScriptedLoadableModuleLogic:
    """The computation; keeps its parameters in a node of the scene."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """The module's parameter node, made when first asked for."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            return node or self.createParameterNode()
        nodes = self.getAllParameterNodes()
        return nodes[0] if nodes else self.createParameterNode()

    def getAllParameterNodes(self) -> list[Any]:
        """All parameter nodes of this module."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        """A new parameter node."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        # The attribute tells whose node it is, the name is for the user.
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return slicer.mrmlScene.AddNode(node)

    def delayDisplay(self, message: str, msec: int = 0) -> None:
        """Say something to who watches a test."""
        logging.info(message)
        slicer.app.processEvents()


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The module's self-test; runs in the application."""

    messageDelay = 100

    def __init__(self, methodName: str = "runTest", *_: Any, **__: Any) -> None:
        super().__init__(methodName)

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        """Say what the test does."""
        logging.info(message)
        slicer.app.processEvents()

    def runTest(self) -> None:
        """Overridden by the module."""
        logging.warning("no test is defined in %s", type(self).__name__)
