"""A reference that is none: of another contrast, or with a skull that is brighter than the brain."""

import numpy as np
import pytest

from Testing.slicer.small_scans import volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


def choose_target(widget, target):
    combo = widget.ui.targetComboBox
    combo.setCurrentIndex(combo.findText(target))


def test_the_samples_reference_goes_with_its_contrast(widget):
    widget.ui.sampleDataButton.click()
    choose_target(widget, "T1wGd")
    assert widget._parameters.reference is None


def test_a_reference_named_like_another_contrast_is_said(widget, scans):
    widget._parameters.reference = volume("sub-01 FLAIR real", 300)
    assert widget.ui.referenceDoubtLabel.text == ""
    choose_target(widget, "T1wGd")
    assert widget._parameters.reference is not None
    assert (
        widget.ui.referenceDoubtLabel.text
        == "By its name the reference sub-01 FLAIR real is FLAIR, not T1wGd: check it under Optional inputs."
    )
    assert widget.ui.applyButton.enabled


def test_the_section_looking_says_so_of_the_result_that_is_compared(widget, result):
    widget._parameters.reference = volume("sub-01 T1w after Gd", 300)
    assert "is T1wGd, not FLAIR" in widget.ui.lookingNote.text


def test_a_name_that_tells_nothing_is_not_doubted(widget, scans):
    widget._parameters.reference = volume("series 7", 300)
    assert widget.ui.referenceDoubtLabel.text == ""


def head(widget):
    """A brain, and the same brain in a skull whose fat is nearly twice as bright."""
    import slicer

    chance = np.random.default_rng(0)
    brain = np.zeros((40, 60, 60), np.float32)
    brain[5:35, 15:45, 15:45] = chance.uniform(400, 1000, (30, 30, 30))
    skull = np.zeros(brain.shape, bool)
    skull[3:37, 5:55, 5:55] = True
    skull &= brain == 0
    whole = brain.copy()
    whole[skull] = chance.uniform(300, 1800, skull.sum())
    synthetic = slicer.util.addVolumeFromArray(brain.astype(np.int16), name="SYNTHETIC FLAIR")
    return synthetic, slicer.util.addVolumeFromArray(whole, name="real FLAIR"), brain > 0


def test_a_perfect_synthesis_differs_by_nothing_from_a_reference_with_skull(widget):
    import slicer

    from MRTranslateGui.Comparison import Comparison

    synthetic, reference, inside = head(widget)
    comparison = Comparison(synthetic, reference, reference, sourceUnit=1000.0)
    assert comparison.setDifference(True) is None
    difference = slicer.util.arrayFromVolume(slicer.util.getNode("* minus *"))
    assert abs(float(difference[inside].mean())) < 0.01
    comparison.close()


def test_on_another_grid_all_voxels_above_zero_count(widget):
    from MRTranslateGui.Results import estimatedUnit

    synthetic, reference, _inside = head(widget)
    synthetic.SetOrigin(0.5, 0.0, 0.0)
    assert estimatedUnit(reference, brain=synthetic) > 1500
