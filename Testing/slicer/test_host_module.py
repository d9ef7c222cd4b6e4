"""A scripted module written for Slicer loads, works, reloads and leaves on the host; what it forgets is noticed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host

EXAMPLE = Path(__file__).parents[1] / "slicer_host" / "example" / "HostExample.py"


@pytest.fixture
def widget(slicer_host: Host) -> Any:
    return slicer_host.load_module(EXAMPLE)


def add_volume() -> Any:
    import slicer

    return slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="ramp")


def finish(host: Host) -> list[str]:
    from Testing.slicer_host.checks import Checks

    return Checks(host).finish()


# Loading ------------------------------------------------------------------------------------------------------------


def test_the_module_is_registered_with_what_it_says_of_itself(widget: Any) -> None:
    import slicer

    module = slicer.util.getModule("HostExample")
    assert (module.title, module.categories) == ("Host example", ["Examples"])
    assert slicer.modules.hostexample is module
    assert slicer.modules.HostExampleWidget is widget
    assert slicer.util.modulePath("HostExample") == str(EXAMPLE)


def test_the_form_is_loaded_with_ranges_flags_and_parameter_names(widget: Any) -> None:
    assert (widget.ui.thresholdSlider.minimum, widget.ui.thresholdSlider.maximum) == (-100.0, 500.0)
    assert widget.ui.thresholdSlider.singleStep == 0.5
    assert widget.ui.folderEdit.filters == widget.ui.folderEdit.Dirs | widget.ui.folderEdit.Readable
    assert widget.ui.inputSelector.property("SlicerParameterName") == "inputVolume"
    assert widget.ui.advancedCollapsibleButton.collapsed


def test_the_scene_reaches_the_selectors_through_the_forms_connections(widget: Any) -> None:
    import slicer

    assert widget.ui.inputSelector.mrmlScene() is slicer.mrmlScene


def test_sample_data_are_registered_after_startup(widget: Any) -> None:
    import SampleData

    assert SampleData.SampleDataLogic.sourceForSampleName("HostExample1") is not None


def test_the_logic_is_found_without_opening_the_panel_first(slicer_host: Host) -> None:
    import slicer

    slicer_host.register_module(EXAMPLE)
    logic = slicer.util.getModuleLogic("HostExample")
    assert slicer.util.arrayFromVolume(logic.invert(add_volume()))[0, 0, 0] == 23


# Using --------------------------------------------------------------------------------------------------------------


def test_apply_waits_for_an_input_and_then_runs(widget: Any) -> None:
    import slicer

    assert not widget.ui.applyButton.enabled
    widget.ui.inputSelector.setCurrentNode(add_volume())
    assert widget.ui.applyButton.enabled
    widget.ui.applyButton.click()
    assert slicer.util.getNode("ramp inverted") is widget.parameters.outputVolume


def test_closing_the_scene_gives_the_panel_a_fresh_parameter_node(widget: Any, slicer_host: Host) -> None:
    widget.ui.inputSelector.setCurrentNode(add_volume())
    slicer_host.close_scene()
    assert widget.parameters.inputVolume is None
    assert not widget.ui.applyButton.enabled


def test_reloading_replaces_panel_and_code(widget: Any) -> None:
    import slicer

    before = sys.modules["HostExample"]
    widget.onReload()
    again = slicer.modules.HostExampleWidget
    assert again is not widget
    assert sys.modules["HostExample"] is not before
    again.ui.inputSelector.setCurrentNode(add_volume())
    assert again.ui.applyButton.enabled


def test_the_modules_own_self_test_runs(widget: Any) -> None:
    import slicer

    slicer.selfTests["HostExample"]()


def test_a_process_is_started_by_pythonslicer_and_heard(widget: Any, slicer_host: Host) -> None:
    widget.logic.startProcess(["-c", "print('one'); print('two'); raise SystemExit(3)"])
    slicer_host.wait_until(lambda: widget.logic.exitCode is not None)
    assert (widget.logic.lines, widget.logic.exitCode) == (["one", "two"], 3)


def test_the_panel_is_photographed_beside_the_views(widget: Any, tmp_path: Path) -> None:
    from PIL import Image

    from Testing.slicer_host import screenshot

    screenshot.grab_panel(widget, tmp_path / "panel.png", 350)
    screenshot.grab_window(widget, tmp_path / "window.png", 900, 500, panel_width=350)
    with Image.open(tmp_path / "panel.png") as panel, Image.open(tmp_path / "window.png") as window:
        assert panel.width == 350
        assert window.size == (900, 500)
    assert widget.ui.applyButton.visible


# Leaving ------------------------------------------------------------------------------------------------------------


def test_a_tidy_module_leaves_nothing(widget: Any, slicer_host: Host) -> None:
    assert finish(slicer_host) == []


def test_an_exception_in_a_slot_is_a_problem(widget: Any, slicer_host: Host) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in a slot")

    widget.ui.applyButton.clicked.connect(fail)
    widget.ui.inputSelector.setCurrentNode(add_volume())
    widget.ui.applyButton.click()
    assert "in a slot" in slicer_host.problems.expect("ZeroDivisionError")


def test_an_exception_in_an_observer_is_a_problem(slicer_host: Host) -> None:
    import slicer

    def fail(*_: object) -> None:
        raise KeyError("in an observer")

    tag = slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, fail)
    add_volume()
    slicer.mrmlScene.RemoveObserver(tag)
    assert slicer_host.problems.expect("in an observer")
    slicer_host.problems.found.clear()


def test_an_error_of_vtk_is_a_problem(slicer_host: Host) -> None:
    import slicer

    slicer.vtkMRMLVolumeArchetypeStorageNode().ReadData(None)
    assert slicer_host.problems.expect("ReadData")
    slicer_host.problems.found.clear()


def test_an_observer_left_on_the_scene_is_named(slicer_host: Host) -> None:
    import slicer

    from Testing.slicer_host.checks import Checks

    def forgotten(*_: object) -> None:
        """Never removed."""

    checks = Checks(slicer_host)
    tag = slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, forgotten)
    (sentence,) = checks.finish()
    assert "forgotten" in sentence
    assert "test_host_module.py" in sentence
    slicer.mrmlScene.RemoveObserver(tag)


def test_an_observation_a_module_keeps_is_named(slicer_host: Host) -> None:
    import slicer

    class Keeper(slicer.util.VTKObservationMixin):  # type: ignore[misc]
        def onModified(self, *_: object) -> None:
            """Still observes."""

    keeper, volume = Keeper(), add_volume()
    keeper.addObserver(volume, "ModifiedEvent", keeper.onModified)
    assert finish(slicer_host) == ["Keeper still observes vtkMRMLScalarVolumeNode with onModified"]
    keeper.removeObservers()


def test_a_process_left_behind_is_named_and_ended(slicer_host: Host) -> None:
    import psutil
    import qt

    from Testing.slicer_host.checks import Checks

    checks = Checks(slicer_host)
    process = qt.QProcess()
    process.start("PythonSlicer", ["-c", "import time; time.sleep(60)"])
    slicer_host.wait_until(lambda: psutil.Process().children(recursive=True)[1:])
    (launcher, python) = (child.pid for child in psutil.Process().children(recursive=True))
    assert launcher == process.processId()
    sentences = checks.finish()
    assert any("time.sleep(60)" in sentence for sentence in sentences)
    process.waitForFinished(2000)
    assert not psutil.pid_exists(python) or psutil.Process(python).status() == psutil.STATUS_ZOMBIE


# The world around it ------------------------------------------------------------------------------------------------


def test_an_unexpected_dialog_is_closed_and_counted(slicer_host: Host) -> None:
    import qt

    box = qt.QMessageBox()
    box.windowTitle = "Surprise"
    box.exec_()
    assert slicer_host.problems.expect("Surprise")


def test_an_expected_dialog_is_answered(slicer_host: Host) -> None:
    import qt
    import slicer

    slicer_host.app.set_testing_enabled(False)
    slicer_host.dialogs.answer_next(lambda dialog: dialog.button(qt.QMessageBox.Cancel).click())
    assert not slicer.util.confirmOkCancelDisplay("Really?", "Question")
    assert slicer_host.dialogs.seen == ["Question: Really?"]


def test_no_question_opens_in_testing_mode(slicer_host: Host) -> None:
    import slicer

    slicer.util.errorDisplay("Something failed")
    slicer.util.confirmOkCancelDisplay("Really?")
    assert slicer_host.dialogs.seen == []


def test_nothing_is_installed_unless_the_test_allows_it(slicer_host: Host) -> None:
    import slicer

    from Testing.slicer_host import packaging

    with pytest.raises(RuntimeError, match="no-such-package"):
        slicer.util.pip_install("no-such-package>=1")
    packaging.allowed = True
    assert slicer.packaging.pip_ensure(["numpy>=1", "no-such-package>=1"]) == ["no-such-package>=1"]
    assert packaging.requests == ["no-such-package>=1", "no-such-package>=1"]


def test_an_older_slicer_has_no_packaging_but_pip_install(slicer_host: Host) -> None:
    import slicer

    from Testing.slicer_host import packaging

    slicer_host.hide_packaging()
    packaging.allowed = True
    with pytest.raises(ImportError):
        import slicer.packaging
    slicer.util.pip_install("no-such-package")
    assert packaging.requests == ["no-such-package"]


def test_settings_start_empty_and_keep_their_values(slicer_host: Host) -> None:
    settings = slicer_host.app.settings()
    assert settings.allKeys() == []
    settings.setValue("MRTranslate/Device", "cpu")
    slicer_host.reset()
    assert slicer_host.app.settings().allKeys() == []


def test_extensions_are_installed_only_if_the_test_says_so(slicer_host: Host) -> None:
    manager = slicer_host.app.extensionsManagerModel()
    assert not manager.isExtensionInstalled("PyTorch")
    manager.installed_names.add("PyTorch")
    assert manager.isExtensionInstalled("PyTorch")


# Widgets ------------------------------------------------------------------------------------------------------------


def test_a_collapsed_section_hides_its_contents_but_not_what_was_hidden_on_purpose(slicer_host: Host) -> None:
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    section.setAttribute(qt.Qt.WA_DontShowOnScreen)
    section.show()
    hidden.hide()
    section.collapsed = True
    assert (shown.visible, hidden.visible) == (False, False)
    section.collapsed = False
    assert (shown.visible, hidden.visible) == (True, False)


def test_a_click_on_the_header_collapses_and_one_below_does_not(slicer_host: Host) -> None:
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    section.setAttribute(qt.Qt.WA_DontShowOnScreen)
    section.resize(200, 100)
    section.show()
    qt.QTest.mouseClick(section, qt.Qt.LeftButton, qt.Qt.NoModifier, qt.QPoint(100, 60))
    assert not section.collapsed
    qt.QTest.mouseClick(section, qt.Qt.LeftButton, qt.Qt.NoModifier, qt.QPoint(100, 10))
    assert section.collapsed


def test_a_slider_widget_clips_and_keeps_slider_and_number_together(slicer_host: Host) -> None:
    import ctk

    heard: list[float] = []
    slider = ctk.ctkSliderWidget()
    slider.minimum, slider.maximum, slider.singleStep = 0.0, 1.0, 0.1
    slider.connect("valueChanged(double)", heard.append)
    slider.value = 7.0
    assert slider.value == 1.0
    slider.slider().value = 0.3
    assert (slider.value, slider.spinBox().value) == (pytest.approx(0.3), pytest.approx(0.3))
    assert heard == [1.0, pytest.approx(0.3)]


def test_a_path_edit_tells_its_path(slicer_host: Host) -> None:
    import ctk

    heard: list[str] = []
    edit = ctk.ctkPathLineEdit()
    edit.connect("currentPathChanged(QString)", heard.append)
    edit.currentPath = "/data/model"
    assert heard == ["/data/model"]


def test_a_form_whose_connection_names_a_missing_object_is_refused(slicer_host: Host, tmp_path: Path) -> None:
    import slicer

    text = (EXAMPLE.parent / "Resources" / "UI" / "HostExample.ui").read_text(encoding="utf-8")
    broken = tmp_path / "broken.ui"
    broken.write_text(text.replace("<receiver>inputSelector<", "<receiver>outputSelector<"), encoding="utf-8")
    with pytest.raises(RuntimeError, match="outputSelector"):
        slicer.util.loadUI(str(broken))
