"""Which node a result goes into: never by the way into one that holds another contrast, another patient or a scan."""

import numpy as np
import pytest

from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


def pick(selector, node):
    """What a hand does: choose a line of the open list."""
    box = selector.comboBox()
    box.currentIndex = box.findText(node.GetName())
    box.activated(box.currentIndex)


def choose_target(widget, target):
    combo = widget.ui.targetComboBox
    combo.setCurrentIndex(combo.findText(target))


def choose_person(widget, name, value):
    widget._parameters.sourceT1w = volume(f"{name} T1w", value)
    widget._parameters.sourceT2w = volume(f"{name} T2w", 2 * value)


def voxels(node):
    import slicer

    return slicer.util.arrayFromVolume(node).copy()


def test_the_same_again_fills_the_same_node(widget, result, apply):
    assert apply() is result
    assert result.GetName() == "SYNTHETIC FLAIR from sub-01 T1w"


def test_another_target_goes_into_a_new_node_and_the_first_result_stays(widget, result, apply):
    choose_target(widget, "T1wGd")
    second = apply()
    assert second.GetName() == "SYNTHETIC T1wGd from sub-01 T1w"
    assert (result.GetName(), result.GetAttribute("MRTranslate.Target")) == ("SYNTHETIC FLAIR from sub-01 T1w", "FLAIR")


def test_another_person_goes_into_a_new_node_and_the_first_result_stays(widget, result, apply):
    before = voxels(result)
    choose_person(widget, "sub-02", 50)
    assert apply().GetName() == "SYNTHETIC FLAIR from sub-02 T1w"
    assert result.GetName() == "SYNTHETIC FLAIR from sub-01 T1w"
    np.testing.assert_array_equal(voxels(result), before)


def test_a_result_that_was_picked_for_another_target_is_filled_and_named_anew(widget, result, apply):
    choose_target(widget, "T1wGd")
    pick(widget.ui.outputSelector, result)
    assert "It takes the place of SYNTHETIC FLAIR from sub-01 T1w." in widget.ui.applyButton.toolTip
    assert apply() is result
    assert result.GetName() == "SYNTHETIC T1wGd from sub-01 T1w"


def test_a_pick_counts_for_one_run(widget, result, apply):
    pick(widget.ui.outputSelector, result)
    apply()
    choose_target(widget, "T1wGd")
    assert apply() is not result


def test_a_name_that_the_user_gave_stays(widget, result, apply):
    result.SetName("SYNTHETIC best so far")
    assert apply() is result
    assert result.GetName() == "SYNTHETIC best so far"


def test_a_result_whose_source_got_another_name_follows_it(widget, scans, result, apply):
    scans["T1w"].SetName("Jane T1w")
    assert apply().GetName() == "SYNTHETIC FLAIR from Jane T1w"


def test_an_acquired_image_is_no_output_and_stays_as_it_is(widget, scans, turn):
    dwi = volume("DWI b1000", 500)
    before = voxels(dwi)
    widget._parameters.outputVolume = dwi
    assert not widget.ui.applyButton.enabled
    assert (
        widget.ui.applyButton.toolTip
        == "The output DWI b1000 holds an image that is not synthetic: choose Create new on Apply."
    )
    widget.ui.applyButton.click()
    turn()
    np.testing.assert_array_equal(voxels(dwi), before)


def test_the_console_refuses_an_acquired_image_as_output_too(widget, scans):
    with pytest.raises(ValueError, match="DWI b1000 holds an image that is not synthetic"):
        widget.logic.translate(scans, "FLAIR", outputVolume=volume("DWI b1000", 500), waitForCompletion=False)


def test_an_empty_volume_of_the_users_is_filled(widget, scans, apply):
    import slicer

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    widget._parameters.outputVolume = empty
    assert apply() is empty
    assert empty.GetName() == "SYNTHETIC mine"


@pytest.mark.parametrize("kind", ["attention", "uncertainty"])
def test_a_map_stays_with_its_result_when_the_next_run_makes_another(slicer_host, kind):
    from MRTranslateGui import Results
    from MRTranslateGui.OutputChoice import mapToFill

    first = volume("sub-01 T1w")
    result, map_ = volume("result"), volume("map")
    for node, kind_of_node in ((result, "volume"), (map_, kind)):
        Results.mark(node, kind=kind_of_node, target="FLAIR", sources={"T1w": first}, reference=None, provenance={})
    map_.SetNodeReferenceID(Results.RESULT_REFERENCE, result.GetID())
    about = (map_, kind, "FLAIR", first)
    assert mapToFill(*about, result=result.GetID(), isPicked=False) == map_.GetID()
    assert mapToFill(*about, result=None, isPicked=False) is None
    assert mapToFill(*about, result=None, isPicked=True) == map_.GetID()
    assert mapToFill(map_, kind, "T2w", first, result=result.GetID(), isPicked=False) is None
