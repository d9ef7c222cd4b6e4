"""Python sees Qt on the host as it does in Slicer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host

CONFORMANCE = Path(__file__).parents[1] / "slicer_host" / "conformance"

# Slicer's own PythonQt has `name` as an alias of `objectName`; the reference was taken from one built without.
ALIAS_OF_SLICER = {"name alias", "name ="}


def label_of(line: str) -> str:
    return line[:38].strip()


def load_questions() -> Callable[[object], list[str]]:
    # Under a name outside the host's package, whose own code sees plain PySide6.
    spec = importlib.util.spec_from_file_location("pythonqt_questions", CONFORMANCE / "questions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    answers: Callable[[object], list[str]] = module.answers
    return answers


def test_the_host_answers_as_pythonqt_except_for_slicers_alias_name(slicer_host: Host) -> None:
    import qt

    ours, reference = load_questions()(qt), (CONFORMANCE / "reference.txt").read_text(encoding="utf-8").splitlines()
    assert [label_of(line) for line in ours] == [label_of(line) for line in reference]
    different = {label_of(mine) for mine, theirs in zip(ours, reference, strict=True) if mine != theirs}
    assert different == ALIAS_OF_SLICER


def test_name_is_the_object_name_as_in_slicer(slicer_host: Host) -> None:
    import qt

    label = qt.QLabel()
    label.name = "title"
    assert (label.name, label.objectName) == ("title", "title")


def test_a_signature_that_qt6_dropped_is_refused(slicer_host: Host) -> None:
    import qt

    assert qt.QComboBox().connect("currentIndexChanged(QString)", print) is False


def test_the_machinery_of_pyside_is_not_in_qt(slicer_host: Host) -> None:
    import qt

    assert not {"Signal", "Slot", "Property"} & set(dir(qt))


def test_a_slot_with_defaults_gets_the_signals_arguments(slicer_host: Host) -> None:
    import qt

    heard: list[object] = []
    button = qt.QPushButton()
    button.clicked.connect(lambda checked="default": heard.append(checked))
    button.click()
    assert heard == [False]


def test_disconnect_by_bound_signal_stops_the_slot(slicer_host: Host) -> None:
    import qt

    heard: list[object] = []
    button = qt.QPushButton()
    button.clicked.connect(heard.append)
    assert button.clicked.disconnect(heard.append)
    button.click()
    assert heard == []


def test_a_python_subclass_is_an_instance_of_the_class_it_derives_from(slicer_host: Host) -> None:
    import qt

    class Panel(qt.QFrame):  # type: ignore[misc]
        pass

    assert isinstance(Panel(), qt.QFrame)
    assert not isinstance(Panel(), qt.QWidget)


def test_a_python_subclass_can_override_an_event_handler(slicer_host: Host) -> None:
    import qt

    class Counter(qt.QWidget):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.resized = 0

        def resizeEvent(self, event: object) -> None:
            self.resized += 1

    counter = Counter()
    counter.setAttribute(qt.Qt.WA_DontShowOnScreen)
    counter.show()
    counter.resize(123, 45)
    slicer_host.app.processEvents()
    assert counter.resized
    assert counter.width == 123


@pytest.mark.parametrize("class_name", ["QFile", "QProcess", "QMenu"])
def test_classes_with_a_getter_of_their_own_follow_the_same_rules(slicer_host: Host, class_name: str) -> None:
    import qt

    thing = getattr(qt, class_name)()
    thing.objectName = "thing"
    assert thing.name == "thing"


def test_static_and_instance_methods_of_one_name_stay_apart(slicer_host: Host, tmp_path: Path) -> None:
    import qt

    there = tmp_path / "there.txt"
    there.touch()
    assert qt.QFile(str(there)).exists()
    assert not qt.QFile(str(tmp_path / "missing")).exists()
    assert qt.QFile.exists(str(there))


def test_code_of_other_libraries_keeps_plain_pyside(slicer_host: Host) -> None:
    import qt

    plain: dict[str, object] = {"__name__": "matplotlib.backends.fake", "button": qt.QPushButton("x")}
    exec("text = button.text()", plain)
    assert plain["text"] == "x"
