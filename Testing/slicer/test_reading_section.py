"""A reading session in the panel: open, judge image after image, stop, go on; nothing tells what an image is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.review.questions import DEFAULT_QUESTIONS
from MRTranslateLib.review.session import SESSION_FILE, Session, image_path, source_path
from MRTranslateLib.volume import Volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
ITEMS = ("0123abcd", "4567cdef", "89ab0123")
AFFINE = np.array([[-1.5, 0, 0.2, 30], [0, 1.0, 0, -20], [0.1, 0, 3.0, 7], [0, 0, 0, 1.0]])


@pytest.fixture
def folder(tmp_path) -> Path:
    """A session of three images for two readers."""
    place = tmp_path / "study"
    session = Session(
        program="MRTranslate", created="2026-01-01T00:00:00+00:00", target=Contrast.FLAIR, source=Contrast.T1W,
        questions=DEFAULT_QUESTIONS, orders={"anna": ITEMS, "bert": ITEMS[::-1]},
    )  # fmt: skip
    for number, item in enumerate(ITEMS):
        for path in (image_path(place, item), source_path(place, item)):
            path.parent.mkdir(parents=True, exist_ok=True)
            array = np.full((6, 7, 8), 100 * (number + 1) + (path.parent.name == "sources"), np.int16)
            write_volume(path, Volume(array, AFFINE))
    (place / SESSION_FILE).write_bytes(msgspec.json.encode(session))
    return place


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def section(widget):
    return widget.panel.reading


@pytest.fixture
def reading(section, ui, folder, turn):
    """Anna reads."""
    section.choose(folder)
    ui.readingStartButton.click()
    turn()
    return section


def answer(ui, quality=4, real=2, lesions=3, comment=""):
    """Click through the form and save."""
    for name, point in (("quality", quality), ("real_or_synthetic", real), ("lesions", lesions)):
        child(ui, f"readingPoint_{name}_{point}").click()
    child(ui, "readingComment_comment").setText(comment)
    ui.readingSaveButton.click()


def child(ui, name):
    import slicer

    return slicer.util.findChild(ui.readingFormWidget, name)


def composites():
    """Of the two views of a session."""
    import slicer

    tags = ("MRTranslateReadingSource", "MRTranslateReadingImage")
    return [slicer.app.layoutManager().sliceWidget(tag).mrmlSliceCompositeNode() for tag in tags]


def shown():
    """First voxel of what the two views of a session show."""
    import slicer

    nodes = [slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID()) for composite in composites()]
    return [int(slicer.util.arrayFromVolume(node)[0, 0, 0]) for node in nodes]


def overlays():
    """IDs of what the two views of a session show over their volumes."""
    return {get() for c in composites() for get in (c.GetForegroundVolumeID, c.GetLabelVolumeID)} - {None}


def labelmap():
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "lesion")
    slicer.util.updateVolumeFromArray(node, np.ones((6, 7, 8), np.uint8))
    return node


def answers(folder, reader="anna"):
    from MRTranslateLib.review.answers import read_answers
    from MRTranslateLib.review.session import read_session

    return read_answers(folder, read_session(folder), reader)


def test_opening_a_session_offers_its_readers_and_starts_nothing(section, ui, folder):
    section.choose(folder)
    assert [ui.readingReaderComboBox.itemText(index) for index in range(ui.readingReaderComboBox.count)] == [
        "anna",
        "bert",
    ]
    assert ui.readingStartButton.enabled
    assert not (folder / "answers").exists()


def test_a_folder_that_is_no_session_is_told_of_in_a_sentence(section, ui, tmp_path):
    section.choose(tmp_path)
    assert "give the folder of a session" in ui.readingStateLabel.text
    assert not ui.readingStartButton.enabled


def test_the_first_image_is_shown_beside_its_source(reading, ui):
    assert shown() == [101, 100]
    assert ui.readingStateLabel.text == "Image 1 of 3: FLAIR, real or synthetic. Not for diagnostic use."


def test_both_views_are_linked_and_in_one_window_and_lie_where_the_file_says(reading):
    import slicer
    import vtk

    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert {(node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) for node in nodes} == {
        (1000.0, 500.0)
    }
    matrix = vtk.vtkMatrix4x4()
    nodes[0].GetIJKToRASMatrix(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), AFFINE, atol=1e-5)
    assert composites()[1].GetLinkedControl()


def test_nothing_in_the_scene_tells_what_an_image_is_and_nothing_is_saved(reading):
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert sorted(node.GetName() for node in nodes) == ["Acquired T1w", "To judge"]
    for node in nodes:
        assert node.GetHideFromEditors()
        assert not node.GetSaveWithScene()
        assert not list(node.GetAttributeNames() or ())
        assert node.GetStorageNode() is None


def test_saving_needs_an_answer_to_every_rating(reading, ui, folder):
    assert not ui.readingSaveButton.enabled
    child(ui, "readingPoint_quality_5").click()
    child(ui, "readingPoint_real_or_synthetic_1").click()
    assert not ui.readingSaveButton.enabled
    child(ui, "readingPoint_lesions_1").click()
    assert ui.readingSaveButton.enabled
    assert answers(folder) == {}


def test_an_answer_is_kept_at_once_and_the_next_image_comes_with_an_empty_form(reading, ui, folder, turn):
    answer(ui, quality=4, real=6, lesions=2, comment="ringing")
    turn()
    kept = answers(folder)[ITEMS[0]]
    assert kept.values == {"quality": 4, "real_or_synthetic": 6, "lesions": 2, "comment": "ringing"}
    assert 0 <= kept.seconds < 60
    assert shown() == [201, 200]
    assert not child(ui, "readingPoint_quality_4").checked
    assert child(ui, "readingComment_comment").text == ""
    assert not ui.readingSaveButton.enabled


def test_points_are_chosen_one_at_a_time_and_say_what_they_mean(reading, ui):
    child(ui, "readingPoint_quality_2").click()
    child(ui, "readingPoint_lesions_5").click()
    child(ui, "readingPoint_quality_3").click()
    chosen = [point for point in range(1, 6) if child(ui, f"readingPoint_quality_{point}").checked]
    assert chosen == [3]
    assert child(ui, "readingPoint_lesions_5").checked
    assert child(ui, "readingPoint_real_or_synthetic_6").toolTip == "surely synthetic"


def test_the_last_answer_ends_the_session(reading, ui, folder, turn):
    import slicer

    for _ in ITEMS:
        answer(ui)
        turn()
    assert ui.readingStateLabel.text == "All images are judged. Thank you."
    assert len(answers(folder)) == 3
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    assert ui.readingFormWidget.layout().count() == 0


def test_stopping_gives_the_layout_back_and_starting_again_goes_on(reading, ui, turn):
    import slicer

    answer(ui)
    turn()
    ui.readingStartButton.click()
    turn()
    assert ui.readingStateLabel.text == "1 of 3 images judged. Start goes on from there."
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    ui.readingStartButton.click()
    turn()
    assert shown() == [201, 200]


def test_each_reader_has_an_order_and_answers_of_his_own(section, ui, folder, turn):
    section.choose(folder)
    ui.readingReaderComboBox.setCurrentIndex(1)
    ui.readingStartButton.click()
    turn()
    assert shown() == [301, 300]
    answer(ui)
    assert list(answers(folder, "bert")) == [ITEMS[2]]
    assert answers(folder, "anna") == {}


@pytest.mark.parametrize("how", ["another layout", "another module", "scene closed", "module unloaded"])
def test_however_a_session_is_left_it_is_closed_and_leaves_nothing_in_the_scene(reading, widget, how, turn, folder):
    import slicer

    if how == "another layout":
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    elif how == "another module":
        widget.exit()
    elif how == "scene closed":
        slicer.mrmlScene.Clear(0)
    else:
        widget.cleanup()
    turn()
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    from MRTranslateLib.review.reading import open_reading

    open_reading(folder, "anna").close()  # no lock is held


def test_a_second_program_of_the_same_reader_is_told_of(section, ui, folder):
    from MRTranslateLib.review.reading import open_reading

    section.choose(folder)
    with open_reading(folder, "anna"):
        ui.readingStartButton.click()
    assert "another program is reading as anna" in ui.readingStateLabel.text
    assert ui.readingStartButton.text == "Start reading"


def test_an_image_that_is_gone_or_cut_short_stops_the_session_with_its_name(reading, ui, folder, turn):
    path = image_path(folder, ITEMS[1])
    path.write_bytes(path.read_bytes()[:400])
    answer(ui)
    turn()
    assert "holds no complete scalar 3D volume" in ui.readingStateLabel.text
    assert ui.readingStartButton.text == "Start reading"
    assert len(answers(folder)) == 1


def test_an_answer_that_cannot_be_kept_stays_in_the_form(reading, ui, monkeypatch):
    from MRTranslateLib.errors import MRTranslateError

    def full(*_arguments, **_options):
        raise MRTranslateError("the disk is full")

    monkeypatch.setattr(type(reading._reading), "record", full)
    answer(ui, quality=2)
    assert ui.readingStateLabel.text == "the disk is full"
    assert child(ui, "readingPoint_quality_2").checked
    assert shown() == [101, 100]


def test_the_open_button_asks_for_a_folder(section, ui, folder, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    ui.readingOpenButton.click()
    assert ui.readingStateLabel.text == "Session study: choose who you are and start."


def test_slicer_makes_no_entry_for_an_image_in_its_tree_of_data(section, ui, folder):
    import slicer
    import vtk

    added = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onAdded(_scene, _event, node):
        added.append((node.GetClassName(), bool(node.GetHideFromEditors()), bool(node.GetSaveWithScene())))

    tag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, onAdded)
    section.choose(folder)
    ui.readingStartButton.click()
    slicer.mrmlScene.RemoveObserver(tag)
    volumes = [entry for entry in added if "Volume" in entry[0]]
    assert sorted(volumes) == [
        *[("vtkMRMLScalarVolumeDisplayNode", True, False)] * 2, *[("vtkMRMLScalarVolumeNode", True, False)] * 2,
    ]  # fmt: skip


def test_a_translation_that_ends_meanwhile_stays_out_of_the_views(reading, ui, worker, scans, apply, folder):
    result = apply()
    assert result.GetName() == "SYNTHETIC FLAIR from sub-01 T1w"
    assert shown() == [101, 100]
    answer(ui)
    assert list(answers(folder)) == [ITEMS[0]]


def test_scores_that_come_meanwhile_do_not_end_the_session(widget, reading, ui, worker, scans, apply, turn):
    from Testing.slicer.small_scans import volume

    apply()
    widget._parameters.reference = volume("real FLAIR", 300)
    ui.scoreButton.click()
    turn()
    scores = {"num_voxels": 5, "psnr": None, "ssim": 0.5, "nmae": 0.1, "nrmse": 0.2, "bias": -0.01}
    worker.answer({"brain": scores, "lesion": None, "lesion_labels": {}, "healthy": None, "notes": []})
    turn()
    assert "Scored" in ui.stateLabel.text
    assert reading.isReading


@pytest.mark.parametrize("layer", ["background", "foreground", "label", "volume removed"])
def test_what_a_script_puts_into_the_views_is_not_judged(reading, ui, folder, turn, layer):
    import slicer

    if layer == "volume removed":
        slicer.mrmlScene.RemoveNode(slicer.util.getNode("To judge"))
    else:
        slicer.util.setSliceViewerLayers(**{layer: labelmap()})
    answer(ui, quality=2)
    assert answers(folder) == {}
    assert "showed something else" in ui.readingStateLabel.text
    assert child(ui, "readingPoint_quality_2").checked
    assert shown() == [101, 100]
    assert not overlays()
    ui.readingSaveButton.click()
    turn()
    assert list(answers(folder)) == [ITEMS[0]]
    assert shown() == [201, 200]


def test_an_image_that_is_gone_when_it_is_to_be_shown_again_stops_the_session(reading, ui, folder):
    import slicer

    image_path(folder, ITEMS[0]).unlink()
    slicer.util.setSliceViewerLayers(foreground=labelmap())
    answer(ui)
    assert "is gone: copy it again" in ui.readingStateLabel.text
    assert ui.readingStartButton.text == "Start reading"
    assert answers(folder) == {}


def test_a_volume_that_another_module_shows_in_all_views_is_not_shown_in_these(reading, ui, turn):
    import slicer

    def show_everywhere(node):
        slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(node.GetID())
        slicer.app.applicationLogic().PropagateVolumeSelection()

    other = labelmap()
    show_everywhere(other)
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == other.GetID()
    assert shown() == [101, 100]
    ui.readingStartButton.click()
    turn()
    show_everywhere(other)
    assert {composite.GetBackgroundVolumeID() for composite in composites()} == {other.GetID()}


def test_what_lay_over_these_views_before_is_taken_off(reading, ui, turn):
    import slicer

    ui.readingStartButton.click()
    slicer.util.setSliceViewerLayers(foreground=labelmap(), label=labelmap())
    assert overlays()
    ui.readingStartButton.click()
    turn()
    assert shown() == [101, 100]
    assert not overlays()


def test_heat_map_and_outline_are_not_laid_over_the_image(reading, scans):
    from MRTranslateGui import HeatMapOverlay
    from MRTranslateGui.LesionOutline import LesionOutline
    from MRTranslateGui.ShownViews import shownSliceViews

    assert shownSliceViews() == []
    HeatMapOverlay.showMap(scans["T1w"], threshold=0.1, opacity=0.5)
    LesionOutline().show(labelmap())
    assert not overlays()
    assert shown() == [101, 100]
