"""The section Robustness clicked through on the host: a worker that computes nothing, then the real library."""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
TYPES = ("motion", "blur")
RUN_SECONDS = 240


@pytest.fixture
def ready(widget, scans):
    """Two types at levels 1 to 3 are chosen."""
    choose(widget, TYPES)
    widget.ui.robustnessLastLevelSpinBox.setValue(3)
    return widget


@pytest.fixture
def finished(ready, worker, turn):
    """A run was made and taken in."""
    ready.ui.robustnessRunButton.click()
    turn()
    worker.answerRobustness()
    turn()
    assert ready.logic.runner.state.value == "idle", ready.ui.robustnessStateLabel.text
    return ready


@pytest.fixture
def result(finished):
    from MRTranslateGui.RobustnessResult import RobustnessResult

    return RobustnessResult(finished._parameters.robustnessScores)


def choose(widget, names):
    import qt

    types = widget.panel.robustness.types
    for name in [*types.chosen(), *names]:
        item = types.item(name)
        item.setCheckState(qt.Qt.Checked if name in names else qt.Qt.Unchecked)


def shown_curves():
    """What the plot view draws: heights by title, in % at level 0, 1, ..."""
    import slicer

    curves = slicer.app.layoutManager().plotWidget(0).plotView().curves()
    assert {tuple(x for x, _y in curve.points) for curve in curves} == {(0, 1, 2, 3)}
    return {curve.title: [round(y, 6) for _x, y in curve.points] for curve in curves}


def run_folders(widget):
    from MRTranslateGui.RobustnessFolder import parentFolder

    return sorted(parentFolder().glob("case-*"))


@pytest.fixture(autouse=True)
def no_runs_left(slicer_host):
    """The application's temporary folder outlives a test."""
    import shutil

    import slicer

    yield
    shutil.rmtree(Path(slicer.app.temporaryPath) / "MRTranslate-robustness", ignore_errors=True)


# --- what is chosen ---------------------------------------------------------------------------------------------------


def test_the_usual_types_are_ticked_and_tooltips_give_units(widget):
    from MRTranslateLib.robustness.catalogue import DEFAULT_PERTURBATIONS

    types = widget.panel.robustness.types
    assert set(types.chosen()) == set(DEFAULT_PERTURBATIONS)
    assert "Level 3: 2\u00b0, 2 mm, 3x" in types.item("motion").toolTip()
    assert "sigma 0.5 mm" in types.item("blur").toolTip()


def test_an_empty_panel_cannot_run_and_says_why(widget):
    assert not widget.ui.robustnessRunButton.enabled
    assert "at least one acquired scan" in widget.ui.robustnessRunButton.toolTip


def test_without_a_type_it_cannot_run(ready):
    choose(ready, ())
    assert not ready.ui.robustnessRunButton.enabled
    assert "Choose at least one type" in ready.ui.robustnessRunButton.toolTip
    choose(ready, ("spike",))
    assert ready.ui.robustnessRunButton.enabled
    assert ready._parameters.robustnessTypes == "spike"


def test_a_single_scan_cannot_be_misaligned_with_itself(ready):
    choose(ready, ("misalignment",))
    assert ready.ui.robustnessRunButton.enabled
    ready.ui.sourceT2wSelector.setCurrentNode(None)
    assert not ready.ui.robustnessRunButton.enabled
    assert "need at least two scans" in ready.ui.robustnessRunButton.toolTip


def test_the_size_of_a_run_is_told_before_it_starts(ready):
    ready.ui.robustnessLastLevelSpinBox.setValue(5)
    assert ready.ui.robustnessSizeLabel.text.startswith("10 translations, and one of the scans as they are.")
    assert "about 0 MB of memory" in ready.ui.robustnessSizeLabel.text
    ready.ui.robustnessVolumesCheckBox.click()
    assert "memory" not in ready.ui.robustnessSizeLabel.text


# --- the run ----------------------------------------------------------------------------------------------------------


