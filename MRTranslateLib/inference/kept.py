"""Loaded networks that stay in memory between runs, where a long-lived process asks for it; nothing else keeps any."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Loaded = TypeVar("Loaded")
MAX_KEPT = 4
"""A model's generator, its two helpers, and one more: some hundred MB at most."""

_kept: ContextVar[OrderedDict[str, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def networks_kept() -> Iterator[None]:
    """Within this context, what :func:`kept_or_loaded` loads is kept and given out again, the latest ``MAX_KEPT``.

    Only for one run at a time: two runs would share, and move between devices, the same network.
    """
    token = _kept.set(OrderedDict())
    try:
        yield
    finally:
        _kept.reset(token)


def kept_or_loaded(key: str, load: Callable[[], Loaded]) -> Loaded:
    """What was loaded under ``key``, or the result of ``load`` now.

    Args:
        key: Hashes of all that determines the result (weights, architecture), and what it is.
        load: Loads it; called when it is not kept.
    """
    kept = _kept.get()
    if kept is None:
        return load()
    if key not in kept:
        kept[key] = load()
    kept.move_to_end(key)
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    loaded: Loaded = kept[key]
    return loaded
