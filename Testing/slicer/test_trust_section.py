"""Section Trust clicked through on the host: maps, findings and hard spots as nodes, jumps, outlines, a saved scene."""

import time

import numpy as np
import pytest

from Testing.slicer.trust_records import (
    SENTENCE,
    SUMMARY,
    UNCERTAINTY_SUMMARY,
    attention_report,
    checks_record,
    uncertainty_report,
    world,
)
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
SHAPE = (12, 14, 16)
AFFINE = np.diag([1.0, 1.0, 3.0, 1.0])
"""Of the scans below: voxel to RAS+ mm, first voxel at the origin."""


@pytest.fixture
def able(slicer_host, monkeypatch):
    """Every model's card names a local discriminator and calibrations of all targets."""
    from dataclasses import replace

    from MRTranslateGui import ModelCatalog

    def able_entry(path, shipped, read=ModelCatalog._readEntry):
        entry = read(path, shipped)
        more = {
            "components": {"local_discriminator": {"parameters": {}, "calibration": None}},
            "uncertainty_calibrations": [{"target": target} for target in entry.card["targets"]],
        }
        return replace(entry, card={**entry.card, **more})

    monkeypatch.setattr(ModelCatalog, "_readEntry", able_entry)


@pytest.fixture
def widget(slicer_host, worker, able):
    from Testing.slicer.conftest import MODULE_FOLDER

    return slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py")


@pytest.fixture
def turn(slicer_host):
    """Let the event loop run until nothing of ours is waiting."""

    def run(times=14):
        for _ in range(times):
            slicer_host.app.processEvents()
            time.sleep(0.002)

    return run


def scan(name):
    import slicer

    array = np.zeros(SHAPE, np.int16)
    array[2:-2, 2:-2, 2:-2] = np.arange(1, 1 + array[2:-2, 2:-2, 2:-2].size).reshape(array[2:-2, 2:-2, 2:-2].shape) % 90
    node = slicer.util.addVolumeFromArray(array, name=name)
    node.SetSpacing(1.0, 1.0, 3.0)
    return node


@pytest.fixture
def scans(widget):
    nodes = {"T1w": scan("sub-01 T1w"), "T2w": scan("sub-01 T2w")}
    widget.ui.guessButton.click()
    return nodes


@pytest.fixture
def translate(widget, worker, scans, turn):
    """Tick what is named, Apply, and let the stub answer."""

    def run(*names):
        boxes = {
            "attention": widget.ui.wantsAttentionCheckBox,
            "uncertainty": widget.ui.wantsUncertaintyCheckBox,
            "checks": widget.ui.wantsChecksCheckBox,
        }
        for name, box in boxes.items():
            if box.checked != (name in names):
                box.click()
        widget.ui.applyButton.click()
        turn()
        worker.answerTranslation()
        turn()
        assert widget.logic.runner.state.value == "idle", widget.ui.stateLabel.text
        return widget._parameters.outputVolume

    return run


@pytest.fixture
def result(translate):
    return translate("attention", "uncertainty", "checks")


def labelmap(name, like=None):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:7, 5:8, 6:9] = 1
    slicer.util.updateVolumeFromArray(node, labels)
    if like is not None:
        node.CopyOrientation(like)
    node.CreateDefaultDisplayNodes()
    return node


def segmentation(like):
    import slicer

    labels = labelmap("labels", like)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, node)
    node.CreateDefaultDisplayNodes()
    return node


def composites():
    import slicer

    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def slice_centres():
    """Where each view stands along its own normal: the offset, and the world position of its centre."""
    import slicer

    manager = slicer.app.layoutManager()
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in ("Red", "Yellow", "Green")]
    return [[node.GetSliceToRAS().GetElement(row, 3) for row in range(3)] for node in nodes]


def rows_of(widget):
    return [widget.item(row).text() for row in range(widget.count)]


# --- what the stub says is what the library says ----------------------------------------------------------------------


def test_the_stubs_records_are_the_librarys():
    import msgspec

    from MRTranslateLib.attention.report import AttentionReport
    from MRTranslateLib.plausibility.report import ChecksRecord
    from MRTranslateLib.uncertainty.report import UncertaintyReport

    msgspec.convert(attention_report(AFFINE, has_lesion=True), AttentionReport)
    msgspec.convert(uncertainty_report(), UncertaintyReport)
    msgspec.convert(checks_record(AFFINE), ChecksRecord)


# --- options ----------------------------------------------------------------------------------------------------------


def test_what_the_model_cannot_make_stays_in_sight_with_the_reason(widget, monkeypatch):
    from MRTranslateGui.ModelCatalog import ModelEntry

    monkeypatch.setattr(ModelEntry, "makesAttention", property(lambda _self: False))
    monkeypatch.setattr(ModelEntry, "isCalibratedFor", lambda _self, _target: False)
    scan("T1w")
    widget.ui.guessButton.click()
    ui = widget.ui
    assert not ui.wantsAttentionCheckBox.enabled
    assert "without a local discriminator" in ui.wantsAttentionCheckBox.toolTip
    assert not ui.wantsUncertaintyCheckBox.enabled
    assert "not calibrated against errors in FLAIR" in ui.wantsUncertaintyCheckBox.toolTip
    assert ui.wantsChecksCheckBox.enabled
    assert "Check for them: compare the result" in ui.wantsChecksCheckBox.toolTip


def test_what_was_ticked_for_another_model_can_be_unticked_and_is_told_by_apply(widget, scans, monkeypatch):
    from MRTranslateGui.ModelCatalog import ModelEntry

    widget.ui.wantsUncertaintyCheckBox.click()
    monkeypatch.setattr(ModelEntry, "isCalibratedFor", lambda _self, _target: False)
    widget.panel.update()
    assert not widget.ui.applyButton.enabled
    assert "untick the uncertainty map" in widget.ui.applyButton.toolTip
    widget.ui.wantsUncertaintyCheckBox.click()
    assert widget.ui.applyButton.enabled


def test_a_card_says_for_which_targets_the_interval_was_calibrated(slicer_host):
    from pathlib import Path

    from MRTranslateGui.ModelCatalog import ModelEntry

    entry = ModelEntry(Path(), True, {"uncertainty_calibrations": [{"target": "FLAIR"}]})
    assert entry.isCalibratedFor("FLAIR")
    assert not entry.isCalibratedFor("T2w")
    assert entry.isCalibratedFor("")
    assert not ModelEntry(Path(), True, {}).isCalibratedFor("FLAIR")
    assert not ModelEntry(Path(), True, {}).isCalibratedFor("")


def test_two_maps_are_not_written_into_one_volume_nor_over_a_source(widget, scans):
    import slicer

    ui, node = widget.ui, slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "something")
    ui.wantsAttentionCheckBox.click()
    ui.wantsUncertaintyCheckBox.click()
    ui.attentionSelector.setCurrentNode(node)
    assert ui.applyButton.enabled
    ui.uncertaintySelector.setCurrentNode(node)
    assert "Two outputs would be written into the same volume" in ui.applyButton.toolTip
    ui.uncertaintySelector.setCurrentNode(scans["T2w"])
    assert "would overwrite an input" in ui.applyButton.toolTip
    ui.wantsUncertaintyCheckBox.click()
    assert ui.applyButton.enabled


# --- what the worker gets ---------------------------------------------------------------------------------------------


def test_the_worker_is_asked_for_what_was_ticked_and_nothing_else(widget, worker, translate):
    translate("checks")
    assert worker.job.parameters["checks"] is True
    assert not {"attention", "uncertainty", "lesion_mask"} & set(worker.job.parameters)
    translate("uncertainty")
    assert worker.job.parameters["uncertainty"].endswith("uncertainty.nii")
    assert not {"attention", "checks"} & set(worker.job.parameters)


