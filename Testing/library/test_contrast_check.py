from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.preprocessing.contrast_check import check_contrast, contrast_features, likely_contrasts
from MRTranslateLib.volume import Volume

FLUID, CORTEX, WHITE = 1, 2, 3
LOOKS = {
    Contrast.T1W: {FLUID: 150, CORTEX: 500, WHITE: 700},
    Contrast.T2W: {FLUID: 1500, CORTEX: 520, WHITE: 400},
    Contrast.FLAIR: {FLUID: 60, CORTEX: 640, WHITE: 560},
}


def _brain(contrast: Contrast, spacing=(2.0, 2.0, 2.0)) -> tuple[Volume, Volume]:
    """An ellipsoid of white matter with a cortex of 9 mm and ventricles in the middle."""
    shape = tuple(round(n / mm) for n, mm in zip((160, 190, 150), spacing, strict=True))
    points = (np.indices(shape) - (np.reshape(shape, (3, 1, 1, 1)) - 1) / 2) * np.reshape(spacing, (3, 1, 1, 1))
    radius = np.linalg.norm(points / np.reshape((68, 84, 62), (3, 1, 1, 1)), axis=0)
    ventricle = np.linalg.norm(points / np.reshape((9, 22, 12), (3, 1, 1, 1)), axis=0) < 1
    tissue = np.where(radius > 1, 0, np.where(ventricle, FLUID, np.where(radius > 0.87, CORTEX, WHITE)))
    look = np.array([0, *LOOKS[contrast].values()], np.float32)
    image = look[tissue] + np.random.default_rng(0).normal(0, 10, shape).astype(np.float32)
    affine = np.diag([*spacing, 1.0])
    return Volume(image, affine), Volume(radius <= 1, affine)


@pytest.mark.parametrize("contrast", LOOKS)
def test_a_right_label_is_not_doubted(contrast):
    assert check_contrast(*_brain(contrast), contrast, "x.nii") == []


@pytest.mark.parametrize(
    ("contrast", "label"),
    [
        (Contrast.T1W, Contrast.T2W),
        (Contrast.T1W, Contrast.FLAIR),
        (Contrast.T2W, Contrast.T1W),
        (Contrast.T2W, Contrast.T1W_GD),
        (Contrast.T2W, Contrast.FLAIR),
        (Contrast.FLAIR, Contrast.T1W),
        (Contrast.FLAIR, Contrast.T2W),
    ],
)
def test_a_wrong_label_is_doubted_and_the_likely_ones_are_named(contrast, label):
    (warning,) = check_contrast(*_brain(contrast), label, "x.nii")
    assert warning.startswith(f"x.nii is labelled {label} but looks more like ")
    assert contrast in warning.split("more like")[1]


def test_features_are_the_ratios_that_the_tissues_were_given():
    features = contrast_features(*_brain(Contrast.T1W))
    assert features.dark == pytest.approx(150 / 700, rel=0.1)
    assert features.bright == pytest.approx(1.0, abs=0.06)
    assert features.cortex == pytest.approx(500 / 700, rel=0.05)


def test_thick_slices_and_gain_do_not_change_the_judgement():
    volume, mask = _brain(Contrast.T2W, (1.0, 1.0, 5.0))
    assert likely_contrasts(volume.with_array(volume.array * 0.01), mask) == {Contrast.T2W, Contrast.PDW}


def test_nothing_is_doubted_on_a_mask_too_small_to_tell():
    volume, mask = _brain(Contrast.T2W)
    small = np.zeros_like(mask.array)
    small[38:42, 45:50, 35:40] = True
    assert check_contrast(volume, mask.with_array(small), Contrast.T1W, "x.nii") == []


def test_it_works_before_the_packages_that_slicer_lacks_are_installed():
    missing = ("nibabel", "msgspec", "safetensors", "torch", "psutil")
    code = f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"  # None: importing it raises ImportError
    code += "import MRTranslateLib.preprocessing.contrast_check, MRTranslateLib.volume"
    subprocess.run([sys.executable, "-c", code], check=True)
