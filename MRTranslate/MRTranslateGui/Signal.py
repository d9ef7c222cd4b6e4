"""Signals in plain Python, so that what decides can be tested without Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls what is connected to it, in the order of connection, in the thread that emits."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call ``slot`` with the values of every emission; kept alive by this signal."""
        self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Undo one ``connect``.

        Raises:
            ValueError: If ``slot`` is not connected.
        """
        self._slots.remove(slot)

    def emit(self, *values: Any) -> None:
        """Call every slot; the first error is raised when all have been told, for somebody may be waiting."""
        errors = []
        for slot in tuple(self._slots):
            try:
                slot(*values)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