@pytest.mark.parametrize("kind", ["labelmap", "segmentation"])
def test_the_lesion_mask_reaches_the_worker_as_labels_on_the_sources_grid(widget, worker, scans, turn, kind):
    from MRTranslateLib.io import read_mask

    mask = labelmap("tumour", scans["T1w"]) if kind == "labelmap" else segmentation(scans["T1w"])
    widget.ui.lesionMaskSelector.setCurrentNode(mask)
    widget.ui.wantsAttentionCheckBox.click()
    widget.ui.applyButton.click()
    turn()
    read = read_mask(worker.job.parameters["lesion_mask"])
    expected = np.zeros(SHAPE, np.uint8)
    expected[4:7, 5:8, 6:9] = 1
    np.testing.assert_array_equal(read.array, expected.transpose(2, 1, 0))
    np.testing.assert_allclose(read.affine, AFFINE, atol=1e-6)


def test_a_lesion_mask_that_nothing_is_measured_in_is_not_sent(widget, worker, scans, turn):
    widget.ui.lesionMaskSelector.setCurrentNode(labelmap("tumour", scans["T1w"]))
    widget.ui.applyButton.click()
    turn()
    assert "lesion_mask" not in worker.job.parameters


# --- nodes ------------------------------------------------------------------------------------------------------------


def test_the_result_refers_to_maps_lists_and_table(widget, result):
    trust = widget.logic.trust(result)
    assert trust.attention is widget._parameters.attentionVolume
    assert trust.uncertainty is widget._parameters.uncertaintyVolume
    assert trust.uncertainty.GetName() == "SYNTHETIC FLAIR uncertainty from sub-01 T1w"
    assert trust.uncertainty.GetSpacing() == (1.0, 1.0, 3.0)
    assert trust.hardSpots.GetName() == "Hard spots of SYNTHETIC FLAIR from sub-01 T1w"
    nodes = (trust.attention, trust.uncertainty, trust.hardSpots, trust.findings, trust.regions)
    assert all(node.GetNodeReference("MRTranslate.Synthetic") is result for node in nodes)
    assert all(node.GetAttribute("MRTranslate.Synthetic") == "1" for node in nodes)


def test_hard_spots_are_points_where_they_lie_the_largest_first(widget, result):
    points = widget.logic.trust(result).hardSpots
    assert [points.GetNthControlPointLabel(index) for index in range(2)] == ["hard 1: 4.2 ml", "hard 2: 1.1 ml"]
    np.testing.assert_allclose(points.GetNthControlPointPositionVector(0), world(AFFINE, 4, 5, 6))


def test_hard_spots_are_sorted_by_size_whatever_their_order_in_the_record(slicer_host):
    from MRTranslateGui.TrustText import hardSpotsOf

    record = {"attention": {"report": {"hard_regions": [{"volume_ml": 1.0}, {"volume_ml": 3.0}, {"volume_ml": 2.0}]}}}
    assert [spot["volume_ml"] for spot in hardSpotsOf(record)] == [3.0, 2.0, 1.0]


def test_findings_tell_their_kind_and_bear_the_sentence(widget, result):
    points = widget.logic.trust(result).findings
    assert [points.GetNthControlPointLabel(index) for index in range(2)] == [
        "invented? 1: 1.2 ml",
        "vanished? 1: 2.5 ml",
    ]
    assert points.GetNthControlPointDescription(0) == SENTENCE


def test_points_move_with_the_source_as_the_result_does(widget, worker, scans, translate):
    import slicer
    import vtk

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 7.0)
    transform.SetMatrixTransformToParent(shift)
    scans["T1w"].SetAndObserveTransformNodeID(transform.GetID())
    points = widget.logic.trust(translate("attention")).hardSpots
    position = [0.0, 0.0, 0.0]
    points.GetNthControlPointPositionWorld(0, position)
    np.testing.assert_allclose(position, np.add(world(AFFINE, 4, 5, 6), (7, 0, 0)))
    shift.SetElement(0, 3, 17.0)
    transform.SetMatrixTransformToParent(shift)
    points.GetNthControlPointPositionWorld(0, position)
    np.testing.assert_allclose(position, np.add(world(AFFINE, 4, 5, 6), (17, 0, 0)))


