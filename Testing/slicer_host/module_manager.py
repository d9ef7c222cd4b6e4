"""``slicer.modules`` and the module manager: the built-in modules and the scripted ones that were loaded."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.slicer_host.qmrml_widgets import qMRMLWidget
from Testing.slicer_host.scene import Scene


class BuiltInModule:
    """A module whose logic comes with the wheel; its panel does not."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name, self.title, self.path, self._logic = name, name, "", logic

    def logic(self) -> Any:
        """The module's logic."""
        return self._logic

    def widgetRepresentation(self) -> None:
        """No panel."""


def _text_property(name: str) -> Property:
    def read(self: Any) -> str:
        return str(self.metadata.get(name, ""))

    def write(self: Any, value: str) -> None:
        self.metadata[name] = value

    return Property(str, read, write)


def _list_property(name: str) -> Property:
    def read(self: Any) -> list[str]:
        return list(self.metadata.get(name, []))

    def write(self: Any, value: list[str]) -> None:
        self.metadata[name] = list(value)

    return Property("QStringList", read, write)  # type: ignore[arg-type]


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """The application's side of a scripted module: what it says of itself, and its panel."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.metadata: dict[str, Any] = {"path": str(path), "name": path.stem, "title": path.stem}
        self.setObjectName(path.stem)
        self.widget: qSlicerScriptedLoadableModuleWidget | None = None
        self._icon, self._hidden = QtGui.QIcon(), False

    name = Property(str, lambda self: self.metadata["name"])
    path = _text_property("path")
    title = _text_property("title")
    helpText = _text_property("helpText")
    acknowledgementText = _text_property("acknowledgementText")
    categories = _list_property("categories")
    dependencies = _list_property("dependencies")
    contributors = _list_property("contributors")

    def _get_icon(self) -> QtGui.QIcon:
        return self._icon

    def setIcon(self, icon: QtGui.QIcon) -> None:
        """Shown in the module list."""
        self._icon = icon

    def _is_hidden(self) -> bool:
        return self._hidden

    def setHidden(self, hidden: bool) -> None:
        """Whether the module list leaves it out."""
        self._hidden = hidden

    icon = Property(QtGui.QIcon, _get_icon, setIcon)
    hidden = Property(bool, _is_hidden, setHidden)

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        """The panel, made when first asked for."""
        if self.widget is None:
            self.widget = self.createNewWidgetRepresentation()
        return self.widget

    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        """Another panel."""
        return qSlicerScriptedLoadableModuleWidget(self)

    def logic(self) -> None:
        """Scripted modules keep their logic in the panel; ``slicer.util.getModuleLogic`` finds it there."""


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The widget that a scripted module's ``<Name>Widget`` class fills."""

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__()
        self._module = module
        self._entered = False
        self.setObjectName(f"{module.objectName()}ModuleWidget")
        QtWidgets.QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)
        self._python: Any = None
        self._fill()

    def _fill(self) -> None:
        name = self._module.objectName()
        self._python = getattr(sys.modules[name], f"{name}Widget")(self)
        setattr(slicer.modules, f"{name}Widget", self._python)
        self._python.setup()

    def self(self) -> Any:
        """The module's Python widget."""
        return self._python

    def reload(self) -> None:
        """Fill the panel anew from the module's present code."""
        self._fill()
        if self._entered:
            self._python.enter()

    def module(self) -> qSlicerScriptedLoadableModule:
        """The module."""
        return self._module

    def enter(self) -> None:
        """The user chose this module."""
        self._entered = True
        self._python.enter()

    def exit(self) -> None:
        """The user chose another module."""
        self._entered = False
        self._python.exit()

    isEntered = Property(bool, lambda self: self._entered)


class FactoryManager:
    """Knows the names of what is loaded."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self._modules = modules

    def loadedModuleNames(self) -> list[str]:
        """All of them."""
        return list(self._modules)

    def isLoaded(self, name: str) -> bool:
        """Whether there is such a module."""
        return name in self._modules


class ModuleManager(QtCore.QObject):
    """Finds modules by name and unloads them."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}
        for name, logic in scene.logics.items():
            self._add(name, BuiltInModule(name, logic))

    def _add(self, name: str, module: Any) -> None:
        self._modules[name] = module
        setattr(slicer.modules, name.lower(), module)

    def module(self, name: str) -> Any:
        """The module, or None."""
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        """Names of all modules."""
        return list(self._modules)

    def factoryManager(self) -> FactoryManager:
        """Who knows what is loaded."""
        return FactoryManager(self._modules)

    def add_scripted(self, module: qSlicerScriptedLoadableModule) -> None:
        """Make a scripted module known; its class fills in what it says of itself."""
        name = module.objectName()
        self._add(name, module)
        setattr(slicer.modules, f"{name}Instance", getattr(sys.modules[name], name)(module))
        self.moduleLoaded.emit(name)

    def unload_all(self) -> None:
        """What happens when the application closes: panels clean up and go."""
        for name, module in list(self._modules.items()):
            if isinstance(module, qSlicerScriptedLoadableModule):
                self._unload(name, module)
        for attribute in [attribute for attribute in vars(slicer.modules) if not attribute.startswith("_")]:
            delattr(slicer.modules, attribute)
        self._modules.clear()

    def _unload(self, name: str, module: qSlicerScriptedLoadableModule) -> None:
        if module.widget is not None and module.widget._entered:
            module.widget.exit()
        self.moduleAboutToBeUnloaded.emit(name)  # the module's widget cleans up on this
        if module.widget is not None:
            module.widget.close()
            module.widget.deleteLater()
            module.widget = None
        with contextlib.suppress(KeyError):
            del sys.modules[name]
        self.moduleUnloaded.emit(name)
