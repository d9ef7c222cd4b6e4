"""Which widget shows which parameter. Slicer looks at the exact class of the widget, never at what it derives from."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PySide6 import QtWidgets

from Testing.slicer_host import ctk_numbers as numbers
from Testing.slicer_host import ctk_paths as paths
from Testing.slicer_host import ctk_widgets as ctk
from Testing.slicer_host import qmrml_widgets as qmrml
from Testing.slicer_host.node_combo_box import qMRMLNodeComboBox
from Testing.slicer_host.parameter_types import Choice, Decimals, Maximum, Minimum, Parameter, SingleStep, WithinRange


class _Binding(NamedTuple):
    signal: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]


def _write_text(widget: Any, text: str) -> None:
    # Writing the same text would put the cursor to the end while the user types.
    current = widget.toPlainText() if hasattr(widget, "toPlainText") else widget.text()
    if current != text:
        (widget.setPlainText if hasattr(widget, "setPlainText") else widget.setText)(text)


_CHECKED = _Binding("toggled", lambda widget: widget.isChecked(), lambda widget, value: widget.setChecked(value))
_NATIVE_NUMBER = _Binding("valueChanged", lambda widget: widget.value(), lambda widget, value: widget.setValue(value))
_NUMBER = _Binding("valueChanged", lambda widget: widget._get_value(), lambda widget, value: widget.setValue(value))
_NODE = _Binding(
    "currentNodeChanged", lambda widget: widget.currentNode(), lambda widget, value: widget.setCurrentNode(value)
)
_CHOICE = _Binding(
    "currentIndexChanged", lambda widget: widget.currentIndex(), lambda widget, value: widget.setCurrentIndex(value)
)
_LINE = _Binding("textChanged", lambda widget: widget.text(), _write_text)
_TEXT = _Binding("textChanged", lambda widget: widget.toPlainText(), _write_text)
_PATH = _Binding(
    "currentPathChanged", lambda widget: widget._get_path(), lambda widget, value: widget.setCurrentPath(str(value))
)
_FOLDER = _Binding(
    "directoryChanged", lambda widget: widget._get_directory(), lambda widget, value: widget.setDirectory(str(value))
)

_BINDINGS: dict[type, tuple[_Binding, tuple[type, ...]]] = {
    QtWidgets.QCheckBox: (_CHECKED, (bool,)),
    QtWidgets.QPushButton: (_CHECKED, (bool,)),
    ctk.ctkCheckBox: (_CHECKED, (bool,)),
    ctk.ctkCheckablePushButton: (_CHECKED, (bool,)),
    QtWidgets.QSlider: (_NATIVE_NUMBER, (int,)),
    QtWidgets.QSpinBox: (_NATIVE_NUMBER, (int,)),
    QtWidgets.QDoubleSpinBox: (_NATIVE_NUMBER, (float,)),
    numbers.ctkDoubleSpinBox: (_NATIVE_NUMBER, (float,)),
    qmrml.qMRMLSpinBox: (_NATIVE_NUMBER, (float,)),
    numbers.ctkSliderWidget: (_NUMBER, (int, float)),
    numbers.ctkDoubleSlider: (_NUMBER, (float,)),
    qmrml.qMRMLSliderWidget: (_NUMBER, (int, float)),
    QtWidgets.QComboBox: (_CHOICE, (str, enum.Enum)),
    ctk.ctkComboBox: (_CHOICE, (str, enum.Enum)),
    QtWidgets.QLineEdit: (_LINE, (str,)),
    QtWidgets.QTextEdit: (_TEXT, (str,)),
    QtWidgets.QPlainTextEdit: (_TEXT, (str,)),
    paths.ctkPathLineEdit: (_PATH, (Path, str)),
    paths.ctkDirectoryButton: (_FOLDER, (Path, str)),
    qMRMLNodeComboBox: (_NODE, (object,)),
}


def _label(member: Any) -> str:
    """What a combo box shows for a value of an enum: its ``label()`` where the class has one."""
    return str(member.label() if hasattr(member, "label") else member.name)


def _fits(parameter: Parameter, binding: _Binding, kinds: tuple[type, ...]) -> bool:
    if parameter.element_type is not None:
        return False
    return parameter.is_node if binding is _NODE else issubclass(parameter.type, kinds)


class GuiConnection:
    """One parameter shown in one widget."""

    def __init__(self, widget: Any, parameter: Parameter, changed: Callable[[str, Any], None]) -> None:
        """``changed(name, value)`` is called when the user changes the widget.

        Raises:
            ValueError: If Slicer would not connect a widget of exactly this class with a parameter of this type.
        """
        binding, kinds = _BINDINGS.get(type(widget), (None, ()))
        if binding is None or not _fits(parameter, binding, kinds):
            raise ValueError(f"a {type(widget).__name__} cannot show {parameter.name} of type {parameter.type}")
        self.widget, self.parameter, self._binding, self._changed = widget, parameter, binding, changed
        self._choices = self._prepare_choices() if binding is _CHOICE else []
        self._prepare()
        self._signal = getattr(widget, binding.signal)
        self._relay = lambda: self._report()
        self._signal.connect(self._relay)

    def disconnect(self) -> None:
        """Stop listening to the widget."""
        self._signal.disconnect(self._relay)

    def show(self, value: Any) -> None:
        """Put the parameter's value into the widget."""
        if value is None and self._binding is not _NODE:
            return
        if self._binding is _CHOICE:
            self.widget.setCurrentIndex(self._choices.index(value))
        elif self._value() != value:
            self._binding.write(self.widget, value)

    def _value(self) -> Any:
        value = self._binding.read(self.widget)
        if self._binding is _NODE or value is None:
            return value
        if self._binding is _CHOICE:  # in a list that was just cleared, this is the last choice, as in Slicer
            return self._choices[value]
        return self.parameter.type(value)

    def _report(self) -> None:
        self._changed(self.parameter.name, self._value())

    def _prepare(self) -> None:
        """Give the widget the range, steps and items that the annotations name."""
        parameter, widget = self.parameter, self.widget
        for kind, bound in (
            (WithinRange, "minimum"),
            (WithinRange, "maximum"),
            (Minimum, "minimum"),
            (Maximum, "maximum"),
        ):
            annotation = parameter.annotation(kind)
            if annotation is not None and hasattr(widget, "setMinimum"):
                getattr(widget, f"set{bound.capitalize()}")(getattr(annotation, bound))
        if (decimals := parameter.annotation(Decimals)) is not None and hasattr(widget, "setDecimals"):
            widget.setDecimals(decimals.value)
        if (step := parameter.annotation(SingleStep)) is not None and hasattr(widget, "setSingleStep"):
            widget.setSingleStep(step.value)
        if self._binding is _NODE:  # Slicer overrides what the .ui file says
            widget.setNodeTypes([kind.__name__ for kind in parameter.node_types])

    def _prepare_choices(self) -> list[Any]:
        """Clear the list and fill it again, whoever else listens to it; returns the values of its lines."""
        choice = self.parameter.annotation(Choice)
        is_enum = issubclass(self.parameter.type, enum.Enum)
        if not is_enum and choice is None:
            raise ValueError(f"a combo box can show {self.parameter.name} only with the annotation Choice")
        choices = list(self.parameter.type) if is_enum else list(choice.choices)
        self.widget.clear()
        for value in choices:
            self.widget.addItem(_label(value) if is_enum else str(value))
        return choices
