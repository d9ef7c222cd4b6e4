"""Keeps count of the observers that Python code adds to a scene, so that a forgotten one can be named."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple


class Observer(NamedTuple):
    """One observer of the scene."""

    description: str
    by_widget: bool  # added by a widget of this host, which takes it away when it dies, as C++ widgets do


class SceneObservers:
    """Watches ``AddObserver`` and ``RemoveObserver`` of one scene, as Python calls them."""

    def __init__(self, mrml: Any) -> None:
        """Cover the two methods on this one object; VTK gives Python the same object as long as somebody holds it."""
        self.alive: dict[int, Observer] = {}  # by tag
        self._add: Callable[..., int] = mrml.AddObserver
        self._remove: Callable[[int], None] = mrml.RemoveObserver
        mrml.AddObserver, mrml.RemoveObserver = self._add_observer, self._remove_observer

    def _add_observer(self, event: int | str, callback: Callable[..., Any], priority: float = 0.0) -> int:
        tag = self._add(event, callback, priority)
        name = getattr(callback, "__qualname__", repr(callback))
        frame = _caller()
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        by_widget = (frame.f_globals.get("__name__") or "").startswith("Testing.slicer_host.")
        self.alive[tag] = Observer(f"{name} on event {event}, added in {where}", by_widget)
        return tag

    def _remove_observer(self, tag: int) -> None:
        self.alive.pop(tag, None)
        self._remove(tag)


def _caller() -> types.FrameType:
    """The code that asked, past this file and ``slicer.util``."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") == "slicer.util":
        frame = frame.f_back
    return frame
