"""PythonQt's view of Qt objects, on PySide6.

In Slicer, Python meets Qt through PythonQt: a Qt property is an attribute (``button.text``, not ``button.text()``), a
child widget is found by its object name, no new attribute can be made on a C++ object, and ``isinstance`` knows no Qt
inheritance. ``install`` teaches PySide6 these manners for every caller except the host itself and other libraries.
``conformance/`` holds what the real PythonQt answered.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from PySide6 import QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets
from PySide6.QtCore import Property, QObject, SignalInstance

from Testing.slicer_host import signals

QT_MODULES: tuple[types.ModuleType, ...] = (QtCore, QtGui, QtWidgets, QtNetwork, QtTest, QtUiTools)

# Code of these packages was written for PySide6 itself and keeps seeing it.
PLAIN_CALLERS = ("PySide6", "shiboken6", "shibokensupport", "vtkmodules", "matplotlib", "Testing.slicer_host")
# Classes of these packages are C++ in Slicer: the Qt classes, and this host's stand-ins for ctk and qMRML widgets.
_PYSIDE = ("PySide6", "Shiboken")
NATIVE_PACKAGES = (*_PYSIDE, "Testing.slicer_host")

# QObject's own way to an attribute, and that of the few classes with another one (QFile, QProcess, QMenu ...).
_native_getters: dict[type, Callable[[Any, str], Any]] = {}


class _QtProperty(NamedTuple):
    """How to read and write one property of a Qt class."""

    read: Callable[[QObject], Any]
    write: Callable[[QObject, Any], Any]


def install() -> None:
    """Make every Qt object behave as under PythonQt; once per process."""
    if _native_getters:
        return
    # dir() wakes the classes that PySide6 makes lazily; one made after the hooks would miss its own getter.
    found = [getattr(module, name) for module in QT_MODULES for name in dir(module)]
    classes = [cls for cls in found if isinstance(cls, type) and issubclass(cls, QObject)]
    _native_getters.update({cls: vars(cls)["__getattribute__"] for cls in classes if "__getattribute__" in vars(cls)})
    for cls in _native_getters:
        cls.__getattribute__ = _getattribute  # type: ignore[method-assign, assignment]
    for cls in classes:  # each carries its own C-level setter
        cls.__setattr__ = _setattr  # type: ignore[method-assign, assignment]
    type(QObject).__instancecheck__ = _instancecheck  # type: ignore[method-assign]
    runs_a_loop: tuple[Any, ...] = (QtWidgets.QDialog, QtWidgets.QMenu, QtCore.QEventLoop, QtCore.QCoreApplication)
    for cls in runs_a_loop:
        cls.exec_ = cls.exec


def is_native(cls: type) -> bool:
    """Whether a class would be C++ in Slicer, as opposed to a Python subclass of it."""
    return cls.__module__.startswith(NATIVE_PACKAGES)


def native_class(cls: type) -> type:
    """The C++ class a Python class derives from; the class itself if it is native."""
    return next((base for base in cls.__mro__ if is_native(base)), cls)


def _called_from_plain_code() -> bool:
    """Whether the code two frames up, which touched the attribute, expects PySide6's own manners."""
    frame = sys._getframe(1).f_back
    if frame is None:  # Qt itself, while the interpreter ends
        return True
    return (frame.f_globals.get("__name__") or "").startswith(PLAIN_CALLERS)


def _native_get(self: QObject, name: str) -> Any:
    return _native_getter(type(self))(self, name)  # type: ignore[arg-type]


@functools.cache
def _native_getter(cls: type) -> Callable[[Any, str], Any]:
    return next(_native_getters[base] for base in cls.__mro__ if base in _native_getters)


def _getattribute(self: QObject, name: str) -> Any:
    if name.startswith("__") or _called_from_plain_code():
        return _native_get(self, name)
    if name in ("connect", "disconnect"):
        return functools.partial(_connect_or_disconnect, self, name)
    if name == "deleteLater":
        return functools.partial(_delete_later, self)
    if name in ("findChild", "findChildren"):
        return functools.partial(_find, self, name)
    if (qt_property := _qt_property(self, name)) is not None:
        return qt_property.read(self)
    try:
        value = _native_get(self, name)
    except AttributeError:
        return _pythonqt_extra(self, name)
    return signals.BoundSignal(self, name, value) if type(value) is SignalInstance else value


