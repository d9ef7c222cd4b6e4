from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing import brain_mask as module
from MRTranslateLib.preprocessing.brain_extraction import BrainExtraction
from MRTranslateLib.preprocessing.brain_mask import brain_mask, stripped_outline
from MRTranslateLib.volume import Volume

SHAPE, SPACING = (72, 88, 70), (2.5, 2.5, 2.5)


def _radius_mm(scale: float = 1.0) -> np.ndarray:
    points = (np.indices(SHAPE) - (np.reshape(SHAPE, (3, 1, 1, 1)) - 1) / 2) * 2.5
    return np.linalg.norm(points / np.reshape((66, 84, 62), (3, 1, 1, 1)), axis=0) / scale


def _brain() -> np.ndarray:
    return _radius_mm() < 1


def _stripped(background: float = 0.0) -> Volume:
    """A brain of 1440 ml with fluid clipped to the background in ventricles and a 2.5 mm wide sulcus."""
    array = np.where(_brain(), 500.0, background) + np.random.default_rng(0).normal(0, 20, SHAPE) * _brain()
    array[34:38, 38:50, 32:38] = background
    array[36, :, 50:] = background
    return Volume(array.astype(np.float32), np.diag([*SPACING, 1.0]))


def _head() -> Volume:
    """The same brain inside dark skull and bright scalp; exact zeros in the air."""
    array = np.where(_brain(), 500.0, np.where(_radius_mm() < 1.1, 30.0, np.where(_radius_mm() < 1.2, 900.0, 0.0)))
    return Volume(array.astype(np.float32), np.diag([*SPACING, 1.0]))


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.fixture
def extracted(monkeypatch) -> BrainExtraction:
    """Stands in for the extraction, which has its own tests."""
    mask = Volume(_brain(), np.diag([*SPACING, 1.0]))
    extraction = BrainExtraction(mask, 1440.0, 0.5, 0.95, ("the extracted brain mask is doubtful",))
    monkeypatch.setattr(module, "extract_brain", lambda volume, progress: extraction)
    return extraction


def test_a_stripped_image_gives_its_outline_with_fluid_filled():
    result = brain_mask(_stripped())
    assert result.origin == "zero background"
    assert result.warnings == ()
    assert result.volume.array.dtype == bool
    assert _dice(result.volume.array, _brain()) > 0.999
    assert result.volume.array[36, 44, 35]


def test_a_constant_background_other_than_zero_counts_as_stripped():
    assert _dice(brain_mask(_stripped(background=-1024.0)).volume.array, _brain()) > 0.999


def test_specks_beside_the_brain_are_left_out():
    volume = _stripped()
    volume.array[2:4, 2:4, 2:4] = volume.array[-4:-2, -4:-2, -4:-2] = 100
    assert _dice(brain_mask(volume).volume.array, _brain()) > 0.999


def test_zeros_in_the_air_around_a_head_do_not_make_it_stripped(extracted):
    result = brain_mask(_head())
    assert stripped_outline(_head()) is None
    assert result.origin == "extracted"
    assert result.volume is extracted.mask
    assert result.warnings == extracted.warnings


def test_a_small_head_is_told_by_its_dark_skull():
    small = Volume(_head().array, np.diag([2.0, 2.0, 2.0, 1.0]))  # 1270 ml in all
    assert stripped_outline(small) is None


def test_an_even_body_larger_than_any_brain_is_not_stripped():
    body = np.where(_radius_mm(1.25) < 1, 500.0, 0.0).astype(np.float32)  # 2800 ml
    assert stripped_outline(Volume(body, np.diag([*SPACING, 1.0]))) is None


def test_corners_that_differ_are_no_background():
    volume = _stripped()
    volume.array[0, 0, :] = [*np.linspace(1, 9, SHAPE[2])]
    volume.array[-1, -1, 0] = 5
    assert stripped_outline(volume) is None


def test_a_noisy_background_is_not_stripped():
    head = _head()
    noise = np.abs(np.random.default_rng(0).normal(0, 10, SHAPE)).astype(np.float32)
    assert stripped_outline(head.with_array(head.array + noise)) is None


def test_an_outline_larger_than_a_brain_is_warned_of():
    array = np.where(_radius_mm(1.12) < 1, 500.0, 0.0).astype(np.float32)
    (warning,) = brain_mask(Volume(array, np.diag([*SPACING, 1.0]))).warnings
    assert "remnants may be left" in warning


def test_the_mask_given_is_taken_as_it_is_on_the_same_grid():
    given = _stripped().with_array(_brain().astype(np.int16) * 7)
    result = brain_mask(_stripped(), given)
    assert result.origin == "given"
    assert result.warnings == ()
    np.testing.assert_array_equal(result.volume.array, _brain())


def test_a_mask_on_another_grid_is_resampled_and_said_to_be():
    fine = Volume(_brain().repeat(2, 0), np.array([[1.25, 0, 0, -0.625], [0, 2.5, 0, 0], [0, 0, 2.5, 0], [0, 0, 0, 1]]))
    result = brain_mask(_stripped(), fine)
    np.testing.assert_array_equal(result.volume.array, _brain())
    assert "resampled" in result.warnings[0]


def test_a_mask_stored_left_posterior_superior_lies_on_the_same_grid():
    affine = _stripped().affine @ np.array(
        [[-1, 0, 0, SHAPE[0] - 1], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    result = brain_mask(_stripped(), Volume(_brain()[::-1, ::-1].astype(np.uint8), affine))
    assert result.warnings == ()
    np.testing.assert_array_equal(result.volume.array, _brain())


def test_an_image_is_no_brain_mask():
    image = _stripped().with_array(_stripped().array.astype(np.int16))
    with pytest.raises(InputError, match=r"the brain mask given holds \d+ different values.*0 outside the brain"):
        brain_mask(_stripped(), image)


def test_a_mask_of_twenty_labels_is_one_brain():
    labels = _stripped().with_array((_brain() * (1 + np.arange(SHAPE[0]) % 19)[:, None, None]).astype(np.uint8))
    np.testing.assert_array_equal(brain_mask(_stripped(), labels).volume.array, _brain())


@pytest.mark.parametrize(("scale", "size"), [(0.8, 738), (1.2, 2489)])
def test_a_mask_too_small_or_too_large_for_a_brain_is_warned_of_with_its_volume(scale, size):
    head = _stripped().with_array(np.where(_radius_mm(1.25) < 1, 500.0, 0.0).astype(np.float32))
    (warning,) = brain_mask(head, head.with_array((_radius_mm(scale) < 1).astype(np.uint8))).warnings
    assert warning.startswith(f"the brain mask given holds {size} ml")


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="given is empty"):
        brain_mask(_stripped(), _stripped().with_array(np.zeros(SHAPE, np.uint8)))


def test_a_mask_of_another_place_is_refused_with_its_overlap():
    far = np.diag([*SPACING, 1.0])
    far[0, 3] = 1000
    with pytest.raises(InputError, match="only 0 of the 14"):
        brain_mask(_stripped(), Volume(_brain(), far))


def test_a_mask_that_lies_on_background_is_warned_of():
    shifted = np.roll(_brain(), 45, axis=0)
    warnings = brain_mask(_stripped(), _stripped().with_array(shifted)).warnings
    assert any("lies on background" in warning for warning in warnings)


def test_a_mask_half_outside_is_warned_of():
    half = np.diag([*SPACING, 1.0])
    half[0, 3] = 90.0
    warnings = brain_mask(_stripped(), Volume(_brain(), half)).warnings
    assert any("lie outside the volume" in warning for warning in warnings)


def test_a_hole_is_filled_by_the_same_rule_as_scipy():
    body = _brain() & ~(_radius_mm(0.3) < 1)
    volume = Volume(np.where(body, 500.0, 0).astype(np.float32), np.diag([*SPACING, 1.0]))
    np.testing.assert_array_equal(brain_mask(volume).volume.array, ndimage.binary_fill_holes(body))
