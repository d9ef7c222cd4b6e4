"""The panel and the scene's parameter node: bound once, kept when nodes go, given back when the user leaves."""

import pytest

from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


def remove(node):
    import slicer

    slicer.mrmlScene.RemoveNode(node)


def test_a_deleted_result_makes_no_scan_the_output(widget, result):
    volume("DWI b1000", 500)
    remove(result)
    assert widget._parameters.outputVolume is None
    assert widget.ui.outputSelector.currentNode() is None


@pytest.mark.parametrize("role", ["T1w", "T2w"])
def test_a_deleted_source_leaves_its_role_empty(widget, scans, role):
    volume("DWI b1000", 500)
    remove(scans[role])
    assert getattr(widget._parameters, f"source{role}") is None
    assert getattr(widget.ui, f"source{role}Selector").currentNode() is None


def test_choices_survive_leaving_and_returning(widget):
    from MRTranslateGui.ParameterNode import HeatMap, Precision, Registration

    parameters = widget._parameters
    parameters.precision, parameters.registration = Precision.BF16, Registration.NEVER
    parameters.heatMap = HeatMap.ATTENTION
    widget.parent.exit()
    widget.parent.enter()
    parameters = widget._parameters
    assert (parameters.precision, parameters.registration) == (Precision.BF16, Registration.NEVER)
    assert parameters.heatMap is HeatMap.ATTENTION


def test_choices_survive_an_imported_scene(widget, tmp_path, turn):
    import slicer

    from MRTranslateGui.ParameterNode import Registration

    path = tmp_path / "other.mrml"
    path.write_text('<MRML version="Slicer4.4.0"></MRML>')
    widget._parameters.registration = Registration.NEVER
    slicer.mrmlScene.SetURL(str(path))
    slicer.mrmlScene.Import()
    turn()
    assert widget._parameters.registration is Registration.NEVER


def test_a_closed_scene_brings_the_defaults_and_binds_the_panel_once(widget, slicer_host):
    from MRTranslateGui.ParameterNode import Registration

    widget._parameters.registration = Registration.NEVER
    slicer_host.close_scene()
    assert widget._parameters.registration is Registration.AUTO
    widget.ui.registrationComboBox.setCurrentIndex(1)
    assert widget._parameters.registration is Registration.ALWAYS


def test_leaving_the_module_closes_the_comparison_and_stops_the_flicker(widget, result, turn):
    import slicer

    layout, window = slicer.app.layoutManager().layout, result.GetDisplayNode().GetWindow()
    widget.ui.flickerButton.click()
    timer = widget.panel.looking._comparison._timer
    widget.parent.exit()
    assert not timer.isActive()
    assert not widget.ui.compareButton.checked
    assert slicer.app.layoutManager().layout == layout
    assert result.GetDisplayNode().GetWindow() == window