def _pythonqt_extra(self: QObject, name: str) -> Any:
    """What PythonQt adds to the members of a Qt class: the alias ``name``, children and dynamic properties by name."""
    if name == "name":
        return self.objectName()
    if name == "className":
        return lambda: native_class(type(self)).__name__
    if name == "delete":
        return functools.partial(_delete_later, self)
    for child in self.children():
        if child.objectName() == name:
            return child
    if name in _dynamic_properties(self):
        return self.property(name)
    raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")


def _setattr(self: QObject, name: str, value: Any) -> None:
    if name.startswith("__") or _called_from_plain_code():
        _native_set(self, name, value)
        return
    name = "objectName" if name == "name" else name
    if (qt_property := _qt_property(self, name)) is not None:
        _write(self, name, qt_property, value)
    elif isinstance(inspect.getattr_static(type(self), name, None), Property):
        _native_set(self, name, value)
    elif name in _dynamic_properties(self):
        self.setProperty(name, value)
    elif is_native(type(self)) and type(value) is not SignalInstance:
        where = f"'{name}' does not exist on {type(self).__name__}"
        raise AttributeError(f"{where} and creating new attributes on C++ objects is not allowed")
    else:
        _native_set(self, name, value)


def _native_set(self: QObject, name: str, value: Any) -> None:
    # CPython forbids calling the C-level setter once it is covered, so do its work: data descriptor, else the dict.
    descriptor = inspect.getattr_static(type(self), name, None)
    if isinstance(descriptor, Property):
        self.setProperty(name, value)
    elif hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
    else:
        _native_get(self, "__dict__")[name] = value


def _write(self: QObject, name: str, qt_property: _QtProperty, value: Any) -> None:
    try:
        qt_property.write(self, value)
    except TypeError:
        # PythonQt converts numbers freely: 3.0 for an int property, 1 for an enum.
        number = int(value) if isinstance(value, float) else value
        if not isinstance(number, int) or not self.setProperty(name, number):
            raise


_qt_properties: dict[tuple[type, str], _QtProperty | None] = {}


def _qt_property(self: QObject, name: str) -> _QtProperty | None:
    """The C++ property ``name``, unless a Python class on the way to the C++ class defines that name itself."""
    key = type(self), name
    if key not in _qt_properties:
        in_python = any(name in vars(base) for base in type(self).__mro__ if not base.__module__.startswith(_PYSIDE))
        _qt_properties[key] = None if in_python or self.metaObject().indexOfProperty(name) < 0 else _accessors(*key)
    return _qt_properties[key]


def _accessors(cls: type, name: str) -> _QtProperty:
    capitalized = name[0].upper() + name[1:]
    getter = getattr(cls, name, None) or getattr(cls, "is" + capitalized, None)
    static = isinstance(
        inspect.getattr_static(cls, name, None), staticmethod
    )  # QApplication.platformName, QTimer.singleShot
    setter = getattr(cls, "set" + capitalized, None)
    return _QtProperty(
        read=getter if callable(getter) and not static else lambda owner: owner.property(name),
        write=setter if callable(setter) else lambda owner, value: owner.setProperty(name, value),
    )


def _dynamic_properties(self: QObject) -> list[str]:
    return [bytes(name.data()).decode() for name in self.dynamicPropertyNames()]


def _connect_or_disconnect(self: QObject, verb: str, *arguments: Any) -> Any:
    if arguments and isinstance(arguments[0], str):
        return (signals.connect if verb == "connect" else signals.disconnect)(self, *arguments)
    return _native_get(self, verb)(*arguments)


def _delete_later(self: QObject) -> None:
    """As called inside Slicer's main event loop, which tests do not have.

    ``slicer.util.messageBox`` calls ``box.deleteLater(); box.exec_()``: with a loop around, the box dies after
    ``exec_``, without one at its start.
    """
    if QtCore.QThread.currentThread().loopLevel() > 0 or not isinstance(self, QtWidgets.QDialog):
        self.deleteLater()
    else:
        QtCore.QTimer.singleShot(0, self.deleteLater)


def _find(self: QObject, verb: str, kind: type | str = QObject, *arguments: Any) -> Any:
    """PythonQt also takes a class name: ``widget.findChildren("QLineEdit")``."""
    if not isinstance(kind, str):
        return _native_get(self, verb)(kind, *arguments)
    wanted = [child for child in self.findChildren(QObject, *arguments) if child.inherits(kind)]
    return wanted if verb == "findChildren" else (wanted[0] if wanted else None)


def _instancecheck(cls: type, instance: object) -> bool:
    if _called_from_plain_code() or not is_native(cls):
        return type.__instancecheck__(cls, instance)
    return native_class(type(instance)) is cls  # PythonQt's classes know no inheritance among each other
