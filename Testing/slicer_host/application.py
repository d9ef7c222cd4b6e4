"""``slicer.app``: the application object that modules ask for settings, folders, views and other modules."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.slicer_host.core_io import qSlicerCoreIOManager
from Testing.slicer_host.extensions import ExtensionsManagerModel
from Testing.slicer_host.layout_manager import qSlicerLayoutManager
from Testing.slicer_host.module_manager import ModuleManager
from Testing.slicer_host.python_slicer import make_python_slicer
from Testing.slicer_host.scene import Scene
from Testing.slicer_host.view import MRMLView

VERSION = (5, 12, 0)  # what the slicer-core wheel of constraints.txt was built from


class CommandOptions:
    """How the application was started."""

    def __init__(self) -> None:
        self.runPythonAndExit = False
        self.noMainWindow = True
        self.isTestingEnabled = True


class qSlicerApplication(QtWidgets.QApplication):
    """The one application object of the process; its scene may be replaced (``use_scene``)."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self) -> None:
        super().__init__(["MRTranslate-host"])
        self.setApplicationName("Slicer")
        self.setApplicationVersion(".".join(map(str, VERSION)))
        self.setOrganizationName("MRTranslate-host")
        self.setQuitOnLastWindowClosed(False)
        self._folder = tempfile.TemporaryDirectory(prefix="slicer_host_")
        self._home = Path(self._folder.name) / "home"
        self._temporary = Path(self._folder.name) / "temporary"
        self._testing, self._return_code, self._pauses = True, 0, 0
        self._options = CommandOptions()
        self._layout_manager: qSlicerLayoutManager | None = None
        self._startup_environment = dict(os.environ)
        make_python_slicer(self._home / "bin")
        os.environ["PATH"] = f"{self._home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"

    def home_folder(self) -> Path:
        """The application's own folder; gone with the process."""
        (self._home / "cache").mkdir(parents=True, exist_ok=True)
        return self._home

    def use_scene(self, scene: Scene) -> None:
        """Start over with an empty scene: new views, no modules but the built-in ones, empty settings and folders."""
        self._scene = scene
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._settings = QtCore.QSettings(str(self._home / "Slicer.ini"), QtCore.QSettings.Format.IniFormat)
        self._settings.clear()
        self._io, self._modules, self._extensions = (
            qSlicerCoreIOManager(scene),
            ModuleManager(scene),
            ExtensionsManagerModel(),
        )
        self._layout_manager = qSlicerLayoutManager(scene)
        self._testing, self._pauses, MRMLView.rendering_paused = True, 0, False
        scene.application_logic.SetTemporaryPath(str(self._temporary))

    def release_scene(self) -> None:
        """Let go of modules, nodes, views, in this order: slicer-core crashes if a scene is cleared after its views."""
        self._modules.unload_all()
        self._scene.mrml.Clear(False)
        if self._layout_manager is not None:
            self._layout_manager.release()
            self._layout_manager = None

    # Folders and settings -------------------------------------------------------------------------------------------

    slicerHome = Property(str, lambda self: str(self._home))
    temporaryPath = Property(str, lambda self: str(self._temporary))
    extensionsInstallPath = Property(str, lambda self: str(self._home / "extensions"))
    launcherExecutableFilePath = Property(str, lambda self: "")
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    revision = Property(str, lambda self: "0")
    repositoryRevision = Property(str, lambda self: "0")
    os = Property(str, lambda self: {"linux": "linux", "darwin": "macosx"}.get(sys.platform, "win"))
    installed = Property(bool, lambda self: True)

    def settings(self) -> QtCore.QSettings:
        """The user's settings; empty at the start, gone at the end."""
        return self._settings

    userSettings = revisionUserSettings = settings

    def commandOptions(self) -> CommandOptions:
        """How the application was started."""
        return self._options

    def testingEnabled(self) -> bool:
        """Whether message boxes are skipped and only logged, as with ``Slicer --testing``."""
        return self._testing

    def set_testing_enabled(self, enabled: bool) -> None:
        """With False, message boxes open (see ``host.dialogs``)."""
        self._testing = enabled

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """The environment from before Slicer changed it."""
        environment = QtCore.QProcessEnvironment()
        for name, value in self._startup_environment.items():
            environment.insert(name, value)
        return environment

    # Managers and logic -----------------------------------------------------------------------------------------------

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene.mrml

    def applicationLogic(self) -> Any:
        """The vtkSlicerApplicationLogic."""
        return self._scene.application_logic

    def layoutManager(self) -> qSlicerLayoutManager | None:
        """Who arranges the views."""
        return self._layout_manager

    def moduleManager(self) -> ModuleManager:
        """Who knows the modules."""
        return self._modules

    def coreIOManager(self) -> qSlicerCoreIOManager:
        """Who reads and writes files."""
        return self._io

    ioManager = coreIOManager

    def extensionsManagerModel(self) -> ExtensionsManagerModel:
        """Who knows the installed extensions."""
        return self._extensions

    def pythonConsole(self) -> None:
        """The host has no console."""

    def moduleLogic(self, name: str) -> Any:
        """The logic of a built-in module."""
        return self._scene.logics.get(name)

    # Behaviour ------------------------------------------------------------------------------------------------------

    def pauseRender(self) -> None:
        """Draw no view until as many ``resumeRender``."""
        self._pauses += 1
        MRMLView.rendering_paused = True

    def resumeRender(self) -> None:
        """Undo one ``pauseRender``."""
        self._pauses = max(0, self._pauses - 1)
        MRMLView.rendering_paused = self._pauses > 0

    def restart(self) -> None:
        """A test has no application to start again; it can ask whether a module wanted to."""
        self._return_code = -1

    def exit(self, code: int = 0) -> None:  # type: ignore[override]
        """Leave the event loop with ``code``."""
        self._return_code = code
        QtWidgets.QApplication.exit(code)

    def returnCode(self) -> int:
        """What ``exit`` was called with."""
        return self._return_code

    def translate(self, _context: str, text: str) -> str:  # type: ignore[override]
        """The host speaks English."""
        return text
