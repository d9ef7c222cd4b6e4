"""Signals as PythonQt offers them: ``button.connect("clicked(bool)", f)``, ``button.clicked.connect(f)``.

PythonQt hands a Python function as many arguments as it declares and a ``*args`` function all of them; PySide6 gives
the latter none. So every slot is connected through a small relay of fixed arity.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QByteArray, QMetaMethod, QMetaObject, QObject, SignalInstance

Slot = Callable[..., Any]

# (address of the C++ object, signal name) -> what is connected: the slot as given, and the relay Qt knows.
_connections: dict[tuple[int, str], list[tuple[Slot, Slot]]] = {}

_RELAYS: tuple[Callable[[Slot], Slot], ...] = (
    lambda slot: lambda: slot(),
    lambda slot: lambda a: slot(a),
    lambda slot: lambda a, b: slot(a, b),
    lambda slot: lambda a, b, c: slot(a, b, c),
    lambda slot: lambda a, b, c, d: slot(a, b, c, d),
)


class BoundSignal:
    """A signal of one object, as PythonQt gives it to Python code."""

    def __init__(self, owner: QObject, name: str, instance: SignalInstance) -> None:
        self._owner, self._name, self._instance = owner, name, instance

    def connect(self, slot: Slot) -> bool:
        """Call ``slot`` on every emission; PythonQt keeps a strong reference to it, and so does this."""
        return _connect(self._owner, self._name, self._instance, slot, _argument_count(self._owner, self._name))

    def disconnect(self, slot: Slot | None = None) -> bool:
        """Undo one connection, or all made from Python if no slot is given."""
        return _disconnect(self._owner, self._name, self._instance, slot)

    def emit(self, *args: Any) -> None:
        """Send the signal, in the overload that takes so many arguments."""
        fitting = [method for method in _overloads(self._owner, self._name) if method.parameterCount() == len(args)]
        types = [_text(kind) for kind in fitting[0].parameterTypes()] if fitting else []
        instance: Any = self._instance
        (instance[",".join(types)] if types else instance).emit(*args)

    __call__ = emit


def connect(owner: QObject, signature: str, *target: Any) -> bool:
    """``owner.connect("signal(args)", slot)`` or ``owner.connect("signal(args)", receiver, "slot(args)")``.

    Returns:
        False if the object has no such signal, as PythonQt (which also prints a warning).
    """
    instance = _signal(owner, signature)
    if instance is None:
        return False
    slot = target[0] if len(target) == 1 else getattr(target[0], target[1].partition("(")[0])
    return _connect(owner, _name(signature), instance, slot, _declared_count(signature))


def disconnect(owner: QObject, signature: str, *target: Any) -> bool:
    """Undo ``connect``; without a slot, everything connected to that signal from Python."""
    instance = _signal(owner, signature)
    if instance is None:
        return False
    slot = getattr(target[0], target[1].partition("(")[0]) if len(target) == 2 else (target[0] if target else None)
    return _disconnect(owner, _name(signature), instance, slot)


def _name(signature: str) -> str:
    return signature.partition("(")[0].strip()


def _text(raw: QByteArray) -> str:
    return bytes(raw.data()).decode()


def _normalized(meta: QMetaObject, signature: str) -> str:
    return _text(meta.normalizedSignature(signature))  # type: ignore[arg-type]


def _declared_count(signature: str) -> int:
    arguments = signature.partition("(")[2].rpartition(")")[0]
    return len([argument for argument in arguments.split(",") if argument.strip()])


def _signal(owner: QObject, signature: str) -> SignalInstance | None:
    instance = getattr(owner, _name(signature), None)
    if not isinstance(instance, SignalInstance):
        return None
    meta = owner.metaObject()
    declared_in_python = any(_name(signature) in vars(cls) for cls in type(owner).__mro__ if _is_python(cls))
    if not declared_in_python and meta.indexOfSignal(_normalized(meta, signature)) < 0:
        return None  # a Qt 5 signature that Qt 6 dropped, such as currentIndexChanged(QString)
    return instance


def _is_python(cls: type) -> bool:
    return not cls.__module__.startswith(("PySide6", "Shiboken", "builtins"))


def _overloads(owner: QObject, name: str) -> list[QMetaMethod]:
    meta = owner.metaObject()
    methods = [meta.method(index) for index in range(meta.methodCount())]
    is_signal = QMetaMethod.MethodType.Signal
    return [m for m in methods if m.methodType() == is_signal and _text(m.name()) == name]


def _argument_count(owner: QObject, name: str) -> int:
    """The most arguments any overload of the signal has."""
    return max((method.parameterCount() for method in _overloads(owner, name)), default=0)


def _accepted_count(slot: Slot) -> int | None:
    """How many arguments PythonQt would hand over at most; None for all of them (``*args``, builtins, partials)."""
    function = slot.__func__ if isinstance(slot, types.MethodType) else slot
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & 0x04:  # CO_VARARGS
        return None
    return function.__code__.co_argcount - isinstance(slot, types.MethodType)


def _connect(owner: QObject, name: str, instance: SignalInstance, slot: Slot, offered: int) -> bool:
    if not callable(slot):
        return False
    accepted = _accepted_count(slot)
    relay = _RELAYS[offered if accepted is None else min(offered, accepted)](slot)
    instance.connect(relay)
    key = (_address(owner), name)
    if key not in _connections:
        _connections[key] = []
        owner.destroyed.connect(lambda _=None, key=key: _connections.pop(key, None))
    _connections[key].append((slot, relay))
    return True


def _disconnect(owner: QObject, name: str, instance: SignalInstance, slot: Slot | None) -> bool:
    known = _connections.get((_address(owner), name), [])
    matching = [pair for pair in known if slot is None or pair[0] == slot]
    for pair in matching:
        instance.disconnect(pair[1])
        known.remove(pair)
    return bool(matching)


def _address(owner: QObject) -> int:
    return int(shiboken6.getCppPointer(owner)[0])