def test_the_table_has_a_row_a_region_and_numbers_of_both_maps(widget, result):
    table = widget.logic.trust(result).regions
    headings = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    assert headings == [
        "Region", "Volume (ml)", "attention, mean", "attention, 95th percentile", "uncertainty, mean of ±90 %",
        "uncertainty, 95th percentile",
    ]  # fmt: skip
    cells = [[table.GetCellText(row, column) for column in range(6)] for row in range(2)]
    assert cells == [["brain", "10.0", "0", "0", "62", "180"], ["left anterior", "5.0", "0.1", "0.2", "", ""]]


def test_a_new_run_leaves_the_former_lists_alone_and_unlinks_them(widget, result, translate):
    import slicer

    former = widget.logic.trust(result)
    former.findings.SetNthControlPointDescription(0, "confirmed by a reader")
    assert translate() is result
    assert widget.logic.trust(result) == type(former)()
    for node in (former.hardSpots, former.findings, former.regions, former.attention, former.uncertainty):
        assert slicer.mrmlScene.GetNodeByID(node.GetID()) is node
    assert former.findings.GetNthControlPointDescription(0) == "confirmed by a reader"
    assert not former.findings.GetDisplayNode().GetVisibility()
    assert widget.ui.candidateListWidget.count == 0


def test_a_map_written_over_by_another_result_is_no_longer_the_former_ones(widget, result, translate):
    attention = widget._parameters.attentionVolume
    widget.ui.outputSelector.setCurrentNode(None)
    widget.ui.attentionSelector.nodeActivated.emit(attention)  # picked by hand, or the other result would get its own
    other = translate("attention")
    assert other is not result
    assert widget.logic.trust(other).attention is attention
    assert widget.logic.trust(result).attention is None


@pytest.mark.parametrize("extension", ["mrb", "mrml"])
def test_a_saved_scene_brings_everything_back(widget, worker, result, tmp_path, turn, extension):
    import slicer

    widget.ui.heatMapComboBox.setCurrentIndex(2)
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode") if extension == "mrml" else ():
        if node.GetSaveWithScene() and not node.GetSingletonTag() and node.IsA("vtkMRMLDisplayableNode"):
            node.AddDefaultStorageNode()
            suffix = node.GetStorageNode().GetDefaultWriteFileExtension()
            assert slicer.util.saveNode(node, str(tmp_path / f"{node.GetID()}.{suffix}"))
    path = str(tmp_path / f"scene.{extension}")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    turn()
    assert widget.ui.candidateListWidget.count == 0
    slicer.util.loadScene(path)
    turn()
    volume = widget._parameters.outputVolume
    trust = widget.logic.trust(volume)
    assert trust.hardSpots.GetNthControlPointLabel(0) == "hard 1: 4.2 ml"
    assert trust.findings.GetNthControlPointDescription(0) == SENTENCE
    assert SUMMARY in widget.ui.trustLabel.text
    assert widget.ui.candidateListWidget.count == 4
    assert composites()[0].GetForegroundVolumeID() == trust.uncertainty.GetID()
    assert trust.uncertainty.GetDisplayNode().GetColorNode().GetName() == "MRTranslate uncertainty"
    if extension == "mrb":
        assert trust.regions.GetCellText(0, 0) == "brain"


# --- the sentence -----------------------------------------------------------------------------------------------------


def test_where_not_to_trust_it_is_said_in_the_records_words_the_gravest_first(widget, result):
    text = widget.ui.trustLabel.text
    assert text.startswith("Structures to look at first: 1 that may be invented, 1 that may have vanished.")
    assert text.index(SUMMARY) < text.index(UNCERTAINTY_SUMMARY)
    assert "Not assessed" not in text
    assert "Structures under 1 ml are not found." in widget.ui.trustLabel.toolTip
    assert not widget.ui.trustCollapsibleButton.collapsed


def test_what_was_not_assessed_is_named(widget, translate):
    translate("attention")
    assert widget.ui.trustLabel.text == (
        f"{SUMMARY} Not assessed: hallucinated or vanished structures, how large they may be."
    )


def test_an_empty_list_of_findings_is_no_good_news(slicer_host):
    from MRTranslateGui.TrustText import whereNotToTrust

    assert "does not mean that the image is right" in whereNotToTrust({"checks": {"findings": []}})
    assert "Nothing was measured" in whereNotToTrust({})


