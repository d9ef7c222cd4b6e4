"""Loads Slicer's ``.ui`` files unmodified, with ctk and qMRML classes, dynamic properties and <connections>."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

from PySide6 import QtCore, QtUiTools, QtWidgets

from Testing.slicer_host import ctk_widgets, qmrml_widgets, signals


class _Connection(NamedTuple):
    sender: str
    signal: str
    receiver: str
    slot: str


class QUiLoader(QtUiTools.QUiLoader):
    """Qt's loader, which also knows this host's widgets and the connections between them."""

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """Make one widget of the form; called by Qt."""
        cls = known_widgets().get(class_name)
        if cls is None:
            return super().createWidget(class_name, parent, name)
        widget = cls(parent)
        widget.setObjectName(name)
        self._made.append(widget)
        return widget

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:  # type: ignore[override]
        """Build the form in ``device``.

        Raises:
            RuntimeError: If a connection of the form names a missing object, signal or slot.
        """
        self._made: list[QtWidgets.QWidget] = []  # PySide6 would collect Python widgets that only C++ parents hold
        root = ElementTree.fromstring(device.readAll().data())
        connections = _take_connections(root)
        _spell_out_flags(root)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        form = super().load(buffer, parent)
        form.__dict__["_widgets_of_form"] = self._made
        for connection in connections:
            _make(form, connection)
        return form


def known_widgets() -> dict[str, type[QtWidgets.QWidget]]:
    """The stand-in classes a form may name."""
    return {**ctk_widgets.WIDGETS, **qmrml_widgets.WIDGETS}


def _take_connections(root: ElementTree.Element) -> list[_Connection]:
    """Remove <connections> from the form, since Qt's loader does not know our Python slots; return what they say."""
    section = root.find("connections")
    if section is None:
        return []
    root.remove(section)
    return [
        _Connection(*(element.findtext(field) or "" for field in _Connection._fields))
        for element in section.iter("connection")
    ]


def _spell_out_flags(root: ElementTree.Element) -> None:
    """Replace flags of our classes (``ctkPathLineEdit::Dirs|ctkPathLineEdit::Files``) by numbers, which Qt can set."""
    for element in root.iter("property"):
        value = element.find("set") if element.find("set") is not None else element.find("enum")
        names = (value.text or "").split("|") if value is not None else []
        owners = [known_widgets().get(name.partition("::")[0]) for name in names]
        if value is not None and owners and all(owners):
            flags = [getattr(owner, name.rpartition("::")[2]) for owner, name in zip(owners, names, strict=True)]
            element.remove(value)
            ElementTree.SubElement(element, "number").text = str(sum(flags))


def _make(form: QtWidgets.QWidget, connection: _Connection) -> None:
    sender, receiver = _object(form, connection.sender), _object(form, connection.receiver)
    if sender is None or receiver is None or not signals.connect(sender, connection.signal, receiver, connection.slot):
        raise RuntimeError(f"the form cannot connect {' '.join(connection)}")


def _object(form: QtWidgets.QWidget, name: str) -> QtCore.QObject | None:
    return form if form.objectName() == name else form.findChild(QtCore.QObject, name)
