"""An acquired low-resolution target in the panel: offered where a model takes one, handed over, and judged in words."""

import json
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from MRTranslateLib.io import read_volume
from MRTranslateLib.models.components import SuperResolutionQuality
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
ROW = {
    "sources": ["T1w"],
    "target": "FLAIR",
    "split": "val",
    "in_plane_ratio": 1,
    "slice_thickness_mm": 5.0,
    "num_cases": 3,
    "brain_psnr": 27.5,
    "brain_ssim": 0.9,
    "lesion_psnr": 26.0,
    "synthesis_brain_psnr": 18.0,
    "synthesis_brain_ssim": 0.7,
    "synthesis_lesion_psnr": 15.0,
    "interpolation_brain_psnr": 24.25,
    "interpolation_brain_ssim": 0.8,
    "interpolation_lesion_psnr": 25.0,
}


@pytest.fixture
def able(slicer_host, monkeypatch):
    """Every model's card names a super-resolution branch."""
    from MRTranslateGui import ModelCatalog

    def able_entry(path, shipped, read=ModelCatalog._readEntry):
        entry = read(path, shipped)
        more = {"components": {"super_resolution": {"parameters": {}}}, "super_resolution_quality": [ROW]}
        return replace(entry, card={**entry.card, **more})

    monkeypatch.setattr(ModelCatalog, "_readEntry", able_entry)


def scene():
    """A T1w with voxels of 1 mm and a FLAIR with slices of 5 mm in the scene."""
    import slicer

    nodes = {}
    for name, spacing, shape in (("T1w", (1, 1, 1), (30, 14, 16)), ("FLAIR", (1, 1, 5), (8, 14, 16))):
        array = np.arange(1, 1 + np.prod(shape), dtype=np.int16).reshape(shape)
        nodes[name] = slicer.util.addVolumeFromArray(array, name=name)
        nodes[name].SetSpacing(*spacing)
    return nodes


def loaded(slicer_host):
    from Testing.slicer.conftest import MODULE_FOLDER

    widget, nodes = slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py"), scene()
    widget.ui.sourceFLAIRSelector.setCurrentNode(None)
    widget.ui.sourceT1wSelector.setCurrentNode(nodes["T1w"])
    widget._parameters.target = "FLAIR"
    return widget, nodes


@pytest.fixture
def panel(slicer_host, worker, able):
    return loaded(slicer_host)


def turn(slicer_host, times=12):
    for _ in range(times):
        slicer_host.app.processEvents()
        time.sleep(0.002)


def test_it_is_offered_where_the_model_takes_one(panel):
    assert panel[0].ui.lowResolutionSelector.enabled


def test_it_is_not_offered_where_the_model_takes_none(slicer_host, worker, monkeypatch):
    from MRTranslateGui.ModelCatalog import ModelEntry

    monkeypatch.setattr(ModelEntry, "usesLowResolution", False)
    widget, nodes = loaded(slicer_host)
    assert not widget.ui.lowResolutionSelector.enabled
    widget._parameters.lowResolutionTarget = nodes["FLAIR"]  # from a scene made with another model
    assert "cannot use a low-resolution target" in widget.ui.applyButton.toolTip
    assert widget.ui.lowResolutionSelector.enabled  # to take it back


def test_the_worker_is_given_the_chosen_scan_on_its_own_grid(slicer_host, panel, worker):
    from MRTranslateLib.worker.translate import TranslateParameters

    widget, nodes = panel
    widget.ui.lowResolutionSelector.setCurrentNode(nodes["FLAIR"])
    widget.ui.applyButton.click()
    turn(slicer_host)
    given = msgspec.convert(dict(worker.job.parameters), TranslateParameters)
    handed = read_volume(given.low_resolution)
    assert handed.spacing_mm == (1, 1, 5)
    assert sorted(given.sources) == ["T1w"]
    np.testing.assert_array_equal(np.sort(handed.array, axis=None), np.arange(1, 1 + 8 * 14 * 16))


def test_without_one_the_worker_is_not_told_of_any(slicer_host, panel, worker):
    panel[0].ui.applyButton.click()
    turn(slicer_host)
    assert worker.job.parameters.get("low_resolution") is None


def test_a_source_cannot_be_its_own_low_resolution_target(panel):
    widget, nodes = panel
    widget.ui.lowResolutionSelector.setCurrentNode(nodes["T1w"])
    assert not widget.ui.applyButton.enabled
    assert "low-resolution target is also a source" in widget.ui.applyButton.toolTip


def test_the_console_hands_it_over(slicer_host, panel, worker):
    import slicer

    logic = slicer.util.getModuleLogic("MRTranslate")
    nodes = panel[1]
    logic.translate({"T1w": nodes["T1w"]}, "FLAIR", lowResolution=nodes["FLAIR"], waitForCompletion=False)
    turn(slicer_host)
    assert read_volume(worker.job.parameters["low_resolution"]).shape == (16, 14, 8)


@pytest.mark.parametrize(
    "change",
    [{}, {"brain_psnr": 24.0}, {"lesion_psnr": 24.9}, {"lesion_psnr": None, "interpolation_lesion_psnr": None}],
)
def test_better_than_interpolation_means_the_same_in_the_panel_and_in_the_library(slicer_host, change):
    from MRTranslateGui.ModelCardText import _beatsInterpolation

    row = ROW | change
    if row["lesion_psnr"] is None:
        row["synthesis_lesion_psnr"] = None
    card_row = msgspec.json.decode(json.dumps(row), type=SuperResolutionQuality)
    assert _beatsInterpolation(row) is card_row.beats_interpolation


def test_the_card_says_what_it_gains(panel):
    html = panel[0].ui.cardBrowser.toPlainText()
    assert "brain PSNR 27.5 dB, by interpolation alone 24.2 dB" in html
    assert "better than interpolation in 1 of 1 measured acquisitions" in html