def test_the_worker_gets_inputs_types_and_levels(ready, worker, turn):
    ready.ui.referenceSelector.setCurrentNode(volume("FLAIR"))
    ready.ui.robustnessFirstLevelSpinBox.setValue(2)
    ready.ui.robustnessAdversarialCheckBox.click()
    ready.ui.robustnessRunButton.click()
    assert ready.ui.robustnessRunButton.text == "Cancel"
    turn()
    parameters = worker.job.parameters
    assert worker.job.kind == "robustness"
    assert list(parameters["sources"]) == ["T1w", "T2w"]
    assert (parameters["perturbations"], parameters["levels"]) == (list(TYPES), [2, 3])
    assert parameters["adversarial"]
    assert parameters["keep_volumes"]
    assert parameters["target"] == "FLAIR"
    assert parameters["reference"].endswith("reference.nrrd")
    assert {Path(path).exists() for path in (*parameters["sources"].values(), parameters["output"])} == {True}


def test_the_parameters_are_those_of_the_library(ready, worker, turn):
    pytest.importorskip("msgspec")
    import msgspec

    from MRTranslateLib.worker.robustness import RobustnessParameters

    ready.ui.robustnessRunButton.click()
    turn()
    msgspec.convert(dict(worker.job.parameters), RobustnessParameters)


def test_progress_is_shown_with_the_time_left(ready, worker, turn):
    ready.ui.robustnessRunButton.click()
    turn()
    worker.report("translate", 0.25, 130.0)
    assert ready.ui.robustnessStateLabel.text == "Translating: 25 %, about 3 min left"
    assert ready.ui.robustnessProgressBar.value == 250


def test_cancel_loads_nothing_and_the_next_run_goes_on_in_the_same_folder(ready, worker, turn):
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodes()
    ready.ui.robustnessRunButton.click()
    turn()
    first = Path(worker.job.parameters["output"])
    (first / "cells").mkdir()
    (first / "cells" / "motion_level1_clean.json").write_text("{}")
    ready.ui.robustnessRunButton.click()
    turn()
    assert ready.ui.robustnessRunButton.text == "Run"
    assert ready.ui.robustnessStateLabel.text == "Cancelled. 1 finished results are kept: Run goes on from there."
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert (first / "cells" / "motion_level1_clean.json").exists()
    ready.ui.robustnessRunButton.click()
    turn()
    assert Path(worker.job.parameters["output"]) == first


def test_another_case_gets_another_folder(ready, scans, worker, turn):
    import slicer

    folders = []
    for _ in range(2):
        ready.ui.robustnessRunButton.click()
        turn()
        folders.append(worker.job.parameters["output"])
        ready.ui.robustnessRunButton.click()
        turn()
        slicer.util.updateVolumeFromArray(scans["T2w"], slicer.util.arrayFromVolume(scans["T2w"]) + 1)
    assert folders[0] != folders[1]


def test_runs_that_nobody_came_back_for_are_removed(ready, worker, turn):
    import os

    from MRTranslateGui.RobustnessFolder import KEPT_DAYS, parentFolder

    ages = {"case-old": KEPT_DAYS + 1, "case-new": KEPT_DAYS - 1}
    for name, days in ages.items():
        (parentFolder() / name).mkdir(parents=True)
        os.utime(parentFolder() / name, (time.time() - days * 86400,) * 2)
    ready.ui.robustnessRunButton.click()
    turn()
    names = {folder.name for folder in run_folders(ready)}
    assert "case-new" in names
    assert "case-old" not in names


def test_a_failure_is_shown_and_keeps_what_is_finished(ready, worker, turn):
    ready.ui.robustnessRunButton.click()
    turn()
    worker.fail("the disk is full")
    turn()
    assert ready.ui.robustnessStateLabel.text == "Failed: the disk is full"
    assert ready.ui.robustnessRunButton.text == "Run"
    assert len(run_folders(ready)) == 1


def test_while_something_else_runs_the_button_is_grey(ready, worker, turn):
    ready.ui.applyButton.click()
    turn()
    assert not ready.ui.robustnessRunButton.enabled
    choose(ready, ("blur",))
    assert not ready.ui.robustnessRunButton.enabled
    ready.ui.applyButton.click()
    turn()
    assert ready.ui.robustnessRunButton.enabled


def test_a_result_that_cannot_be_taken_in_leaves_nothing_behind(ready, worker, turn):
    import slicer

    from Testing.slicer.robustness_records import write_run

    before = slicer.mrmlScene.GetNumberOfNodes()
    ready.ui.robustnessRunButton.click()
    turn()
    answer = write_run(worker.job.parameters)
    packed = Path(answer["volumes"]["blur_level2_clean"])
    packed.write_bytes(packed.read_bytes()[:-30] + packed.read_bytes()[-4:])
    worker.answer(answer)
    turn()
    assert ready.ui.robustnessStateLabel.text.startswith("Failed: blur_level2_clean.nii.gz is cut short")
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert run_folders(ready)[0].exists()


def test_large_volumes_are_taken_in_less_than_100_ms_at_a_time(widget, worker, turn, slicer_host):
    import slicer

    from Testing.slicer.robustness_records import write_run
    from Testing.slicer_host.stalls import Stalls

    slicer.util.addVolumeFromArray(np.random.default_rng(0).integers(0, 900, (155, 240, 240), np.int16), name="T1w")
    widget.ui.guessButton.click()
    choose(widget, ("blur",))
    widget.ui.robustnessLastLevelSpinBox.setValue(1)
    slicer.app.pauseRender()  # drawing is Slicer's, and slow here without a graphics card
    with Stalls() as exporting:
        widget.ui.robustnessRunButton.click()
        slicer_host.wait_until(lambda: worker.jobs, 60)
    answer = write_run(worker.job.parameters)
    with Stalls() as importing:
        worker.answer(answer)
        slicer_host.wait_until(lambda: not widget.logic.runner.isBusy, 60)
    slicer.app.resumeRender()
    assert widget.logic.runner.state.value == "idle", widget.ui.robustnessStateLabel.text
    assert exporting.longest_s < 0.1
    assert importing.longest_s < 0.1


# --- what came of it --------------------------------------------------------------------------------------------------


def test_the_run_stands_in_the_scene_and_its_folder_is_gone(finished, result):
    texts = [result.sequence.GetNthIndexValue(index) for index in range(result.sequence.GetNumberOfDataNodes())]
    assert texts[0] == "Unperturbed"
    assert texts[3] == "Motion, level 3 (2\u00b0, 2 mm, 3x)"
    assert len(texts) == 7
    assert run_folders(finished) == []
    assert finished.ui.robustnessVerdictLabel.text == "Caution: motion above level 2 changes the lesion."
    assert finished.ui.stateLabel.text.startswith("Done: Robustness of SYNTHETIC FLAIR from sub-01 T1w")


def test_type_and_level_scroll_through_the_volumes(finished, result, turn):
    import slicer

    ui = finished.ui
    shown = result.shownVolume
    assert slicer.util.arrayFromVolume(shown).max() == 100
    ui.robustnessShownTypeComboBox.setCurrentIndex(1)
    assert slicer.util.arrayFromVolume(shown).max() == 100  # step 0 is the unperturbed result of every type
    ui.robustnessShownLevelSlider.setValue(2)
    turn(3)
    assert slicer.util.arrayFromVolume(shown).max() == 150  # the fifth cell
    assert shown.GetName().endswith("[perturbation=Blur, level 2 (sigma 0.8 mm)]")
    assert ui.robustnessShownLabel.text == "Blur, level 2 (sigma 0.8 mm): changes the brain by 8.0 %"
    ui.robustnessShownTypeComboBox.setCurrentIndex(0)
    turn(3)
    assert slicer.util.arrayFromVolume(shown).max() == 120
    assert slicer.util.arrayFromVolume(result.unperturbed).max() == 100


def test_the_section_follows_a_browser_that_others_scroll(finished, result, turn):
    result.browser.SetSelectedItemNumber(6)
    turn(3)
    assert finished.ui.robustnessShownTypeComboBox.currentText == "Blur"
    assert finished.ui.robustnessShownLevelSlider.value == 3


def test_every_volume_is_marked_as_synthetic(finished, result):
    from MRTranslateGui.Results import describe, isSynthetic

    volumes = [result.sequence.GetNthDataNode(index) for index in range(7)]
    assert all(isSynthetic(node) for node in (*volumes, result.shownVolume, result.unperturbed))
    assert all(node.GetName().startswith("SYNTHETIC FLAIR") for node in (*volumes, result.shownVolume))
    assert describe(result.unperturbed).startswith("Synthetic FLAIR, model brain-united 0.2.0.")


def test_volumes_lie_where_their_source_lies_under_its_transform(ready, scans, worker, turn):
    import slicer

    from MRTranslateGui.RobustnessResult import RobustnessResult
    from MRTranslateGui.SceneExchange import ijkToWorld

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    matrix = np.eye(4)
    matrix[:3, 3] = (5, -7, 11)
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    scans["T1w"].SetAndObserveTransformNodeID(transform.GetID())
    ready.ui.robustnessRunButton.click()
    turn()
    worker.answerRobustness()
    turn()
    result = RobustnessResult(ready._parameters.robustnessScores)
    for index in (0, 4, 6):
        result.show(index)
        turn(3)
        for node in (result.unperturbed, result.shownVolume):
            np.testing.assert_allclose(ijkToWorld(node), ijkToWorld(scans["T1w"]), atol=1e-4)


def test_the_tables_hold_every_cell_and_score(finished, result):
    scores, cells = result.scores, result.cells
    assert cells.GetNumberOfRows() == 7 * 2
    row = [cells.GetCellText(9, column) for column in range(cells.GetNumberOfColumns())]
    assert row == ["Blur", "1", "sigma 0.5 mm", "lesion", "8", "0.98"]
    assert scores.GetCellText(0, 1) == "all; worst: Blur"
    assert [scores.GetCellText(2, column) for column in range(6)] == ["brain", "Blur", "0.97", "0.03", "12", "3"]


def test_errors_are_in_the_table_when_a_reference_was_given(ready, worker, turn):
    from MRTranslateGui.RobustnessResult import RobustnessResult

    ready.ui.referenceSelector.setCurrentNode(volume("FLAIR"))
    ready.ui.robustnessRunButton.click()
    turn()
    worker.answerRobustness()
    turn()
    cells = RobustnessResult(ready._parameters.robustnessScores).cells
    assert cells.GetColumnName(6) == "Error PSNR (dB)"
    assert cells.GetCellText(9, 6) == "30"


def test_each_region_has_a_chart_with_a_curve_for_each_type_and_the_limit(finished):
    finished.ui.robustnessViewsButton.click()
    assert shown_curves() == {"Motion": [0, 2, 4, 6], "Blur": [0, 4, 8, 12]}
    finished.ui.robustnessRegionComboBox.setCurrentIndex(1)
    assert shown_curves() == {"Motion": [0, 4, 8, 12], "Blur": [0, 8, 16, 24], "limit of the model": [10] * 4}
    finished.ui.robustnessShownLevelSlider.setValue(1)
    assert finished.ui.robustnessShownLabel.text.endswith(": changes the lesion by 4.0 %")


def test_the_views_show_both_results_linked_and_labelled_and_go_again(finished, result, turn):
    import slicer

    manager = slicer.app.layoutManager()
    before = manager.layout
    finished.ui.robustnessViewsButton.click()
    finished.ui.robustnessShownLevelSlider.setValue(3)
    turn(5)
    left, right = (manager.sliceWidget(f"MRTranslate{name}") for name in ("Unperturbed", "Perturbed"))
    backgrounds = [view.mrmlSliceCompositeNode().GetBackgroundVolumeID() for view in (left, right)]
    assert backgrounds == [result.unperturbed.GetID(), result.shownVolume.GetID()]
    label = slicer.modules.MRTranslateInstance.syntheticLabel
    assert label.textOf("MRTranslatePerturbed") == "SYNTHETIC FLAIR\nnot for diagnostic use"
    assert right.sliceView().pixels().mean() != left.sliceView().pixels().mean()
    assert all(view.mrmlSliceCompositeNode().GetLinkedControl() for view in (left, right))
    assert manager.tableWidget(0).tableView().mrmlTableNode() is result.scores
    finished.ui.robustnessViewsButton.click()
    assert manager.layout == before


def test_another_layout_from_the_menu_releases_the_button_and_the_next_click_opens_the_views(finished, turn):
    import slicer

    manager, button = slicer.app.layoutManager(), finished.ui.robustnessViewsButton
    button.click()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert not button.checked
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    button.click()
    assert manager.layout == 24721


def test_leaving_the_module_closes_the_views(finished, turn):
    import slicer

    before = slicer.app.layoutManager().layout
    finished.ui.robustnessViewsButton.click()
    finished.parent.exit()
    assert not finished.ui.robustnessViewsButton.checked
    assert slicer.app.layoutManager().layout == before


def test_without_volumes_there_are_curves_tables_and_report(ready, worker, turn):
    import slicer

    ready.ui.robustnessVolumesCheckBox.click()
    ready.ui.robustnessRunButton.click()
    turn()
    worker.answerRobustness()
    turn()
    ui = ready.ui
    assert "were not kept" in ui.robustnessShownLabel.text
    assert not ui.robustnessShownLevelSlider.enabled
    assert slicer.util.getNodesByClass("vtkMRMLSequenceNode") == []
    ui.robustnessViewsButton.click()
    assert set(shown_curves()) == {"Motion", "Blur"}
    ui.robustnessViewsButton.click()


def test_the_worst_case_is_told(ready, worker, turn):
    ready.ui.robustnessAdversarialCheckBox.click()
    ready.ui.robustnessRunButton.click()
    turn()
    worker.answerRobustness()
    turn()
    assert "Worst case found by search in 2 slices" in ready.ui.robustnessVerdictLabel.text
    assert "(20 % of the brain's mean)" in ready.ui.robustnessVerdictLabel.text


def test_the_report_is_saved_where_the_user_says(finished, tmp_path, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_arguments: str(tmp_path / "case 1.html"))
    finished.ui.robustnessSaveButton.click()
    assert (tmp_path / "case 1.html").read_text(encoding="utf-8") == "<html>not for diagnostic use, \u00e4</html>"
    assert json.loads((tmp_path / "case 1.json").read_text(encoding="utf-8"))["notice"] == "not for diagnostic use"
    assert finished.ui.robustnessStateLabel.text.startswith("Saved ")
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_arguments: str(tmp_path / "no" / "such.html"))
    finished.ui.robustnessSaveButton.click()
    assert finished.ui.robustnessStateLabel.text.startswith("Failed: ")


def test_all_of_it_is_saved_with_the_scene_and_found_again(finished, tmp_path, turn, slicer_host):
    import slicer

    from MRTranslateGui.RobustnessResult import RobustnessResult

    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer_host.close_scene()
    assert finished.ui.robustnessShownTypeComboBox.currentText == ""
    assert not finished.ui.robustnessSaveButton.enabled
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    turn()
    ui = finished.ui
    assert ui.robustnessVerdictLabel.text == "Caution: motion above level 2 changes the lesion."
    ui.robustnessShownTypeComboBox.setCurrentIndex(1)
    ui.robustnessShownLevelSlider.setValue(3)
    turn(3)
    result = RobustnessResult(finished._parameters.robustnessScores)
    assert slicer.util.arrayFromVolume(result.shownVolume).max() == 160
    assert result.shownVolume.GetAttribute("MRTranslate.Synthetic") == "1"
    ui.robustnessViewsButton.click()
    assert shown_curves() == {"Motion": [0, 2, 4, 6], "Blur": [0, 4, 8, 12]}
    page, _numbers = result.saveReport(tmp_path / "again.html")
    assert page.read_text(encoding="utf-8") == "<html>not for diagnostic use, \u00e4</html>"
    ui.robustnessViewsButton.click()


def test_closing_the_scene_while_it_runs_ends_the_run(ready, worker, turn, slicer_host):
    ready.ui.robustnessRunButton.click()
    turn()
    slicer_host.close_scene()
    turn()
    assert not ready.logic.runner.isBusy
    assert ready.ui.robustnessRunButton.text == "Run"


def test_deleting_the_table_of_scores_empties_the_section(finished, turn):
    import slicer

    slicer.mrmlScene.RemoveNode(finished._parameters.robustnessScores)
    turn(3)
    assert not finished.ui.robustnessSaveButton.enabled
    assert finished.ui.robustnessShownTypeComboBox.count == 0


# --- the library ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the library's report type needs torch")
def test_the_invented_report_is_of_the_librarys_type(ready, worker, turn):
    import msgspec

    from MRTranslateLib.robustness.report import RobustnessReport
    from Testing.slicer.robustness_records import make_report

    ready.ui.robustnessRunButton.click()
    turn()
    for extra in ({}, {"adversarial": True, "reference": "x"}):
        report = make_report({**worker.job.parameters, **extra})
        msgspec.json.decode(json.dumps(report), type=RobustnessReport)


