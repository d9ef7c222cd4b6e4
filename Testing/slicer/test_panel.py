"""The panel clicked through on the host: real scene, real views, a worker that computes nothing."""

import numpy as np
import pytest

from Testing.slicer.small_scans import SHAPE, volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


def test_the_empty_panel_says_what_is_missing(widget):
    assert not widget.ui.applyButton.enabled
    assert "at least one acquired scan" in widget.ui.applyButton.toolTip


def test_roles_are_guessed_when_the_module_is_entered(slicer_host, worker):
    from Testing.slicer.conftest import MODULE_FOLDER

    flair, t1 = volume("FLAIR ax"), volume("t1_mprage_sag")
    widget = slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py")
    assert (widget.ui.sourceFLAIRSelector.currentNode(), widget.ui.sourceT1wSelector.currentNode()) == (flair, t1)


def test_entering_again_keeps_what_the_user_chose(widget, scans):
    widget.ui.sourceT2wSelector.setCurrentNode(None)
    widget.exit()
    widget.enter()
    assert widget._parameters.sourceT2w is None


def test_only_targets_that_are_not_given_are_offered_and_flair_is_taken(widget, scans):
    combo = widget.ui.targetComboBox
    assert [combo.itemText(index) for index in range(combo.count)] == ["T1wGd", "FLAIR"]
    assert widget._parameters.target == "FLAIR"
    assert widget.ui.applyButton.enabled
    assert widget.ui.applyButton.toolTip == "Make a synthetic FLAIR from T1w, T2w."


def test_the_chosen_target_is_kept_while_it_is_offered(widget, scans):
    widget.ui.targetComboBox.setCurrentIndex(0)
    assert widget._parameters.target == "T1wGd"
    widget.ui.sourceT2wSelector.setCurrentNode(None)
    assert widget._parameters.target == "T1wGd"
    assert "T2w" in [widget.ui.targetComboBox.itemText(index) for index in range(widget.ui.targetComboBox.count)]


def test_from_apply_to_the_result_in_the_scene(widget, worker, scans, turn):
    import slicer

    widget.ui.applyButton.click()
    assert widget.ui.applyButton.text == "Cancel"
    turn()
    assert worker.job.kind == "translate"
    assert list(worker.job.parameters["sources"]) == ["T1w", "T2w"]
    worker.report("translate", 0.42, 33.0)
    assert widget.ui.stateLabel.text == "Translating: 42 %, about 40 s left"
    assert widget.ui.progressBar.value == 420
    worker.answerTranslation(warnings=("T1w looks odd",))
    turn()
    node = widget._parameters.outputVolume
    assert node.GetName() == "SYNTHETIC FLAIR from sub-01 T1w"
    assert node.GetSpacing() == (1.0, 1.0, 3.0)
    assert widget.ui.applyButton.text == "Apply"
    assert "T1w looks odd." in widget.ui.stateLabel.text
    assert not widget.ui.progressBar.visible
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == node.GetID()
    assert not worker.folders[0].exists()


def test_views_that_show_a_result_say_so(widget, result, turn):
    import slicer

    label = slicer.modules.MRTranslateInstance.syntheticLabel
    assert label.textOf("Red") == "SYNTHETIC FLAIR\nnot for diagnostic use"
    slicer.util.setSliceViewerLayers(background=widget._parameters.sourceT1w)
    assert label.textOf("Red") == ""


def test_cancel_is_no_failure_and_loads_nothing(widget, worker, scans, turn):
    widget.ui.applyButton.click()
    turn()
    widget.ui.applyButton.click()
    turn()
    assert "Cancelled" in widget.ui.stateLabel.text
    assert widget._parameters.outputVolume is None
    assert widget.ui.applyButton.text == "Apply"


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_a_question_that_got_no_answer_is_forgotten(widget, worker, turn, end):
    widget.ui.packagesButton.click()
    turn()
    widget.logic.runner.cancel() if end == "cancel" else worker.fail("The worker crashed.")
    turn()
    assert widget.panel._tell == {}


def test_a_failure_is_shown_as_it_is_and_the_next_click_works(widget, worker, scans, turn):
    widget.ui.applyButton.click()
    turn()
    worker.fail("The worker crashed.")
    assert widget.ui.stateLabel.text == "Failed: The worker crashed."
    assert "The worker crashed." in widget.ui.logTextEdit.toPlainText()
    widget.ui.applyButton.click()
    turn()
    worker.answerTranslation()
    turn()
    assert widget._parameters.outputVolume is not None


def test_a_source_deleted_while_it_runs_is_said_and_leaves_no_empty_result(widget, worker, scans, turn):
    import slicer

    widget.ui.applyButton.click()
    turn()
    slicer.mrmlScene.RemoveNode(scans["T1w"])
    worker.answerTranslation()
    turn()
    assert "deleted" in widget.ui.stateLabel.text
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")] == ["sub-01 T2w"]