def test_without_a_result_the_section_says_so(widget):
    assert "Make a synthetic volume first" in widget.ui.trustLabel.text
    assert not widget.ui.heatMapComboBox.enabled
    assert not widget.ui.nextCandidateButton.enabled
    assert not widget.ui.lesionOutlineCheckBox.enabled
    assert "Choose a lesion mask" in widget.ui.lesionOutlineCheckBox.toolTip


# --- candidates -------------------------------------------------------------------------------------------------------


def test_candidates_are_findings_then_hard_spots_and_choosing_one_jumps_all_views(widget, result):
    ui = widget.ui
    assert rows_of(ui.candidateListWidget) == [
        "invented? 1: 1.2 ml", "vanished? 1: 2.5 ml", "hard 1: 4.2 ml", "hard 2: 1.1 ml",
    ]  # fmt: skip
    ui.candidateListWidget.setCurrentRow(2)
    for centre in slice_centres():
        np.testing.assert_allclose(centre, world(AFFINE, 4, 5, 6), atol=1e-6)
    assert ui.candidateLabel.text.startswith("Hard for the model: attention 0.40 on average, 0.90 at most")
    ui.candidateListWidget.setCurrentRow(0)
    assert ui.candidateLabel.text == SENTENCE


def test_the_buttons_walk_around_the_candidates(widget, result):
    ui = widget.ui
    ui.nextCandidateButton.click()
    assert ui.candidateListWidget.currentRow == 0
    np.testing.assert_allclose(slice_centres()[0], world(AFFINE, 3, 3, 3), atol=1e-6)
    ui.previousCandidateButton.click()
    assert ui.candidateListWidget.currentRow == 3
    ui.nextCandidateButton.click()
    assert ui.candidateListWidget.currentRow == 0


def test_clicking_the_chosen_candidate_again_jumps_again(widget, result):
    import slicer

    ui = widget.ui
    ui.candidateListWidget.setCurrentRow(2)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 1.0, 1.0, 1.0)
    ui.candidateListWidget.itemClicked.emit(ui.candidateListWidget.item(2))
    np.testing.assert_allclose(slice_centres()[0], world(AFFINE, 4, 5, 6), atol=1e-6)


def test_a_point_that_the_reader_moved_is_jumped_to_where_it_is_now(widget, result):
    widget.logic.trust(result).hardSpots.SetNthControlPointPosition(0, 1.0, 2.0, 6.0)
    widget.ui.candidateListWidget.setCurrentRow(2)
    np.testing.assert_allclose(slice_centres()[0], (1, 2, 6), atol=1e-6)


def test_a_list_that_was_deleted_is_no_error_and_said(widget, result):
    import slicer

    slicer.mrmlScene.RemoveNode(widget.logic.trust(result).findings)
    widget.ui.candidateListWidget.setCurrentRow(0)
    assert "removed" in widget.ui.candidateLabel.text
    widget.panel.update()
    assert rows_of(widget.ui.candidateListWidget) == ["hard 1: 4.2 ml", "hard 2: 1.1 ml"]


def test_the_chosen_candidate_stands_out_and_the_others_are_dim(widget, result):
    trust = widget.logic.trust(result)
    marks = [(points, index) for points in (trust.findings, trust.hardSpots) for index in range(2)]
    widget.ui.candidateListWidget.setCurrentRow(2)
    assert [points.GetNthControlPointSelected(index) for points, index in marks] == [False, False, True, False]
    widget.ui.candidateListWidget.setCurrentRow(-1)
    assert all(points.GetNthControlPointSelected(index) for points, index in marks)


def test_the_mark_of_the_chosen_candidate_is_seen_in_the_slice(widget, result):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    widget.ui.candidateListWidget.setCurrentRow(2)
    height, width = view.pixels().shape[:2]
    middle = view.pixels()[height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8].astype(int)
    assert ((middle[..., 0] - middle[..., 2]) > 100).any()


