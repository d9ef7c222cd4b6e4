"""The level of a target: told from a source as a whole, and what a result is brought to."""

import math

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.level import GAIN_RANGE, LevelCurve, brightest_sign, level_curve, level_signs
from MRTranslateLib.inference.slices import SliceJob, translate_slices
from MRTranslateLib.networks.generator import build_generator
from MRTranslateLib.networks.level_model import LevelSigns
from MRTranslateLib.progress import Progress
from Testing.library.conftest import CopyGenerator
from Testing.library.level_examples import MODEL, head

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
VOXEL_MM = (2.0, 2.0, 2.0)
SIZE = {"num_neighbours": 1, "widths": [8, 8], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
ARCHITECTURE = ("unet25d", SIZE)


def job(sources, indices=None):
    count = len(next(iter(sources.values())))
    rows = np.arange(count) if indices is None else indices
    return SliceJob(sources, FLAIR, rows, (0, count - 1), 1, VOXEL_MM)


class LevelledCopy(CopyGenerator):
    levels = (MODEL,)


def signs_of(source, voxel_size_mm=VOXEL_MM):
    """Of a source and its copy."""
    return level_signs(source, voxel_size_mm, source[source > 0])


def test_the_median_is_that_of_the_brain():
    assert signs_of(head()).median == pytest.approx(0.4)


def test_a_symmetric_brain_has_no_asymmetry_and_one_sided_brightness_has():
    assert signs_of(head()).asymmetry < 0.005
    assert signs_of(head(blob=0.4)).asymmetry > 0.02


def test_a_tilted_head_is_as_symmetric_as_an_upright_one():
    assert signs_of(head(tilt_deg=10)).asymmetry < 0.01


def test_thick_slices_are_as_asymmetric_as_thin_ones():
    thin = head(blob=0.4)
    thick = signs_of(np.ascontiguousarray(thin[::3]), (6.0, 2.0, 2.0))
    assert thick.asymmetry == pytest.approx(signs_of(thin).asymmetry, rel=0.1)


def test_it_does_not_matter_which_side_is_ill():
    image = head(blob=0.4)
    other = signs_of(np.ascontiguousarray(image[:, :, ::-1]))
    assert signs_of(image).asymmetry == pytest.approx(other.asymmetry, rel=0.05)


def test_the_level_is_the_exponential_of_a_line():
    assert MODEL.level(LevelSigns(0.3, 0.02, 0.4)) == pytest.approx(math.exp(-0.9 + 1.4 * 0.3 - 3.9 * 0.02 - 0.7 * 0.4))


def test_what_is_brightest_is_told_against_the_median():
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    assert brightest_sign(values) == pytest.approx(math.log(0.995 / 0.5))
    assert brightest_sign(0.3 * values) == pytest.approx(math.log(0.995 / 0.5))


def test_a_result_with_a_bright_tumour_is_brought_to_a_lower_level():
    source = np.clip(head(), 0, 0.5)
    with_tumour = np.where(head(blob=0.4) > head(), 0.9, source).astype(np.float32)
    levels = [curve_of((MODEL,), FLAIR, {T2W: source}, result).level for result in (source, with_tumour)]
    assert levels[1] < 0.9 * levels[0]


@pytest.mark.parametrize(("median", "level"), [(0.9, 0.75), (-2.0, 0.35)])
def test_no_level_is_told_beyond_those_of_the_training_people(median, level):
    assert MODEL.level(LevelSigns(median, 0.0, 0.0)) == level


def test_a_result_is_brought_to_the_level_that_the_source_tells():
    source = head(blob=0.4)
    signs = signs_of(source)
    result = translate_slices(LevelledCopy(), job({T2W: source}), Execution("cpu", "fp32", 1), Progress())
    assert np.median(result.slices[source > 0]) == pytest.approx(MODEL.level(signs), rel=1e-4)


def test_what_the_source_says_of_some_slices_it_says_as_a_whole():
    source = head(blob=0.4)
    few = np.arange(30, 40)
    result = translate_slices(LevelledCopy(), job({T2W: source}, few), Execution("cpu", "fp32", 1), Progress())
    signs = signs_of(source)
    assert np.median(result.slices[source[few] > 0]) == pytest.approx(MODEL.level(signs), rel=1e-4)


def curve_of(models, target, sources, translated):
    return level_curve(models, target, sources, VOXEL_MM, translated, translated > 0)


def test_the_result_says_what_it_was_changed_by():
    source = head(blob=0.4)
    curve = translate_slices(LevelledCopy(), job({T2W: source}), Execution("cpu", "fp32", 1), Progress()).curve
    assert curve.source == T2W
    assert curve.median == pytest.approx(np.median(source[source > 0]))


@pytest.mark.parametrize(("models", "sources"), [((), {T2W}), ((MODEL,), {T1W})], ids=["no model", "no such source"])
def test_without_model_or_source_a_result_is_left_as_it_is(models, sources):
    source = head()
    assert curve_of(models, FLAIR, dict.fromkeys(sources, source), source) is None


def test_another_target_is_left_as_it_is():
    assert curve_of((MODEL,), T1W, {T2W: head()}, head()) is None


def test_an_empty_source_tells_nothing():
    assert curve_of((MODEL,), FLAIR, {T2W: 0 * head()}, head()) is None


def test_a_result_that_is_nearly_black_is_left_as_it_is():
    assert curve_of((MODEL,), FLAIR, {T2W: head()}, head() / 100) is None


def test_a_result_is_never_changed_by_more_than_the_range():
    dark = head() / 4
    curve = curve_of((MODEL,), FLAIR, {T2W: head()}, dark)
    assert curve.level == pytest.approx(GAIN_RANGE[1] * np.median(dark[dark > 0]))


def test_the_curve_leads_from_black_by_the_level_to_half_the_gain():
    curve = LevelCurve(T2W, median=0.5, level=0.4)
    made = curve(np.array([0, 0.25, 0.5, 0.75, 1.0], np.float32))
    np.testing.assert_allclose(made, [0, 0.2, 0.4, 0.65, 0.9], rtol=1e-6)


@pytest.mark.parametrize("level", [0.3, 0.5, 0.74])
def test_the_curve_keeps_order_and_range(level):
    values = np.linspace(-0.1, 1.2, 200, dtype=np.float32)
    made = LevelCurve(T2W, median=0.5, level=level)(values)
    assert (np.diff(made) >= 0).all()
    assert made.min() == 0
    assert made.max() <= 1


def test_at_its_own_level_a_result_stays_as_it_is():
    values = np.linspace(0, 1, 50, dtype=np.float32)
    np.testing.assert_allclose(LevelCurve(T2W, median=0.5, level=0.5)(values), values, atol=1e-6)


def test_a_levelled_generator_is_its_own_generator_with_models():
    name, parameters = ARCHITECTURE
    levels = [msgspec.to_builtins(MODEL)]
    levelled = build_generator("levelled", {"architecture": name, "parameters": parameters, "levels": levels})
    assert levelled.levels == (MODEL,)
    assert levelled.size_multiple == build_generator(name, parameters).size_multiple


def test_two_levels_of_one_target_are_refused():
    name, parameters = ARCHITECTURE
    levels = msgspec.to_builtins([MODEL, MODEL])
    with pytest.raises(ModelError, match="each target once"):
        build_generator("levelled", {"architecture": name, "parameters": parameters, "levels": levels})


def test_the_level_of_a_contrast_from_itself_is_refused():
    with pytest.raises(ValueError, match="cannot be told from itself"):
        msgspec.structs.replace(MODEL, source=FLAIR).__post_init__()
