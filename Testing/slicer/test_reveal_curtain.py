"""The curtain shows the same place of the patient, whatever size the two views have."""

import numpy as np
import pytest

from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


@pytest.fixture
def curtain(widget, result):
    """Over the synthetic view, with a reference that differs from it."""
    import slicer

    reference = volume("real FLAIR", 300)
    slicer.util.updateVolumeFromArray(reference, slicer.util.arrayFromVolume(reference)[:, :, ::-1].copy())
    widget._parameters.reference = reference
    widget.ui.curtainButton.click()
    return widget.panel.looking._comparison._curtain


def view_of(tag):
    import slicer

    return slicer.app.layoutManager().sliceWidget(tag)


def pixels(tag):
    return view_of(tag).sliceView().pixels().astype(int)


def without_labels(image):
    return image[image.shape[0] // 4 :]  # they stand in the upper corners


def test_an_open_curtain_shows_what_the_reference_view_shows(widget, curtain):
    curtain.setPosition(0)
    covered, real = pixels("MRTranslateSynthetic"), pixels("MRTranslateReference")
    assert covered.shape == real.shape
    assert np.abs(without_labels(covered) - without_labels(real))[:, 4:].max() <= 2


def test_a_reference_view_of_half_the_width_stays_in_register(widget, curtain):
    curtain.setPosition(0)
    before = pixels("MRTranslateSynthetic")
    width, height = view_of("MRTranslateReference").mrmlSliceNode().GetDimensions()[:2]
    view_of("MRTranslateReference").sliceLogic().ResizeSliceNode(width // 2, height)
    after = pixels("MRTranslateSynthetic")
    lit = without_labels(before).sum(axis=2) > 60
    centre = width // 2
    middle = slice(centre - width // 8, centre + width // 8)
    assert lit[:, middle].any()
    # What the smaller view still shows lies where it lay; it was drawn half a view beside.
    assert np.abs(without_labels(after) - without_labels(before))[:, middle].mean() < 8


def test_the_edge_is_drawn_and_the_mark_stands_left_of_it(widget, curtain):
    import slicer

    curtain.setPosition(80)
    label = slicer.modules.MRTranslateInstance.syntheticLabel
    _renderer, actor = label._actors["MRTranslateSynthetic"]
    assert actor.GetPosition()[0] == pytest.approx(0.78)
    width = view_of("MRTranslateSynthetic").mrmlSliceNode().GetDimensions()[0]
    bottom = pixels("MRTranslateSynthetic")[-3]
    yellow = np.flatnonzero((bottom[:, 0] > 120) & (bottom[:, 2] < bottom[:, 0] // 2))
    assert yellow.mean() == pytest.approx(0.8 * width, abs=2)


def test_the_mark_is_read_in_full_when_the_curtain_leaves_little_room(widget, curtain):
    import slicer

    curtain.setPosition(10)
    renderer, actor = slicer.modules.MRTranslateInstance.syntheticLabel._actors["MRTranslateSynthetic"]
    size = [0.0, 0.0]
    actor.GetSize(renderer, size)
    left = actor.GetPosition()[0] * renderer.GetSize()[0] - size[0]
    assert 0 < left < 10


def test_without_the_curtain_the_mark_goes_back_to_its_corner(widget, curtain):
    import slicer

    widget.ui.curtainButton.click()
    _renderer, actor = slicer.modules.MRTranslateInstance.syntheticLabel._actors["MRTranslateSynthetic"]
    assert actor.GetPosition()[0] == pytest.approx(0.98)
