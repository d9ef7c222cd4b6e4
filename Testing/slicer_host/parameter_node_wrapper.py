"""``slicer.parameterNodeWrapper``: a typed Python view of a parameter node, tied to widgets.

Behaves as Slicer's own where scripted modules usually need it: text, numbers, bool, enum, Path, nodes and lists of
them, validators, defaults and ``connectGui``. Not here: parameter packs, dictionaries, unions.
"""

# ruff: noqa: N815 (the names are Slicer's)

from __future__ import annotations

import typing
from typing import Any, ClassVar, TypeVar

import vtk

from Testing.slicer_host.parameter_gui import GuiConnection
from Testing.slicer_host.parameter_types import (
    Choice,
    Decimals,
    Default,
    Exclude,
    Maximum,
    Minimum,
    NotNone,
    Parameter,
    SingleStep,
    WithinRange,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "WithinRange",
    "parameterNodeWrapper",
]

Wrapped = TypeVar("Wrapped")


def parameterNodeWrapper(cls: type[Wrapped]) -> type[Wrapped]:
    """Turn a class of annotations into a wrapper: ``wrapper = MyParameters(parameter_node)``."""
    annotations = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: Parameter(name, hint, cls.__dict__.get(name)) for name, hint in annotations.items()}
    members: dict[str, Any] = {name: _attribute(parameter) for name, parameter in parameters.items()}
    members |= {"allParameters": parameters, "__module__": cls.__module__, "__doc__": cls.__doc__}
    own = {
        key: value for key, value in vars(cls).items() if callable(value) or isinstance(value, (property, staticmethod))
    }
    return type(cls.__name__, (ParameterNodeWrapper,), own | members)


def _attribute(parameter: Parameter) -> property:
    def read(self: ParameterNodeWrapper) -> Any:
        return parameter.read(self.parameterNode)

    def write(self: ParameterNodeWrapper, value: Any) -> None:
        parameter.write(self.parameterNode, value)

    return property(read, write)


class ParameterNodeWrapper:
    """What every wrapped class can do."""

    allParameters: dict[str, Parameter]
    tied: ClassVar[list[ParameterNodeWrapper]] = []
    """Those that are tied to widgets: kept alive, or the node would call what the garbage collector took apart."""

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._connections: dict[int, list[GuiConnection]] = {}
        self._showing = False
        for parameter in self.allParameters.values():
            if not parameter.is_stored(parameterNode):
                parameter.write(parameterNode, parameter.default)

    def default(self, name: str) -> Any:
        """The value the parameter has before anybody sets it."""
        return self.allParameters[name].default

    def dataType(self, name: str) -> Any:
        """The annotated type."""
        return self.allParameters[name].type

    def getValue(self, name: str) -> Any:
        """The parameter by its name."""
        return self.allParameters[name].read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        """Set the parameter by its name."""
        self.allParameters[name].write(self.parameterNode, value)

    # Widgets --------------------------------------------------------------------------------------------------------

    def connectGui(self, gui: Any) -> None:
        """Tie every widget of ``gui`` that has the dynamic property SlicerParameterName, for good.

        As in Slicer (issue 7547) no tag is returned, so what is tied here cannot be untied.
        """
        named = {widget.property("SlicerParameterName"): widget for widget in _widgets(gui)}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Tie each parameter to its widget; returns a tag to undo it.

        Raises:
            ValueError: If a parameter does not exist, or its widget's exact class cannot show it.
        """
        if unknown := mapping.keys() - self.allParameters.keys():
            raise ValueError(f"no such parameter: {sorted(unknown)}")
        connections = [
            GuiConnection(widget, self.allParameters[name], self._set_from_gui) for name, widget in mapping.items()
        ]

        def show(*_: object) -> None:
            self._show(connections)

        tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
        show()
        self._connections[tag] = connections
        if self not in ParameterNodeWrapper.tied:
            ParameterNodeWrapper.tied.append(self)
        return int(tag)

    def disconnectGui(self, tag: int | None) -> None:
        """Undo ``connectParametersToGui``; nothing for a tag that is none, as ``connectGui`` gives."""
        if tag in self._connections:
            self.parameterNode.RemoveObserver(tag)
            for connection in self._connections.pop(tag):
                connection.disconnect()
            if not self._connections:
                ParameterNodeWrapper.tied.remove(self)

    disconnectParametersFromGui = disconnectGui

    def _show(self, connections: list[GuiConnection]) -> None:
        if self._showing:
            return
        self._showing = True
        try:
            for connection in connections:
                connection.show(connection.parameter.read(self.parameterNode))
        finally:
            self._showing = False

    def _set_from_gui(self, name: str, value: Any) -> None:
        if not self._showing:
            self.setValue(name, value)

    # The node's own -------------------------------------------------------------------------------------------------

    def AddObserver(self, event: int | str, callback: Any, priority: float = 0.0) -> int:
        """Observe the parameter node."""
        return int(self.parameterNode.AddObserver(event, callback, priority))

    def RemoveObserver(self, tag: int) -> None:
        """Stop observing the parameter node."""
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        """Hold back Modified events."""
        return int(self.parameterNode.StartModify())

    def EndModify(self, wasModifying: int) -> int:
        """Send what was held back."""
        return int(self.parameterNode.EndModify(wasModifying))

    def Modified(self) -> None:
        """Send a Modified event."""
        self.parameterNode.Modified()


def _widgets(gui: Any) -> list[Any]:
    return [value for value in vars(gui).values() if hasattr(value, "dynamicPropertyNames")]
