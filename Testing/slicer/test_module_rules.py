"""Slicer's rules for scripted modules, read from the source: what would only fail inside Slicer fails here."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "MRTranslate"
FILES = sorted(path for path in ROOM.rglob("*.py") if "__pycache__" not in path.parts)
UI = ElementTree.parse(ROOM / "Resources" / "UI" / "MRTranslate.ui").getroot()
IN_SLICER = {"slicer", "qt", "ctk", "vtk", "numpy", "MRTranslateGui", "MRTranslateLib"} | sys.stdlib_module_names
"""What a module may import at file scope; SampleData and PyTorchUtils are modules of Slicer, but not there at start."""
NEEDS_NO_PACKAGES = {
    *("", ".contrast", ".errors", ".progress", ".file_lock", ".worker", ".worker.session"),
    ".robustness.catalogue",
}
"""The library's files that import nothing from pip, so that the panel may import them at file scope."""
BINDABLE = {"qMRMLNodeComboBox", "QCheckBox", "QSpinBox", "QComboBox", "ctkSliderWidget", "QLineEdit", "QDoubleSpinBox"}
PYSIDE_ONLY = re.compile(r"PySide\d|\bqt\.(Signal|Slot|Property)\b|\.exec_\(|QRegExp|QTextCodec")


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_at_file_scope(tree):
    """Dotted names imported when the module is, those under TYPE_CHECKING left out."""
    body = [*tree.body]
    for node in body:
        if isinstance(node, ast.If | ast.Try) and "TYPE_CHECKING" not in ast.unparse(getattr(node, "test", node)):
            body += [*node.body, *node.orelse]
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
            yield from (
                f"{node.module}.{alias.name}" for alias in node.names if node.module.startswith("MRTranslateLib")
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_from_pip_is_imported_at_file_scope(path):
    names = set(imports_at_file_scope(tree_of(path)))
    assert {name for name in names if name.split(".")[0] not in IN_SLICER} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_library_is_imported_at_file_scope_only_where_it_needs_no_packages(path):
    modules = {name for name in imports_at_file_scope(tree_of(path)) if name.startswith("MRTranslateLib")}
    inner = {name.removeprefix("MRTranslateLib") for name in modules}
    known = {
        name for name in inner if any(name == ok or (ok and name.rpartition(".")[0] == ok) for ok in NEEDS_NO_PACKAGES)
    }
    assert inner <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_used_that_slicer_lacks(path):
    source = path.read_text(encoding="utf-8")
    assert not PYSIDE_ONLY.findall(source)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            assert "imp" not in {alias.name for alias in node.names}, "imp is gone from Python 3.12"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            assert not re.search(r"\b(qt|ctk|slicer)\.\w+", ast.unparse(node.args[1])), "PythonQt's isinstance lies"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_torch_is_never_imported_into_slicer(path):
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree_of(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"torch", "monai", "torchvision"}


def user_strings(tree):
    """Literal texts handed to widgets by the usual setters."""
    setters = {"setText", "setToolTip", "setWindowTitle", "errorDisplay", "confirmOkCancelDisplay", "setTitleText"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in setters:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value.strip():
                    yield argument.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_text_shown_to_users_can_be_translated(path):
    assert list(user_strings(tree_of(path))) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_translated_texts_are_literals_so_that_they_can_be_collected(path):
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "_"]
    for call in calls:
        assert len(call.args) == 1, ast.unparse(call)
        assert isinstance(call.args[0], ast.Constant), ast.unparse(call)


def parameter_names():
    tree = tree_of(ROOM / "MRTranslateGui" / "ParameterNode.py")
    wrapped = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ParameterNode")
    return {node.target.id for node in wrapped.body if isinstance(node, ast.AnnAssign)}


def test_widgets_bound_to_parameters_are_of_exact_bindable_types_and_named_right():
    bound = {
        text.text: widget.get("class")
        for widget in UI.iter("widget")
        for prop in widget.findall("property")
        if prop.get("name") == "SlicerParameterName" and (text := prop.find("string")) is not None
    }
    assert len(bound) > 15
    assert set(bound) <= parameter_names()
    assert set(bound.values()) <= BINDABLE


def test_every_node_selector_follows_the_scene():
    selectors = {widget.get("name") for widget in UI.iter("widget") if widget.get("class") == "qMRMLNodeComboBox"}
    connected = {
        connection.findtext("receiver")
        for connection in UI.iter("connection")
        if connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    assert selectors == connected


def test_the_sections_come_in_the_order_users_know():
    layout = UI.find("widget/layout")
    names = [widget.get("name") for widget in layout.findall("item/widget")]
    wanted = ["inputs", "target", "outputs", "apply", "looking", "model", "advanced"]
    found = [next(index for index, name in enumerate(names) if name.startswith(word)) for word in wanted]
    assert found == sorted(found)


def test_every_label_of_a_field_leads_to_it():
    # Screen readers read a field's buddy; without one a field has no name.
    names = {widget.get("name") for widget in UI.iter("widget")}
    labels = [widget for widget in UI.iter("widget") if widget.get("class") == "QLabel"]
    fields = [label for label in labels if (label.findtext("property[@name='text']/string") or "").endswith(":")]
    assert len(fields) > 20
    assert {label.findtext("property[@name='buddy']/cstring") for label in fields} <= names


def test_every_widget_the_code_names_is_in_the_ui_file():
    names = {widget.get("name") for widget in UI.iter("widget")}
    used = set()
    for path in FILES:
        used |= set(re.findall(r"\b(?:self\.|w\.)?_?ui\.(\w+)", path.read_text(encoding="utf-8")))
    assert used - names == set()