def test_labels_are_in_the_slices_and_not_in_space(widget, result):
    points = widget.logic.trust(result).hardSpots
    shown = [points.GetNthDisplayNode(index) for index in range(points.GetNumberOfDisplayNodes())]
    assert [(d.GetVisibility2D(), d.GetVisibility3D(), d.GetPointLabelsVisibility()) for d in shown] == [
        (True, False, True),
        (False, True, False),
    ]


def test_an_update_keeps_the_chosen_candidate(widget, result):
    widget.ui.candidateListWidget.setCurrentRow(1)
    widget.ui.opacitySlider.value = 0.7
    assert widget.ui.candidateListWidget.currentRow == 1


# --- heat maps --------------------------------------------------------------------------------------------------------


def legend_of(volume):
    import slicer

    return slicer.modules.colors.logic().GetColorLegendDisplayNode(volume.GetDisplayNode())


def test_the_heat_map_is_attention_uncertainty_or_none(widget, result):
    trust, combo = widget.logic.trust(result), widget.ui.heatMapComboBox
    assert [combo.itemText(index) for index in range(combo.count)] == ["none", "attention", "uncertainty"]
    assert not any(composite.GetForegroundVolumeID() for composite in composites())
    combo.setCurrentIndex(1)
    assert {composite.GetForegroundVolumeID() for composite in composites()} == {trust.attention.GetID()}
    combo.setCurrentIndex(2)
    assert {composite.GetForegroundVolumeID() for composite in composites()} == {trust.uncertainty.GetID()}
    assert legend_of(trust.attention) is None
    combo.setCurrentIndex(0)
    assert not any(composite.GetForegroundVolumeID() for composite in composites())
    assert legend_of(trust.uncertainty) is None


def test_opacity_and_threshold_act_on_the_map_that_is_shown(widget, result):
    uncertainty = widget.logic.trust(result).uncertainty
    widget.ui.heatMapComboBox.setCurrentIndex(2)
    widget.ui.opacitySlider.value = 0.8
    widget.ui.thresholdSlider.value = 0.5
    assert composites()[0].GetForegroundOpacity() == pytest.approx(0.8)
    assert uncertainty.GetDisplayNode().GetLowerThreshold() == pytest.approx(150)
    widget.ui.heatMapComboBox.setCurrentIndex(1)
    assert widget.logic.trust(result).attention.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.5)


def test_each_map_has_its_own_colours_and_a_legend_with_the_unit(widget, result):
    trust, titles, colors = widget.logic.trust(result), [], set()
    for index, node in enumerate((trust.attention, trust.uncertainty), start=1):
        widget.ui.heatMapComboBox.setCurrentIndex(index)
        assert legend_of(node).GetVisibility()
        titles.append(legend_of(node).GetTitleText())
        colors.add(node.GetDisplayNode().GetColorNodeID())
    assert titles == [
        "Attention: 0 easy, 1 hard to get right",
        "9 of 10 errors are smaller;\nthe brain's brightest is 1000",
    ]
    assert len(colors) == 2


def test_the_range_of_the_uncertainty_is_fixed_and_what_is_beyond_is_still_drawn(widget, result):
    import slicer

    uncertainty = widget.logic.trust(result).uncertainty
    slicer.util.arrayFromVolume(uncertainty)[6, 7, 8] = 900
    slicer.util.arrayFromVolumeModified(uncertainty)
    widget.ui.heatMapComboBox.setCurrentIndex(2)
    display = uncertainty.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 300)
    assert display.GetUpperThreshold() == 900


def test_a_map_that_the_result_lacks_is_explained(widget, translate):
    translate("attention")
    widget.ui.heatMapComboBox.setCurrentIndex(2)
    assert not any(composite.GetForegroundVolumeID() for composite in composites())
    assert "no such map" in widget.ui.heatMapComboBox.toolTip


def test_a_map_in_the_files_units_is_drawn_over_its_whole_range(slicer_host):
    import slicer

    from MRTranslateGui import HeatMapOverlay

    node = slicer.util.addVolumeFromArray(np.array([[[0, 700]]], np.int16), name="attention")
    assert HeatMapOverlay.rangeOf(node) == (0.0, 1000.0)


