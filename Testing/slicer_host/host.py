"""Starting the host, loading modules, starting over."""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from Testing.slicer_host.availability import missing_reason

if TYPE_CHECKING:
    from Testing.slicer_host.scene_observers import SceneObservers

_host: Host | None = None


def start_host() -> Host:
    """The one host of this process, started on the first call (about two seconds).

    Raises:
        RuntimeError: If slicer-core or PySide6 is missing, with the wheels to install.
    """
    global _host
    if _host is None:
        if (reason := missing_reason()) is not None:
            raise RuntimeError(reason)
        _host = Host()
    return _host


def load_module(path: Path | str) -> Any:
    """Load a scripted module into the host and open its panel; see ``Host.load_module``."""
    return start_host().load_module(path)


class Host:
    """The stand-in application."""

    def __init__(self) -> None:
        if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        _make_constants_immortal()
        from Testing.slicer_host import pythonqt
        from Testing.slicer_host.dialogs import Dialogs
        from Testing.slicer_host.problems import Problems

        pythonqt.install()
        self.problems = Problems()
        self.problems.install()
        _install_modules()
        import slicer

        from Testing.slicer_host import checks, scene
        from Testing.slicer_host.application import qSlicerApplication

        self.app = qSlicerApplication()
        slicer.app = self.app
        self.dialogs = Dialogs(self.problems)
        self._scene = scene.new_scene(self.app.home_folder())
        self.app.use_scene(self._scene)
        checks.watch_observation_mixins()
        atexit.register(self._shut_down)

    def _shut_down(self) -> None:
        # Before PySide6 and VTK take themselves apart.
        self.dialogs.watch(False)
        self.app.release_scene()
        self.delete_later()
        self.problems.uninstall()

    @property
    def scene(self) -> Any:
        """The present vtkMRMLScene, the same as ``slicer.mrmlScene``."""
        return self._scene.mrml

    @property
    def scene_observers(self) -> SceneObservers:
        """What Python code observes of the scene."""
        return self._scene.observers

    def load_module(self, path: Path | str) -> Any:
        """Load ``Name.py`` as Slicer does and open its panel.

        Only the module's own folder is put on ``sys.path``.

        Returns:
            The module's Python widget (class ``NameWidget``); its panel is ``widget.parent``, its code
            ``sys.modules["Name"]``.
        """
        path = Path(path).resolve()
        self.register_module(path)
        return self.open_module(path.stem)

    def register_module(self, path: Path, *, slicer_starts: bool = True) -> None:
        """Load a module's code and make it known, without opening its panel (as ``Slicer --no-main-window``).

        Without ``slicer_starts`` it comes into a running Slicer, where ``startupCompleted`` was long ago.
        """
        from Testing.slicer_host.module_manager import qSlicerScriptedLoadableModule

        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        _execute(path)
        module = qSlicerScriptedLoadableModule(path)
        self.app.moduleManager().add_scripted(module)
        if slicer_starts:
            self.app.startupCompleted.emit()

    def open_module(self, name: str) -> Any:
        """Show a registered module's panel and enter it; returns the Python widget."""
        panel = self.app.moduleManager().module(name).widgetRepresentation()
        panel.enter()
        return panel.self()

    def reset(self) -> None:
        """Start over: modules unloaded, views and windows gone, an empty scene, default settings."""
        from Testing.slicer_host import scene

        self.app.release_scene()
        self.delete_later()
        self._scene = scene.new_scene(self.app.home_folder())
        _reset_stand_ins()
        self.app.use_scene(self._scene)

    def close_scene(self) -> None:
        """What File > Close scene does."""
        self.scene.Clear(0)
        self.app.processEvents()

    def delete_later(self) -> None:
        """Carry out every pending ``deleteLater``."""
        from PySide6.QtCore import QCoreApplication, QEvent

        self.app.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def wait_until(self, condition: Callable[[], Any], timeout_s: float = 10.0) -> None:
        """Let the event loop run until ``condition()`` holds.

        Raises:
            TimeoutError: If it does not hold in time.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout_s} s")
            self.app.processEvents()
            time.sleep(0.002)

    def hide_packaging(self) -> None:
        """Play a Slicer without ``slicer.packaging`` (5.10 and older) until the next ``reset``."""
        import slicer

        sys.modules.pop("slicer.packaging", None)
        vars(slicer).pop("packaging", None)
        slicer.util.pip_install = _old_pip_install


def _make_constants_immortal() -> None:
    """Keep PySide6 from ending the process on Python 3.11.

    There it drops a reference to None with every call that returns nothing (measured with PySide6 6.12 and nothing
    else), and to True and False; some ten thousand calls later Python aborts. Since 3.12 these cannot die.
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def _old_pip_install(requirements: Any, **_: Any) -> None:
    from Testing.slicer_host import packaging

    packaging.pip_install(requirements)


def _execute(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _install_modules() -> None:
    """Put in place what the wheel lacks: qt, ctk, SampleData, and parts of slicer."""
    import slicer

    from Testing.slicer_host import module_manager, qmrml_widgets, qt_module, sample_data

    qt_module.install()
    for name in ("modules", "moduleNames"):
        stand_in = types.ModuleType(f"slicer.{name}")
        sys.modules[f"slicer.{name}"] = stand_in
        setattr(slicer, name, stand_in)
    for name, cls in qmrml_widgets.WIDGETS.items():
        setattr(slicer, name, cls)
    slicer.qSlicerScriptedLoadableModule = module_manager.qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = module_manager.qSlicerScriptedLoadableModuleWidget
    sys.modules["SampleData"] = sample_data
    _reset_stand_ins()


def _reset_stand_ins() -> None:
    import slicer

    from Testing.slicer_host import i18n, packaging, parameter_node_wrapper, sample_data, scripted_module

    parts = {
        "i18n": i18n,
        "packaging": packaging,
        "parameterNodeWrapper": parameter_node_wrapper,
        "ScriptedLoadableModule": scripted_module,
    }
    for name, part in parts.items():
        sys.modules[f"slicer.{name}"] = part
        setattr(slicer, name, part)
    slicer.selfTests = {}
    slicer.util.pip_install = _new_pip_install
    packaging.requests.clear()
    packaging.allowed = False
    sample_data.SampleDataLogic.registered.clear()


def _new_pip_install(requirements: Any, **options: Any) -> None:
    from Testing.slicer_host import packaging

    packaging.pip_install(requirements, **options)
