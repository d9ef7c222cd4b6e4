"""Our layouts: known before a scene needs them, and left without a trace when the user chooses another."""

import pytest

from Testing.slicer.conftest import MODULE_FOLDER
from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


def layout_node():
    import slicer

    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def choose_four_up():
    """As a user does in Slicer's own menu."""
    import slicer

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def shown_in(view):
    import slicer

    composite = slicer.app.layoutManager().sliceWidget(view).mrmlSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID())


@pytest.mark.parametrize("number", [24712, 24713, 24720, 24721])
def test_slicer_knows_our_layouts_when_it_has_started(slicer_host, number):
    # These numbers stand in saved scenes.
    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py")
    assert layout_node().IsLayoutDescription(number)


def test_our_layouts_survive_a_closed_scene(slicer_host, widget):
    slicer_host.close_scene()
    assert layout_node().IsLayoutDescription(24713)


def test_a_scene_saved_while_comparing_comes_back_with_its_views(slicer_host, widget, result, tmp_path, turn):
    import slicer

    widget.ui.compareButton.click()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    widget.ui.compareButton.click()
    slicer_host.reset()  # another session
    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py")
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    turn()
    assert layout_node().GetViewArrangement() == 24712
    assert layout_node().GetLayoutRootElement() is not None
    assert shown_in("MRTranslateSynthetic").GetName() == "SYNTHETIC FLAIR from sub-01 T1w"


def test_another_layout_from_the_menu_releases_the_button_and_gives_the_windows_back(widget, scans, result):
    window = result.GetDisplayNode().GetWindow()
    widget.ui.compareButton.click()
    choose_four_up()
    assert not widget.ui.compareButton.checked
    assert result.GetDisplayNode().GetWindow() == window


def test_difference_after_another_layout_opens_the_comparison_again(widget, result):
    widget._parameters.reference = volume("real FLAIR", 300)
    widget.ui.compareButton.click()
    choose_four_up()
    widget.ui.differenceButton.click()
    assert layout_node().GetViewArrangement() == 24713
    assert shown_in("MRTranslateSynthetic").GetName() == "SYNTHETIC FLAIR from sub-01 T1w minus real FLAIR"


def test_apply_after_another_layout_shows_the_result(widget, scans, result, apply):
    import slicer

    widget.ui.compareButton.click()
    choose_four_up()
    slicer.util.setSliceViewerLayers(background=scans["T1w"])
    assert shown_in("Red") is scans["T1w"]
    apply()
    assert shown_in("Red") is result


def test_apply_while_comparing_leaves_no_difference_of_the_former_result(widget, result, apply):
    widget._parameters.reference = volume("real FLAIR", 300)
    widget.ui.differenceButton.click()
    apply()
    assert widget.ui.compareButton.checked
    assert not widget.ui.differenceButton.checked
    assert shown_in("MRTranslateSynthetic") is result


def test_leaving_a_restored_comparison_leads_to_slicers_own_layout(slicer_host, widget, result):
    import slicer

    slicer.app.layoutManager().setLayout(24712)  # as a loaded scene does
    widget.ui.compareButton.click()
    widget.ui.compareButton.click()
    assert layout_node().GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
