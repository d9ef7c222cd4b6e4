"""Questions about how Python sees Qt, for real PythonQt and for this host; ``reference.txt`` has PythonQt's answers.

Every question is asked in this order, on shared objects. ``answers(qt)`` works wherever a module ``qt`` exists, so also
in Slicer's Python console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Question = tuple[str, Callable[[], Any]]

_PLAIN = (int, float, str, bool, type(None), list, tuple)
_LABEL_WIDTH, _MESSAGE_WIDTH = 38, 95


def answers(qt: Any) -> list[str]:
    """One line a question: its label, then what came out, or the exception."""
    groups = (_properties, _connections, _numbers, _children, _combo_box, _subclasses, _various)
    button = qt.QPushButton("x")
    return [_answer(label, ask) for group in groups for label, ask in group(qt, button)]


def _answer(label: str, ask: Callable[[], Any]) -> str:
    try:
        result = ask()
        shown = repr(result if isinstance(result, _PLAIN) else type(result).__name__)
    except Exception as error:  # every kind of refusal is an answer
        message = str(error)[:_MESSAGE_WIDTH].replace("\n", " ")
        shown = f"EXC {type(error).__name__}: {message}"
    return f"{label:<{_LABEL_WIDTH}} {shown}"


def _after(*actions: Any) -> Any:
    """The last of several values; the others were evaluated for what they do."""
    return actions[-1]


def _setting(target: Any, name: str, value: Any) -> Any:
    setattr(target, name, value)
    return value


def _properties(qt: Any, button: Any) -> Iterator[Question]:
    yield "text property", lambda: button.text
    yield "call text()", lambda: button.text()
    yield "setText + text", lambda: _after(button.setText("y"), button.text)
    yield "enabled property", lambda: button.enabled
    yield "enabled = False", lambda: _after(_setting(button, "enabled", False), (button.enabled, button.isEnabled()))
    yield "name alias", lambda: _after(button.setObjectName("nn"), (button.name, button.objectName))
    yield "name =", lambda: _after(_setting(button, "name", "mm"), button.objectName)
    yield "className()", lambda: button.className()
    yield "new attr on C++ object", lambda: _after(_setting(button, "foo", 1), button.foo)

    def dynamic_property() -> Any:
        button.setProperty("dyn", 5)
        button.dyn = 7
        return button.dyn

    yield "dynamic property as attr", dynamic_property


def _connections(qt: Any, button: Any) -> Iterator[Question]:
    heard: list[Any] = []
    button.enabled = True

    def no_arguments() -> Any:
        button.connect("clicked(bool)", lambda: heard.append("a"))
        button.click()
        return list(heard)

    def star_arguments() -> Any:
        heard.clear()
        button.connect("clicked()", lambda *arguments: heard.append(arguments))
        button.click()
        return str(heard)

    def one_argument() -> Any:
        heard.clear()
        button.connect("clicked(bool)", lambda checked: heard.append(checked))
        button.click()
        return str(heard[-1:])

    def signal_object() -> Any:
        button.clicked.connect(lambda: heard.append("z"))
        button.click()
        return heard[-1]

    yield "connect clicked(bool), 0-arg fn", no_arguments
    yield "connect clicked(), *args", star_arguments
    yield "connect clicked(bool), 1-arg fn", one_argument
    yield "connect bad signal", lambda: button.connect("nosuch()", lambda: 0)
    yield "clicked.connect", signal_object


def _numbers(qt: Any, button: Any) -> Iterator[Question]:
    slider = qt.QSlider()
    heard: list[Any] = []

    def value_changed() -> Any:
        slider.connect("valueChanged(int)", heard.append)
        slider.value = 42
        return heard, slider.value

    def disconnected() -> Any:
        def slot(_value: int) -> None:
            heard.append("g")

        slider.connect("valueChanged(int)", slot)
        slider.disconnect("valueChanged(int)", slot)
        heard.clear()
        slider.value = 43
        return "g" in heard

    yield "slider valueChanged(int)", value_changed
    yield "disconnect('sig', fn)", disconnected
    yield "Qt.Checked == 2", lambda: qt.Qt.Checked == 2
    yield "int(Qt.Horizontal)", lambda: int(qt.Qt.Horizontal)
    yield "orientation property", lambda: slider.orientation
    yield (
        "orientation = 1 (int for enum)",
        lambda: _after(_setting(slider, "orientation", 1), slider.orientation == qt.Qt.Horizontal),
    )
    yield "orientation == Qt.Horizontal", lambda: slider.orientation == qt.Qt.Horizontal
    yield "Ok | Cancel", lambda: int(qt.QMessageBox.Ok | qt.QMessageBox.Cancel)


def _children(qt: Any, button: Any) -> Iterator[Question]:
    widget = qt.QWidget()
    layout, edit = qt.QVBoxLayout(widget), qt.QLineEdit()
    edit.setObjectName("edit")
    layout.addWidget(edit)
    yield "child by object name", lambda: widget.edit.className()
    yield "layout() method", lambda: widget.layout().className()
    yield "children()", lambda: len(widget.children())
    yield "findChild(QLineEdit,name)", lambda: widget.findChild(qt.QLineEdit, "edit").className()
    yield "findChild('QLineEdit') str", lambda: [child.className() for child in widget.findChildren("QLineEdit")]
    yield "findChildren(qt.QWidget)", lambda: len(widget.findChildren(qt.QWidget))
    yield "isinstance(e, qt.QWidget)", lambda: isinstance(edit, qt.QWidget)
    yield "type(e) == qt.QLineEdit", lambda: type(edit) == qt.QLineEdit  # noqa: E721
    yield from _geometry_of(widget, edit)


def _geometry_of(widget: Any, edit: Any) -> Iterator[Question]:
    yield "size property", lambda: bool((widget.size.width(),))
    yield "geometry.width()", lambda: widget.geometry.width() > 0
    yield "sizeHint", lambda: type(widget.sizeHint).__name__
    yield "visible property", lambda: widget.visible
    yield "parent()", lambda: edit.parent().className()
    yield "width property", lambda: widget.width > 0


def _combo_box(qt: Any, button: Any) -> Iterator[Question]:
    combo = qt.QComboBox()
    combo.addItem("a")
    combo.addItem("b")

    def heard_on(signature: str, index: int) -> Any:
        heard: list[Any] = []
        combo.connect(signature, heard.append)
        combo.currentIndex = index
        return heard

    yield "combo", lambda: _after(_setting(combo, "currentIndex", 1), (combo.currentText, combo.count))
    yield "currentIndexChanged(int)", lambda: heard_on("currentIndexChanged(int)", 0)
    yield "currentTextChanged(QString)", lambda: heard_on("currentTextChanged(QString)", 1)


def _subclasses(qt: Any, button: Any) -> Iterator[Question]:
    class Named(qt.QWidget):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            qt.QWidget.__init__(self, *arguments)
            self.z = 3

    class Super(qt.QWidget):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.z = 4

    yield "python subclass attr", lambda: Named().z
    yield "super().__init__()", lambda: Super().z


def _various(qt: Any, button: Any) -> Iterator[Question]:
    check_box, spin_box = qt.QCheckBox(), qt.QSpinBox()

    def state_changed() -> Any:
        heard: list[Any] = []
        check_box.connect("stateChanged(int)", heard.append)
        check_box.checked = True
        return heard, check_box.checkState() == 2

    def emits() -> Any:
        heard: list[Any] = []
        button.clicked.connect(lambda: heard.append(1))
        button.clicked(True)
        return len(heard) > 0

    yield "checkbox stateChanged, checkState()==2", state_changed
    yield "QSpinBox.value = 3.0 (float)", lambda: _after(_setting(spin_box, "value", 3.0), spin_box.value)
    yield "QLabel(text) kw text=", lambda: qt.QLabel("q").text
    yield "QTimer.singleShot", lambda: qt.QTimer.singleShot(0, lambda: None)
    yield "QSettings value", lambda: qt.QSettings("a", "b").value("k", 5)
    yield "QFileInfo", lambda: qt.QFileInfo("x.y").suffix()
    yield "QMessageBox.question callable", lambda: callable(qt.QMessageBox.question)
    yield "exec_", lambda: hasattr(qt.QDialog(), "exec_")
    yield "b.clicked() emits?", emits
    yield "delete()", lambda: qt.QLabel("x").delete()
    yield "hasattr nosuch", lambda: hasattr(button, "nosuch")
    yield "setStyleSheet/styleSheet", lambda: _after(button.setStyleSheet("color: red"), button.styleSheet)
    yield "toolTip =", lambda: _after(_setting(button, "toolTip", "tt"), button.toolTip)
    yield "QColor name()", lambda: qt.QColor(255, 0, 0).name()
    yield "QSize repr eq", lambda: qt.QSize(1, 2) == qt.QSize(1, 2)