def test_a_heat_map_leaves_views_alone_that_the_layout_does_not_show_and_follows_the_layout(widget, result):
    import slicer

    def map_in(view):
        return manager.sliceWidget(view).mrmlSliceCompositeNode().GetForegroundVolumeID()

    manager, layouts = slicer.app.layoutManager(), slicer.vtkMRMLLayoutNode
    manager.setLayout(layouts.SlicerLayoutOneUpRedSliceView)
    widget.ui.heatMapComboBox.setCurrentIndex(2)
    assert map_in("Red") == widget.logic.trust(result).uncertainty.GetID()
    assert map_in("Green") is None
    manager.setLayout(layouts.SlicerLayoutFourUpView)
    assert map_in("Green") == map_in("Red")


def test_a_heat_map_is_seen(widget, result):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    widget.ui.candidateListWidget.setCurrentRow(2)
    plain = view.pixels().astype(int)
    widget.ui.thresholdSlider.value = 0.0
    widget.ui.opacitySlider.value = 1.0
    widget.ui.heatMapComboBox.setCurrentIndex(2)
    shown = view.pixels().astype(int)
    blue = shown[..., 2] - shown[..., 0]
    assert (blue > 40).sum() > 100 + ((plain[..., 2] - plain[..., 0]) > 40).sum()


# --- outline of the lesion mask ---------------------------------------------------------------------------------------


def test_a_labelmap_is_outlined_and_what_was_shown_before_comes_back(widget, scans, result):
    import slicer

    before = [composite.GetLabelVolumeID() for composite in composites()]
    mask = labelmap("tumour", scans["T1w"])
    widget.ui.lesionMaskSelector.setCurrentNode(mask)
    widget.ui.lesionOutlineCheckBox.click()
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    assert {composite.GetLabelVolumeID() for composite in composites()} == {mask.GetID()}
    assert all(node.GetUseLabelOutline() for node in nodes)
    widget.ui.lesionOutlineCheckBox.click()
    assert [composite.GetLabelVolumeID() for composite in composites()] == before
    assert not any(node.GetUseLabelOutline() for node in nodes)


def test_a_segmentation_is_outlined_without_its_fill_and_gets_its_look_back(widget, scans, result):
    mask = segmentation(scans["T1w"])
    display = mask.GetDisplayNode()
    widget.ui.lesionMaskSelector.setCurrentNode(mask)
    widget.ui.lesionOutlineCheckBox.click()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    widget.ui.lesionMaskSelector.setCurrentNode(None)
    assert display.GetVisibility2DFill()


# --- console ----------------------------------------------------------------------------------------------------------


def test_the_console_gives_the_nodes_of_a_blocking_call(worker, scans, widget):
    import qt

    def submit(job, submit=worker.submit):
        number = submit(job)
        qt.QTimer.singleShot(0, worker.answerTranslation)
        return number

    worker.submit = submit
    mask = labelmap("tumour", scans["T1w"])
    volume = widget.logic.translate(
        {"T1w": scans["T1w"]}, "FLAIR", attention=True, uncertainty=True, checks=True, lesionMask=mask
    )
    trust = widget.logic.trust(volume)
    assert trust.regions.GetCellText(1, 0) == "lesion"
    assert trust.findings.GetNumberOfControlPoints() == 2
    assert trust.uncertainty is not None


def test_the_parameters_are_those_the_library_takes(widget, worker, translate, scans):
    import msgspec

    from MRTranslateLib.worker.translate import TranslateParameters

    widget.ui.lesionMaskSelector.setCurrentNode(labelmap("tumour", scans["T1w"]))
    translate("attention", "uncertainty", "checks")
    msgspec.convert(dict(worker.job.parameters), TranslateParameters)


def test_the_narrow_panel_cuts_nothing_of_the_section_off(widget, result, turn):
    widget.parent.resize(350, 1800)
    widget.parent.show()
    turn()
    ui = widget.ui
    for name in ("wantsAttentionCheckBox", "wantsUncertaintyCheckBox", "wantsChecksCheckBox", "lesionOutlineCheckBox"):
        box = getattr(ui, name)
        assert box.width >= box.sizeHint.width(), name
    assert widget.parent.width == 350
