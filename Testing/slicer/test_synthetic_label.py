"""The label in the slice views says what is seen, and is there whatever else fails."""

import sys

import pytest

from Testing.slicer.conftest import MODULE_FOLDER
from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
SYNTHETIC = "SYNTHETIC FLAIR\nnot for diagnostic use"


def label():
    import slicer

    return slicer.modules.MRTranslateInstance.syntheticLabel


def show_in_red(background, foreground=None, opacity=1.0):
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    composite.SetBackgroundVolumeID(background.GetID())
    composite.SetForegroundVolumeID(None if foreground is None else foreground.GetID())
    composite.SetForegroundOpacity(opacity)


def synthetic():
    from MRTranslateGui import Results

    node = volume("SYNTHETIC FLAIR", 300)
    Results.mark(node, kind="volume", target="FLAIR", sources={"T1w": node}, reference=None, provenance={})
    return node


def test_an_acquired_volume_that_hides_ours_is_called_acquired(widget, result):
    show_in_red(result, volume("real FLAIR", 300))
    assert label().textOf("Red") == "acquired: real FLAIR"
    show_in_red(result, volume("real FLAIR", 300), opacity=0.5)
    assert label().textOf("Red") == SYNTHETIC


def test_an_acquired_volume_beside_which_ours_is_seen_leaves_the_warning(widget, result):
    show_in_red(result, volume("small", 300, (8, 9, 10)))
    assert label().textOf("Red") == f"acquired: small\n{SYNTHETIC}"


def test_an_acquired_volume_through_which_ours_is_seen_leaves_the_warning(widget, result):
    overlay = volume("real FLAIR", 300)
    overlay.CreateDefaultDisplayNodes()
    overlay.GetDisplayNode().SetApplyThreshold(True)
    show_in_red(result, overlay)
    assert SYNTHETIC in label().textOf("Red")


def test_flicker_names_what_it_shows(widget, result):
    widget._parameters.reference = volume("real FLAIR", 300)
    widget.ui.flickerButton.click()
    said = set()
    for _ in range(2):
        widget.panel.looking._comparison._flick()
        said.add(label().textOf("MRTranslateSynthetic"))
    assert said == {SYNTHETIC, "acquired: real FLAIR"}


def test_the_label_works_without_slicers_sample_data(slicer_host, monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py")
    show_in_red(synthetic())
    assert label().textOf("Red") == SYNTHETIC


def test_a_module_loaded_into_a_running_slicer_labels_once_its_panel_opens(slicer_host):
    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py", slicer_starts=False)
    show_in_red(synthetic())
    slicer_host.open_module("MRTranslate")
    assert label().textOf("Red") == SYNTHETIC


def test_a_view_that_was_made_anew_is_labelled_anew(widget, result):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
    actor = label()._actors["Red"][1]
    other = type(renderer)()
    label()._actors["Red"] = other, actor
    other.AddViewProp(actor)
    renderer.RemoveViewProp(actor)
    label().refresh()
    assert not other.HasViewProp(actor)
    assert renderer.HasViewProp(label()._actors["Red"][1])
