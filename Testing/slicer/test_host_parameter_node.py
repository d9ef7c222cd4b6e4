"""The parameter node wrapper: typed, checked, saved with the scene, tied to widgets both ways."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host


class Speed(enum.Enum):
    Slow = "slow"
    Quick = "quick"


@pytest.fixture
def parameter_class(slicer_host: Host) -> Any:
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

    # Annotations of this file are texts, so the class is put together by hand.
    annotations = {
        "volume": slicer.vtkMRMLScalarVolumeNode,
        "volumes": list[slicer.vtkMRMLScalarVolumeNode],
        "threads": Annotated[int, WithinRange(1, 64)],
        "opacity": Annotated[float, WithinRange(0.0, 1.0), Default(0.5)],
        "repeats": Annotated[int, Minimum(2)],
        "enabled": bool,
        "speed": Speed,
        "target": Annotated[str, Choice(["T1w", "FLAIR"])],
        "folder": Path,
        "words": list[str],
        "note": str,
        "limit": float | None,
    }
    assigned = {"threads": 4, "enabled": True, "note": "hello", "__annotations__": annotations}
    return parameterNodeWrapper(type("Parameters", (), assigned))


@pytest.fixture
def parameters(parameter_class: Any) -> Any:
    import slicer

    return parameter_class(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def add_volume(name: str = "T1w") -> Any:
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_defaults_come_from_assignment_annotation_validator_or_type(parameters: Any) -> None:
    assert parameters.threads == 4
    assert parameters.opacity == 0.5
    assert parameters.repeats == 2
    assert parameters.enabled is True
    assert parameters.speed is Speed.Slow
    assert parameters.target == "T1w"
    assert parameters.folder == Path()
    assert parameters.words == []
    assert parameters.volumes == []
    assert parameters.volume is None
    assert parameters.limit is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 64),
        ("opacity", 1),
        ("enabled", False),
        ("speed", Speed.Quick),
        ("target", "FLAIR"),
        ("folder", Path("/data/with space")),
        ("words", ["a, b", ""]),
        ("note", ""),
        ("limit", 0.25),
    ],
)
def test_what_is_set_is_read_back_by_another_wrapper(parameters: Any, name: str, value: object) -> None:
    setattr(parameters, name, value)
    again = type(parameters)(parameters.parameterNode)
    assert getattr(again, name) == value


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("threads", 0, ValueError),
        ("threads", 2.5, TypeError),
        ("threads", True, TypeError),
        ("opacity", 1.01, ValueError),
        ("repeats", 1, ValueError),
        ("target", "T2w", ValueError),
        ("note", 3, TypeError),
        ("enabled", 1, TypeError),
        ("speed", "Quick", TypeError),
        ("folder", "/data", TypeError),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(
    parameters: Any, name: str, value: object, error: type[Exception]
) -> None:
    before = getattr(parameters, name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert getattr(parameters, name) == before


def test_nodes_are_kept_as_references(parameters: Any) -> None:
    import slicer

    first, second = add_volume("T1w"), add_volume("T2w")
    parameters.volume = first
    parameters.volumes = [second, first]
    assert parameters.volume is first
    assert [node.GetName() for node in parameters.volumes] == ["T2w", "T1w"]
    slicer.mrmlScene.RemoveNode(first)
    assert parameters.volume is None


def test_a_node_of_another_class_is_refused(parameters: Any) -> None:
    import slicer

    with pytest.raises(TypeError):
        parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")


def test_parameters_survive_an_mrb_file(parameters: Any, slicer_host: Host, tmp_path: Path) -> None:
    import slicer

    parameters.parameterNode.SetName("mine")
    parameters.speed, parameters.threads = Speed.Quick, 7
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer_host.close_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    loaded = type(parameters)(slicer.util.getNode("mine"))
    assert (loaded.speed, loaded.threads) == (Speed.Quick, 7)


# Widgets ------------------------------------------------------------------------------------------------------------


def widget_for(name: str) -> Any:
    import ctk
    import qt
    import slicer

    makers = {
        "threads": qt.QSpinBox,
        "opacity": ctk.ctkSliderWidget,
        "enabled": qt.QCheckBox,
        "speed": qt.QComboBox,
        "target": ctk.ctkComboBox,
        "folder": ctk.ctkPathLineEdit,
        "note": qt.QLineEdit,
        "volume": slicer.qMRMLNodeComboBox,
    }
    widget = makers[name]()
    if name == "volume":
        widget.noneEnabled = True
        widget.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        widget.setMRMLScene(slicer.mrmlScene)
    return widget


# parameter, attribute of the widget, what the widget shows, the parameter's value
EXAMPLES = [
    ("threads", "value", 9, 9),
    ("opacity", "value", 0.25, 0.25),
    ("enabled", "checked", False, False),
    ("speed", "currentText", "Quick", Speed.Quick),
    ("target", "currentText", "FLAIR", "FLAIR"),
    ("folder", "currentPath", "/data", Path("/data")),
    ("note", "text", "changed", "changed"),
]


@pytest.mark.parametrize(("name", "attribute", "shown", "value"), EXAMPLES)
def test_a_parameter_set_in_code_shows_in_its_widget(
    parameters: Any, name: str, attribute: str, shown: object, value: object
) -> None:
    widget = widget_for(name)
    tag = parameters.connectParametersToGui({name: widget})
    setattr(parameters, name, value)
    assert getattr(widget, attribute) == shown
    parameters.disconnectGui(tag)


@pytest.mark.parametrize(("name", "attribute", "shown", "value"), EXAMPLES)
def test_a_change_in_the_widget_sets_its_parameter(
    parameters: Any, name: str, attribute: str, shown: object, value: object
) -> None:
    widget = widget_for(name)
    tag = parameters.connectParametersToGui({name: widget})
    setattr(widget, attribute, shown)
    assert getattr(parameters, name) == value
    parameters.disconnectGui(tag)


def test_a_node_selector_and_its_parameter_follow_each_other(parameters: Any) -> None:
    selector, first, second = widget_for("volume"), add_volume("T1w"), add_volume("T2w")
    tag = parameters.connectParametersToGui({"volume": selector})
    parameters.volume = first
    assert selector.currentNode() is first
    selector.setCurrentNode(second)
    assert parameters.volume is second
    parameters.disconnectGui(tag)


def test_disconnected_widgets_are_left_alone(parameters: Any) -> None:
    widget = widget_for("threads")
    parameters.disconnectGui(parameters.connectParametersToGui({"threads": widget}))
    widget.value = 9
    assert parameters.threads == 4
    parameters.threads = 11
    assert widget.value == 9


def test_connect_gui_gives_no_tag_to_undo_it(parameters: Any) -> None:
    from types import SimpleNamespace

    widget = widget_for("threads")
    widget.setProperty("SlicerParameterName", "threads")
    tag = parameters.connectGui(SimpleNamespace(threads=widget))
    assert tag is None
    parameters.disconnectGui(tag)
    widget.value = 9
    assert parameters.threads == 9
    parameters.disconnectGui(next(iter(parameters._connections)))


def test_another_connection_to_a_list_resets_what_an_old_one_shows(parameters: Any) -> None:
    # Slicer's connector clears and refills the list while the old one listens.
    widget = widget_for("speed")
    tag = parameters.connectParametersToGui({"speed": widget})
    parameters.speed = Speed.Quick
    other = parameters.connectParametersToGui({"speed": widget})
    assert parameters.speed is Speed.Slow
    parameters.disconnectGui(tag)
    parameters.disconnectGui(other)


def test_ranges_and_choices_reach_the_widgets(parameters: Any) -> None:
    slider, speed, target = widget_for("opacity"), widget_for("speed"), widget_for("target")
    tag = parameters.connectParametersToGui({"opacity": slider, "speed": speed, "target": target})
    assert (slider.minimum, slider.maximum) == (0.0, 1.0)
    assert [speed.itemText(index) for index in range(speed.count)] == ["Slow", "Quick"]
    assert [target.itemText(index) for index in range(target.count)] == ["T1w", "FLAIR"]
    parameters.disconnectGui(tag)


def test_only_widgets_of_exactly_the_known_classes_are_bound(parameters: Any) -> None:
    import qt

    class MyCheckBox(qt.QCheckBox):  # type: ignore[misc]
        pass

    with pytest.raises(ValueError, match="MyCheckBox"):
        parameters.connectParametersToGui({"enabled": MyCheckBox()})


def test_a_widget_that_cannot_show_the_type_is_refused(parameters: Any) -> None:
    import qt

    with pytest.raises(ValueError, match=r"QSpinBox.*note"):
        parameters.connectParametersToGui({"note": qt.QSpinBox()})


def test_an_unknown_parameter_name_is_refused(parameters: Any) -> None:
    import qt

    with pytest.raises(ValueError, match="nonsense"):
        parameters.connectParametersToGui({"nonsense": qt.QCheckBox()})
