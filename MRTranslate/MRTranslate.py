"""MRTranslate: a missing or spoilt brain-MRI contrast from the ones that were acquired. The classes Slicer looks up."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

if importlib.util.find_spec("MRTranslateLib") is None:  # in a source checkout the library lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from MRTranslateGui.Console import Console
from MRTranslateGui.Layouts import registerLayouts
from MRTranslateGui.NodeFacts import guessFromScene
from MRTranslateGui.Panel import Panel
from MRTranslateGui.ParameterNode import ParameterNode
from MRTranslateGui.SampleDataSources import loadPhantom, registerSampleData
from MRTranslateGui.SyntheticLabel import SyntheticLabel

BEFORE_SELECTORS = 100.0
"""Priority of an observer that is told before Slicer's node selectors, which have 10 at most."""


class MRTranslate(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "MRTranslate"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        self.parent.dependencies = []
        self.parent.contributors = ["MRTranslate contributors"]
        self.parent.helpText = _(
            "Makes a missing or spoilt brain-MRI contrast from the ones that were acquired. The result is computed, "
            "not acquired: for research, not for diagnosis. "
            '<a href="https://github.com/mrtranslate/SlicerMRTranslate/blob/main/Resources/Tutorial/README.md">'
            "Tutorial</a>, "
            '<a href="https://github.com/mrtranslate/SlicerMRTranslate">documentation</a>.'
        )
        self.parent.acknowledgementText = _("The models name the data they were trained on in their cards.")
        self.syntheticLabel = SyntheticLabel()
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def onStartupCompleted(self) -> None:
        """The views are there now, and the other modules."""
        self.watchViews()
        registerSampleData()

    def watchViews(self) -> None:
        """Be ready for whatever a scene brings: its layout is known, its synthetic volumes are labelled.

        Called by the panel too, since a module that is loaded into a running Slicer hears of no start.
        """
        self.syntheticLabel.start()
        registerLayouts()

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:
        if name == "MRTranslate":
            self.syntheticLabel.stop()
            slicer.app.disconnect("startupCompleted()", self.onStartupCompleted)


class MRTranslateWidget(ScriptedLoadableModuleWidget, slicer.util.VTKObservationMixin):
    """Binds the panel to Slicer: its ``.ui`` file, the scene's parameter node, entering and leaving."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        slicer.util.VTKObservationMixin.__init__(self)
        self._parameters: ParameterNode | None = None
        self._guiTag: Any = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        slicer.modules.MRTranslateInstance.watchViews()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MRTranslate.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MRTranslateLogic()
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved, priority=BEFORE_SELECTORS)
        self.onSceneChanged()

    def cleanup(self) -> None:
        self._setParameters(None)
        self.removeObservers()
        self.panel.disconnect()
        self.logic.close()

    def enter(self) -> None:
        self.onSceneChanged()
        self.panel.guessIfEmpty()

    def exit(self) -> None:
        """Other modules find views and windows as they were."""
        self.panel.closeViews()

    def onSceneStartClose(self, _caller: Any = None, _event: Any = None) -> None:
        """A result of the old scene must not land in the new one."""
        self.logic.runner.cancel()
        self._setParameters(None)

    def onSceneChanged(self, _caller: Any = None, _event: Any = None) -> None:
        """Bind the panel to the present scene's parameter node, once."""
        node = self.logic.getParameterNode()
        if self._parameters is not None and self._parameters.parameterNode is node:
            node.Modified()  # an import may have brought nodes that it refers to
        else:
            self._setParameters(ParameterNode(node))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, _caller: Any, _event: Any, node: Any) -> None:
        """Nothing takes the place of a deleted node: Slicer's selectors would move on to its neighbour."""
        if self._parameters is None:
            return
        with slicer.util.NodeModify(self._parameters.parameterNode):
            for name in self._parameters.allParameters:
                if self._parameters.getValue(name) is node:
                    self._parameters.setValue(name, None)

    def onReload(self) -> None:
        """Forget our packages too, so that Reload loads all of the module's code again."""
        for name in [name for name in sys.modules if name.partition(".")[0] in ("MRTranslateGui", "MRTranslateLib")]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def _setParameters(self, parameters: ParameterNode | None) -> None:
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._parameters = parameters
        if parameters is not None:
            # Not connectGui, which binds the same widgets but returns no tag to unbind them (Slicer issue 7547).
            self._guiTag = parameters.connectParametersToGui(self._boundWidgets())
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self.panel.setParameters(parameters)

    def _boundWidgets(self) -> dict[str, Any]:
        """The ``.ui`` file's widgets by the parameter that they show."""
        named = {widget.property("SlicerParameterName"): widget for widget in vars(self.ui).values()}
        return {name: widget for name, widget in named.items() if name}

    def _onParameters(self, _caller: Any = None, _event: Any = None) -> None:
        self.panel.update()


class MRTranslateLogic(Console, ScriptedLoadableModuleLogic):
    """``slicer.util.getModuleLogic("MRTranslate")``; see MRTranslateGui/Console.py."""

    def __init__(self, worker: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        Console.__init__(self, worker)


class MRTranslateTest(ScriptedLoadableModuleTest):
    """What can be tested in any Slicer, without torch: sample, roles, readiness."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        self.setUp()
        self.test_sampleIsUnderstood()

    def test_sampleIsUnderstood(self) -> None:
        self.delayDisplay("The sample's volumes are told by their names")
        nodes = loadPhantom()
        guesses, _doubted = guessFromScene()
        for role in ("T1w", "T2w", "FLAIR"):
            assert guesses.chosen[role] == nodes[role].GetID()
        self.delayDisplay("Test passed")