def test_closing_the_scene_while_it_runs_cancels_and_the_panel_starts_afresh(widget, worker, scans, turn):
    import slicer

    widget.ui.applyButton.click()
    turn()
    slicer.mrmlScene.Clear()
    turn()
    assert not widget.logic.runner.isBusy
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    volume("T1w")
    widget.ui.guessButton.click()
    assert widget.ui.applyButton.enabled


def test_applying_again_fills_the_same_node(widget, worker, result, turn):
    widget.ui.applyButton.click()
    turn()
    worker.answerTranslation()
    turn()
    assert widget._parameters.outputVolume is result


def test_the_comparison_links_equally_bright_views_and_gives_the_layout_back(widget, result, turn):
    import slicer

    manager = slicer.app.layoutManager()
    before, window = manager.layout, widget._parameters.sourceT1w.GetDisplayNode().GetWindow()
    widget._parameters.reference = volume("real FLAIR", 300)
    widget.ui.compareButton.click()
    tags = ("MRTranslateSource", "MRTranslateSynthetic", "MRTranslateReference")
    composites = [manager.sliceWidget(tag).mrmlSliceCompositeNode() for tag in tags]
    shown = [slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID()) for composite in composites]
    assert shown == [widget._parameters.sourceT1w, result, widget._parameters.reference]
    assert all(composite.GetLinkedControl() for composite in composites)
    assert result.GetDisplayNode().GetWindow() == pytest.approx(1100)
    assert manager.layout != before
    widget.ui.compareButton.click()
    assert manager.layout == before
    assert widget._parameters.sourceT1w.GetDisplayNode().GetWindow() == window


def test_difference_flicker_and_curtain_exclude_each_other(widget, result, turn):
    import slicer

    widget._parameters.reference = volume("real FLAIR", 300)
    synthetic = lambda: slicer.app.layoutManager().sliceWidget("MRTranslateSynthetic").mrmlSliceCompositeNode()  # noqa: E731
    widget.ui.differenceButton.click()
    assert widget.ui.compareButton.checked
    difference = slicer.mrmlScene.GetNodeByID(synthetic().GetBackgroundVolumeID())
    assert difference.GetName() == "SYNTHETIC FLAIR from sub-01 T1w minus real FLAIR"
    assert "Red is brighter than the reference" in widget.ui.lookingNote.text
    widget.ui.flickerButton.click()
    assert not widget.ui.differenceButton.checked
    assert synthetic().GetBackgroundVolumeID() == result.GetID()
    widget.ui.curtainButton.click()
    assert not widget.ui.flickerButton.checked
    assert synthetic().GetForegroundVolumeID() is None
    assert "right of the edge is the reference" in widget.ui.lookingNote.text
    widget.ui.compareButton.click()
    assert not widget.ui.curtainButton.checked
    assert "right of the edge" not in widget.ui.lookingNote.text


def test_the_difference_is_relative_to_each_brain(widget, result):
    import slicer

    from MRTranslateGui.Comparison import Pane, differenceVolume

    reference = volume("real FLAIR", 300)
    node = differenceVolume(Pane(result, "", 1000.0), Pane(reference, "", 500.0))
    expected = slicer.util.arrayFromVolume(result) / 1000 - slicer.util.arrayFromVolume(reference) / 500
    inside = slicer.util.arrayFromVolume(result) != 0
    np.testing.assert_allclose(slicer.util.arrayFromVolume(node)[inside], expected[inside], atol=1e-6)


def test_a_reference_on_another_grid_cannot_be_subtracted_and_the_panel_says_so(widget, result):
    widget._parameters.reference = volume("real FLAIR", 300, (8, 9, 10))
    widget.ui.differenceButton.click()
    assert not widget.ui.differenceButton.checked
    assert "another grid" in widget.ui.lookingNote.text


def test_scores_become_a_table_with_a_row_a_region(widget, worker, result, turn):
    import slicer

    widget._parameters.reference = volume("real FLAIR", 300)
    widget.ui.scoreButton.click()
    turn()
    assert worker.job.kind == "evaluate"
    scores = {"num_voxels": 5, "psnr": None, "ssim": 0.5, "nmae": 0.1, "nrmse": 0.2, "bias": -0.01}
    report = {
        "brain": scores,
        "lesion": scores,
        "lesion_labels": {"1": scores},
        "healthy": scores,
        "notes": ["read me"],
    }
    worker.answer(report)
    turn()
    table = slicer.util.getNode("Scores of *")
    assert [table.GetCellText(row, 0) for row in range(4)] == [
        "brain",
        "lesion",
        "lesion label 1",
        "brain without lesion",
    ]
    assert [table.GetCellText(0, column) for column in range(2, 5)] == ["", "0.5", "0.1"]
    assert table.GetDescription() == "read me"
    assert slicer.app.layoutManager().tableWidget(0).tableView().mrmlTableNode() is table


def test_a_batch_of_the_console_is_told_in_words_and_leaves_the_views(widget, worker, turn):
    import slicer

    before = slicer.app.layoutManager().layout
    widget.logic.batch("scans", "results", ["T1w"], "FLAIR", waitForCompletion=False)
    turn()
    rows = [[case, state] for case, state in zip("abcd", ("done", "failed", "done", "done"), strict=True)]
    worker.answer({"table": "cases.csv", "columns": ["case", "state"], "rows": rows})
    turn()
    assert widget.ui.stateLabel.text == "Done: 3 of 4 cases have a result."
    assert slicer.app.layoutManager().layout == before


def test_files_that_the_console_asked_for_are_counted(widget, worker, turn):
    from MRTranslateGui.TaskRunner import questionTask

    widget.logic.runner.run(questionTask("dicom", {}))
    turn()
    worker.answer(["1.dcm", "2.dcm"])
    turn()
    assert widget.ui.stateLabel.text == "Done: 2 files."


def test_a_saved_scene_can_be_looked_at_without_a_new_run(widget, worker, result, tmp_path, turn):
    import slicer

    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    turn()
    assert widget._parameters.outputVolume.GetName() == "SYNTHETIC FLAIR from sub-01 T1w"
    assert widget.ui.compareButton.enabled
    assert widget.ui.applyButton.enabled


def test_masks_are_segmentations_or_labelmaps_and_nothing_else(widget, scans):
    for selector in (widget.ui.brainMaskSelector, widget.ui.lesionMaskSelector):
        assert list(selector.nodeTypes) == ["vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"]
        assert selector.nodeCount() == 0
    labels = slicer_labelmap("brain")
    widget.ui.brainMaskSelector.setCurrentNode(labels)
    assert widget._parameters.brainMask is labels


def slicer_labelmap(name):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ones(SHAPE, np.uint8))
    return node


def test_the_log_is_bounded(widget):
    for number in range(1500):
        widget.panel.runView.log(f"line {number}")
    assert widget.ui.logTextEdit.toPlainText().count("\n") < 500


def test_one_click_loads_the_sample_ready_to_apply(widget):
    widget.ui.sampleDataButton.click()
    assert widget._parameters.target == "FLAIR"
    assert widget._parameters.reference.GetName() == "Phantom FLAIR"
    assert widget.ui.applyButton.enabled


def test_devices_are_offered_with_their_memory(widget, worker, turn):
    widget.ui.packagesButton.click()
    turn()
    assert worker.job.kind == "describe"
    devices = [{"name": "cuda:0", "title": "GPU", "memory_gb": 24.0, "free_memory_gb": 20.0}]
    worker.answer(
        {
            "program": "MRTranslate 0.1.0",
            "platform": "x",
            "default_threads": 1,
            "devices": devices,
            "packages": {"torch": None},
        }
    )
    turn()
    combo = widget.ui.deviceComboBox
    texts = [combo.itemText(index) for index in range(combo.count)]
    assert texts == ["automatic", "cuda:0: GPU, 20 of 24 GB free"]
    combo.setCurrentIndex(1)
    assert widget._parameters.device == "cuda:0"
    assert "torch missing" in widget.ui.packagesLabel.text


def test_missing_packages_are_a_failure_in_words_and_nothing_starts(widget, worker, scans, monkeypatch):
    from MRTranslateGui import Console
    from MRTranslateGui.Packages import PackagesMissing

    def missing(_path):
        raise PackagesMissing("PyTorch is missing.")

    monkeypatch.setattr(Console, "ensurePackages", missing)
    widget.ui.applyButton.click()
    assert widget.ui.stateLabel.text == "Failed: PyTorch is missing."
    assert worker.jobs == []


def test_choices_are_shown_in_words(widget):
    combo = widget.ui.registrationComboBox
    assert [combo.itemText(index) for index in range(combo.count)] == ["where grids differ", "always", "never"]
    combo.setCurrentIndex(1)
    assert widget._parameters.registration.value == "always"


def test_the_open_panel_fits_into_350_pixels(widget, turn):
    for name in (
        "modelCollapsibleButton",
        "advancedCollapsibleButton",
        "trustCollapsibleButton",
        "optionalInputsCollapsibleButton",
    ):
        getattr(widget.ui, name).collapsed = False
    widget.parent.resize(350, 1600)
    widget.parent.show()
    turn()
    assert widget.parent.width == 350


def test_closing_the_module_kills_the_worker(widget, worker, scans, turn):
    widget.ui.applyButton.click()
    turn()
    widget.cleanup()
    assert worker.isShutDown
    assert not worker.folders[0].exists()
