"""A scripted module as an extension author writes it, for the tests of the host itself: inverts a volume."""

# ruff: noqa: F405, N806, N815, PT009 (as Slicer's module template has it)

import enum
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *  # noqa: F403
from slicer.util import VTKObservationMixin


class HostExample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Host example")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Examples")]
        self.parent.contributors = ["nobody"]
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    try:
        import SampleData
    except ImportError:  # users may switch modules off
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="HostExample", sampleName="HostExample1", uris=""
    )


class Strength(enum.Enum):
    Weak = 1
    Strong = 2


@parameterNodeWrapper
class HostExampleParameters:
    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(-100, 500)] = 100
    invert: bool = False
    strength: Strength
    mode: Annotated[str, Choice(["fast", "exact"])] = "fast"
    folder: Path
    count: Annotated[int, WithinRange(1, 8)] = 2
    note: str = "hello"


class HostExampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parameters = None
        self.guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HostExample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HostExampleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.initializeParameterNode()

    def cleanup(self):
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(HostExampleParameters(self.logic.getParameterNode()))

    def setParameterNode(self, parameters):
        if self.parameters is not None:
            self.parameters.disconnectGui(self.guiTag)
            self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
        self.parameters = parameters
        if self.parameters is not None:
            self.guiTag = self.parameters.connectParametersToGui(self.boundWidgets())
            self.addObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
            self.checkCanApply()

    def boundWidgets(self):
        # connectGui would bind the same ones, but returns no tag to unbind them (Slicer issue 7547)
        named = {widget.property("SlicerParameterName"): widget for widget in vars(self.ui).values()}
        return {name: widget for name, widget in named.items() if name}

    def checkCanApply(self, caller=None, event=None):
        ready = self.parameters is not None and self.parameters.inputVolume is not None
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Invert") if ready else _("Select an input volume")

    def onApplyButton(self):
        with slicer.util.tryWithErrorDisplay(_("Failed to compute results."), waitCursor=True):
            self.parameters.outputVolume = self.logic.invert(self.parameters.inputVolume)


class HostExampleLogic(ScriptedLoadableModuleLogic):
    def invert(self, volume):
        array = slicer.util.arrayFromVolume(volume)
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        return slicer.util.addVolumeFromArray(array.max() - array, matrix, f"{volume.GetName()} inverted")

    def startProcess(self, arguments):
        self.lines = []
        self.process = qt.QProcess()
        self.process.setProcessChannelMode(qt.QProcess.MergedChannels)
        self.process.connect("readyReadStandardOutput()", self.onOutput)
        self.process.connect("finished(int,QProcess::ExitStatus)", self.onFinished)
        self.exitCode = None
        self.process.start("PythonSlicer", arguments)

    def onOutput(self):
        self.lines += bytes(self.process.readAllStandardOutput().data()).decode().splitlines()

    def onFinished(self, exitCode, exitStatus):
        self.exitCode = exitCode


class HostExampleTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_Inversion()

    def test_Inversion(self):
        import numpy as np

        self.delayDisplay("Starting the test")
        volume = slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="ramp")
        inverted = slicer.util.arrayFromVolume(HostExampleLogic().invert(volume))
        self.assertEqual(inverted[0, 0, 0], 23)
        self.delayDisplay("Test passed")