@pytest.fixture
def real(slicer_host, monkeypatch, tmp_path):
    """The panel on the real worker and library, with a generator that copies, and a small head."""
    import slicer

    from MRTranslateGui import Console
    from MRTranslateGui.WorkerProcess import WorkerProcess
    from Testing.library.robustness_examples import head
    from Testing.slicer.conftest import MODULE_FOLDER

    stub = Path(__file__).with_name("stub_robustness.py")
    made = WorkerProcess(interpreter=lambda: sys.executable, arguments=(str(stub),), temporaryParent=tmp_path)
    monkeypatch.setattr(Console, "WorkerProcess", lambda: made)
    widget = slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py")
    image, brain, lesion = head()
    nodes = {}
    for name, part in {"T1w": image, "brain": brain, "lesion": lesion}.items():
        kind = "vtkMRMLScalarVolumeNode" if name == "T1w" else "vtkMRMLLabelMapVolumeNode"
        nodes[name] = slicer.util.addVolumeFromArray(part.array.transpose(2, 1, 0), name=name, nodeClassName=kind)
        nodes[name].SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(part.affine))
    widget.ui.sourceT1wSelector.setCurrentNode(nodes["T1w"])
    widget.ui.brainMaskSelector.setCurrentNode(nodes["brain"])
    widget.ui.lesionMaskSelector.setCurrentNode(nodes["lesion"])
    choose(widget, ("gaussian_noise", "blur"))
    widget.ui.robustnessLastLevelSpinBox.setValue(2)
    return widget


def run_to_the_end(slicer_host, widget):
    widget.ui.robustnessRunButton.click()
    slicer_host.wait_until(lambda: not widget.logic.runner.isBusy, RUN_SECONDS)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is missing")
def test_the_real_library_is_killed_and_goes_on_to_a_result(slicer_host, real, monkeypatch):
    import slicer

    from MRTranslateGui.RobustnessResult import RobustnessResult

    num_slices = slices_of_a_translation(real)
    monkeypatch.setenv("MRTRANSLATE_STUB_SLICES", str(int(2.5 * num_slices)))  # in the third of five translations
    run_to_the_end(slicer_host, real)
    assert "1 finished results are kept: Run goes on from there." in real.ui.robustnessStateLabel.text
    (folder,) = run_folders(real)
    kept = {path.name for path in (folder / "cells").glob("*.json")}
    assert kept == {"none_level0_clean.json", "gaussian_noise_level1_clean.json"}
    answers = []
    real.logic.worker.finished.connect(lambda _job, answer: answers.append(answer))
    run_to_the_end(slicer_host, real)
    assert real.logic.runner.state.value == "idle", real.ui.robustnessStateLabel.text
    assert answers[0]["num_resumed"] == 1
    result = RobustnessResult(real._parameters.robustnessScores)
    clean, worse = (slicer.util.arrayFromVolume(result.sequence.GetNthDataNode(index)) for index in (0, 2))
    inside = clean > 100
    # A generator that copies hands on noise of standard deviation 20 of 1000, whose mean size is sqrt(2/pi) times that.
    expected = 20 * np.sqrt(2 / np.pi)
    assert np.abs(worse[inside].astype(float) - clean[inside]).mean() == pytest.approx(expected, rel=0.05)
    assert set(result.charts) == {"brain", "lesion", "label 1", "rim", "healthy"}
    assert result.change(4, "brain") > result.change(3, "brain") > 0
    assert "<html" in result.scores.GetNodeReference("MRTranslate.Robustness.HtmlReport").GetText()
    assert run_folders(real) == []


def slices_of_a_translation(widget):
    """Slices with brain on the working grid: those of the head, which the model's grid leaves as they are."""
    import slicer

    brain = slicer.util.arrayFromVolume(widget._parameters.brainMask)
    return int(brain.any(axis=(1, 2)).sum())


def test_a_run_from_the_console_is_shown_in_the_panel(ready, scans, worker, turn):
    ready.logic.robustness(scans, "FLAIR", perturbations=TYPES, levels=[1, 2, 3], waitForCompletion=False)
    turn()
    worker.answerRobustness()
    turn()
    assert ready.ui.stateLabel.text.startswith("Done: ")
    assert ready._parameters.robustnessScores is not None
    assert ready.ui.robustnessStateLabel.text == "Done."
