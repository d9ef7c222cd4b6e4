"""The whole way once, with nothing faked: files, roles, Apply, the real worker, library and weights, views, scores."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom
from Testing.slicer.conftest import MODULE_FOLDER
from Testing.slicer_host import missing_reason

pytestmark = [
    pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason())),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is missing"),
]
GRID = {"spacing_mm": (1.2, 1.0, 7.0), "rotation_deg": (6.0, -4.0, 9.0), "field_of_view_mm": (192.0, 216.0, 168.0)}
"""Oblique, with other sizes along each axis and 24 thick slices, so that it is quick."""
FILES = {"se04_ax_flair_dark-fluid": Contrast.FLAIR, "se02_T2_tse_tra": Contrast.T2W, "se03_t1_mprage": Contrast.T1W}
"""In an order that is not that of the roles, so that a guess from position would be wrong."""
RUN_SECONDS = 240
"""Until the test gives up; on an idle core the run takes about a tenth of it."""


@pytest.fixture
def own_modules():
    """Reload replaces the module's and the library's code; other tests in this process must not notice."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("MRTranslate")}
    yield
    for name in [name for name in sys.modules if name.startswith("MRTranslate")]:
        del sys.modules[name]
        package, _, child = name.rpartition(".")
        if package in before and name not in before and hasattr(before[package], child):
            delattr(before[package], child)  # else `from package import child` would find the module that is gone
    sys.modules.update(before)


@pytest.fixture
def phantom():
    """A thick-sliced oblique examination with a tumour."""
    return make_phantom(6, grid=brain_grid(**GRID), contrasts=tuple(FILES.values()), noise=0.01, bias=0.0)


@pytest.fixture
def scans(slicer_host, phantom, tmp_path):
    """The examination as a user loads it, real FLAIR and lesion included."""
    import slicer

    nodes = {}
    for name, contrast in FILES.items():
        write_volume(tmp_path / f"{name}.nrrd", phantom.volumes[contrast])
        nodes[str(contrast)] = slicer.util.loadVolume(str(tmp_path / f"{name}.nrrd"))
    write_volume(tmp_path / "tumour.nrrd", phantom.labels)
    nodes["lesion"] = slicer.util.loadVolume(str(tmp_path / "tumour.nrrd"), {"labelmap": True, "show": False})
    return nodes


def run(slicer_host, widget):
    """Click Apply and wait for the end; the words that were shown on the way."""
    shown = []
    widget.logic.runner.progressed.connect(lambda _progress: shown.append(widget.ui.stateLabel.text))
    widget.ui.applyButton.click()
    assert widget.ui.applyButton.text == "Cancel"
    slicer_host.wait_until(lambda: not widget.logic.runner.isBusy, RUN_SECONDS)
    assert widget.logic.runner.state.value == "idle", widget.ui.logTextEdit.toPlainText()
    return shown


def psnr(image, reference, unit=None):
    """Within the reference's brain, dB; both clipped to 0..1 of ``unit``, or of their own 99.5th percentile."""
    inside = reference > 0
    units = (unit or np.percentile(image[inside], 99.5), np.percentile(reference[inside], 99.5))
    first, second = (np.clip(values[inside] / one, 0, 1) for values, one in zip((image, reference), units, strict=True))
    return float(-10 * np.log10(np.mean((first - second) ** 2)))


def test_from_files_to_a_judged_result_and_a_fresh_start(slicer_host, scans, phantom, own_modules):
    import slicer

    widget = slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py")
    chosen = {role: getattr(widget.ui, f"source{role}Selector").currentNode() for role in ("T1w", "T2w", "FLAIR")}
    assert chosen == {role: scans[role] for role in chosen}

    widget.ui.sourceFLAIRSelector.setCurrentNode(None)  # the one that is to be made, kept to judge by
    widget.ui.referenceSelector.setCurrentNode(scans["FLAIR"])
    widget.ui.lesionMaskSelector.setCurrentNode(scans["lesion"])
    widget.ui.targetComboBox.setCurrentIndex(widget.ui.targetComboBox.findText("FLAIR"))
    shown = run(slicer_host, widget)
    assert any(text.startswith("Translating: ") for text in shown)
    assert widget.ui.stateLabel.text.startswith("Done: SYNTHETIC FLAIR from se03_t1_mprage. Please read: ")
    assert "slice spacing 7 mm" in widget.ui.stateLabel.text

    result = widget.ui.outputSelector.currentNode()
    affine = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(result))
    np.testing.assert_allclose(affine, phantom.volumes[Contrast.T1W].affine, atol=1e-4)
    made, real = slicer.util.arrayFromVolume(result), slicer.util.arrayFromVolume(scans["FLAIR"])
    sources = [slicer.util.arrayFromVolume(scans[role]) for role in ("T1w", "T2w")]
    assert psnr(made, real, 1000) > max(psnr(source, real) for source in sources) + 1
    label = slicer.modules.MRTranslateInstance.syntheticLabel
    assert label.textOf("Red") == "SYNTHETIC FLAIR\nnot for diagnostic use"

    manager = slicer.app.layoutManager()
    layout = manager.layout
    widget.ui.compareButton.click()
    views = [manager.sliceWidget(f"MRTranslate{name}") for name in ("Source", "Synthetic", "Reference")]
    nodes = [slicer.mrmlScene.GetNodeByID(view.mrmlSliceCompositeNode().GetBackgroundVolumeID()) for view in views]
    assert nodes == [scans["T1w"], result, scans["FLAIR"]]
    assert label.textOf("MRTranslateSynthetic")
    assert not label.textOf("MRTranslateReference")
    assert all(view.sliceView().pixels().max() > 100 for view in views)
    widget.ui.compareButton.click()
    assert manager.layout == layout

    widget.ui.scoreButton.click()
    slicer_host.wait_until(lambda: not widget.logic.runner.isBusy, RUN_SECONDS)
    table = slicer.util.getNode("Scores of *")
    rows = {table.GetCellText(row, 0): float(table.GetCellText(row, 2)) for row in range(table.GetNumberOfRows())}
    assert {"brain", "lesion", "brain without lesion"} <= set(rows)
    assert rows["brain"] == pytest.approx(psnr(made, real, 1000), abs=0.01)

    widget.ui.applyButton.click()  # closing the scene ends a run; the worker's end is checked by the fixture
    slicer_host.wait_until(lambda: widget.ui.stateLabel.text != "Starting...", RUN_SECONDS)
    slicer_host.close_scene()
    slicer_host.wait_until(lambda: not widget.logic.runner.isBusy, 10)
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    assert not widget.ui.applyButton.enabled

    widget.onReload()
    fresh = slicer.modules.MRTranslateWidget
    assert fresh is not widget
    fresh.ui.sampleDataButton.click()
    assert fresh.ui.applyButton.enabled


def _ijk_to_ras(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix
