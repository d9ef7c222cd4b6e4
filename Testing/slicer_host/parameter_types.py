"""How a parameter of each Python type lies in a parameter node, and what its annotations ask of it."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import slicer


class Default:
    """The value a parameter has before anybody sets it: ``Annotated[int, Default(3)]``."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Decimals:
    """Digits a widget shows after the point."""

    def __init__(self, value: int) -> None:
        self.value = value


class SingleStep:
    """Step of a widget's arrows."""

    def __init__(self, value: float) -> None:
        self.value = value


class Validator:
    """Says whether a value is acceptable."""

    def validate(self, value: Any) -> None:
        """Raise ValueError if it is not."""
        raise NotImplementedError


class Minimum(Validator):
    """At least ``minimum``."""

    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        """Raise ValueError below the minimum."""
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, got {value}")


class Maximum(Validator):
    """At most ``maximum``."""

    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        """Raise ValueError above the maximum."""
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, got {value}")


class WithinRange(Validator):
    """From ``minimum`` to ``maximum``, both allowed."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        """Raise ValueError outside the range."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within [{self.minimum}, {self.maximum}], got {value}")


class Choice(Validator):
    """One of ``choices``."""

    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = list(choices)

    def validate(self, value: Any) -> None:
        """Raise ValueError for anything else."""
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, got {value!r}")


class Exclude(Validator):
    """None of ``excluded``."""

    def __init__(self, excluded: Sequence[Any]) -> None:
        self.excluded = list(excluded)

    def validate(self, value: Any) -> None:
        """Raise ValueError for one of them."""
        if value in self.excluded:
            raise ValueError(f"Value must not be one of {self.excluded}, got {value!r}")


class NotNone(Validator):
    """Anything but None."""

    def validate(self, value: Any) -> None:
        """Raise ValueError for None."""
        if value is None:
            raise ValueError("Value must not be None")


_TEXT: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    str: (str, str),
    bool: (str, lambda text: text == "True"),
    int: (str, int),
    float: (lambda value: str(float(value)), float),
    Path: (lambda value: value.as_posix(), Path),
    PurePosixPath: (str, PurePosixPath),
}


class Parameter:
    """One annotated attribute of a wrapped class."""

    def __init__(self, name: str, annotation: Any, assigned: Any) -> None:
        self.name = name
        plain, self.annotations = _split_annotated(annotation)
        self.type, self.optional = _without_none(plain)
        self.node_types = tuple(kind for kind in (typing.get_args(plain) or (plain,)) if _is_node_type(kind))
        self.element_type = _element_type(self.type)
        self.validators = [item for item in self.annotations if isinstance(item, Validator)]
        self.default = self._default(assigned)

    def annotation(self, kind: type) -> Any:
        """The annotation of this kind, or None."""
        return next((item for item in self.annotations if isinstance(item, kind)), None)

    @property
    def is_node(self) -> bool:
        """Whether the parameter is a MRML node."""
        return isinstance(self.type, type) and issubclass(self.type, slicer.vtkMRMLNode)

    def _default(self, assigned: Any) -> Any:
        declared = self.annotation(Default)
        value = (
            assigned if assigned is not None else declared.value if declared is not None else self._natural_default()
        )
        if value is not None:
            self.check(value)
        return value

    def _natural_default(self) -> Any:
        choice, within = self.annotation(Choice), self.annotation(WithinRange) or self.annotation(Minimum)
        if choice is not None:
            return choice.choices[0]
        if within is not None:
            return self.type(within.minimum)
        if self.is_node or self.optional:
            return None
        if self.element_type is not None:
            return []
        return next(iter(self.type)) if issubclass(self.type, enum.Enum) else self.type()

    def check(self, value: Any) -> None:
        """Refuse a value of the wrong type (TypeError) or one a validator refuses (ValueError)."""
        for validator in self.validators:
            validator.validate(value)
        if value is None and (self.is_node or self.optional):
            return
        expected = list if self.element_type is not None else self.node_types or self.type
        allowed = (float, int) if expected is float else (int,) if expected is int else expected
        if not isinstance(value, allowed) or (expected in (int, float) and isinstance(value, bool)):
            raise TypeError(f"{self.name} must be {self.type}, got {type(value)}")

    # Storage --------------------------------------------------------------------------------------------------------

    def is_stored(self, node: Any) -> bool:
        """Whether the node already holds a value; node references always do."""
        if self.is_node:
            return True
        if self.element_type is not None:
            return bool(node.GetParameter(f"{self.name}.length"))
        return self.name in node.GetParameterNames()

    def write(self, node: Any, value: Any) -> None:
        """Check a value and put it into the parameter node; one Modified event."""
        self.check(value)
        if self.element_type is not None:
            self._write_list(node, value)
        elif self.is_node:
            _write_reference(node, self.name, value)
        else:
            node.SetParameter(self.name, "None" if value is None else _to_text(self.type, value))

    def read(self, node: Any) -> Any:
        """The value in the parameter node; the default is stored if there is none, as after an import."""
        if not self.is_stored(node):
            self.write(node, self.default)
        if self.element_type is not None:
            return self._read_list(node)
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return None if self.optional and text == "None" else _from_text(self.type, text)

    def _write_list(self, node: Any, values: list[Any]) -> None:
        modifying = node.StartModify()
        node.SetParameter(f"{self.name}.length", str(len(values)))
        for index, value in enumerate(values):
            if _is_node_type(self.element_type):
                _write_reference(node, f"{self.name}.{index}", value)
            else:
                node.SetParameter(f"{self.name}.{index}", _to_text(self.element_type, value))
        node.EndModify(modifying)

    def _read_list(self, node: Any) -> list[Any]:
        names = [f"{self.name}.{index}" for index in range(int(node.GetParameter(f"{self.name}.length") or 0))]
        if _is_node_type(self.element_type):
            return [node.GetNodeReference(name) for name in names]
        return [_from_text(self.element_type, node.GetParameter(name)) for name in names]


def _write_reference(node: Any, role: str, referenced: Any) -> None:
    node.SetNodeReferenceID(role, referenced.GetID() if referenced is not None else None)


def _to_text(kind: Any, value: Any) -> str:
    return str(value.name) if isinstance(value, enum.Enum) else _TEXT[kind][0](value)


def _from_text(kind: Any, text: str) -> Any:
    return kind[text] if issubclass(kind, enum.Enum) else _TEXT[kind][1](text)


def _is_node_type(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _split_annotated(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if typing.get_origin(annotation) is typing.Annotated:
        plain, *rest = typing.get_args(annotation)
        return plain, tuple(rest)
    return annotation, ()


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        if all(_is_node_type(kind) for kind in kinds):
            return (kinds[0] if len(kinds) == 1 else slicer.vtkMRMLNode), True
        if len(kinds) != 1:
            raise TypeError(f"this host stores no parameter of several types: {annotation}")
        return kinds[0], True
    return annotation, False


def _element_type(annotation: Any) -> Any:
    if typing.get_origin(annotation) is list:
        return typing.get_args(annotation)[0]
    known = isinstance(annotation, type) and (
        annotation in _TEXT or issubclass(annotation, (enum.Enum, slicer.vtkMRMLNode))
    )
    if not known:
        raise TypeError(f"this host stores no parameter of type {annotation}")
    return None
