"""Observers of MRML objects that go away with the widget that made them, as those of the C++ widgets do."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any

import vtk
from PySide6.QtCore import QObject


class NodeObservers:
    """The observers of one widget; none outlives it."""

    def __init__(self, owner: QObject) -> None:
        self._observed: list[tuple[weakref.ref[Any], int]] = []
        owner.destroyed.connect(_remover(weakref.ref(self)))

    def add(self, subject: vtk.vtkObject, event: int, method: Callable[..., None]) -> None:
        """Call ``method()`` on ``event`` while its object lives."""
        assert isinstance(method, MethodType)
        reference = weakref.WeakMethod(method)

        def notify(*_: object) -> None:
            if (alive := reference()) is not None:
                alive()

        self._observed.append((weakref.ref(subject), subject.AddObserver(event, notify)))

    def add_with_node(self, scene: Any, event: int, method: Callable[[Any], None]) -> None:
        """Call ``method(node)`` on an ``event`` of the scene that is about a node."""
        assert isinstance(method, MethodType)
        reference = weakref.WeakMethod(method)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def notify(_scene: Any, _event: str, node: Any) -> None:
            if (alive := reference()) is not None:
                alive(node)

        self._observed.append((weakref.ref(scene), scene.AddObserver(event, notify)))

    def remove_all(self) -> None:
        """Stop listening."""
        for reference, tag in self._observed:
            if (subject := reference()) is not None:
                subject.RemoveObserver(tag)
        self._observed.clear()

    def __del__(self) -> None:
        self.remove_all()


def _remover(reference: weakref.ref[NodeObservers]) -> Callable[[], None]:
    def remove() -> None:
        if (observers := reference()) is not None:
            observers.remove_all()

    return remove
