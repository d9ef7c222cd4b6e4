"""The fit of a target's level on training people."""

import dataclasses

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.level import level_signs
from Testing.library.level_examples import head
from training.data.cache import CachedScan
from training.levels import VOXEL_MM, fit_level, fit_levels

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
SLOPES = (1.5, -6.0)


def person(number, *, noise=0.0, session=""):
    """Whose FLAIR has a level that follows from two signs of the T2w; sessions of a person are alike."""
    rng = np.random.default_rng(number)
    source = head(blob=rng.uniform(0, 0.45)) * np.float32(rng.uniform(0.5, 1.0))
    stored = (255 * source).round().astype(np.uint8)
    signs = level_signs(stored / np.float32(255), VOXEL_MM)
    level = np.exp(-0.9 + SLOPES[0] * signs.median + SLOPES[1] * signs.asymmetry + noise * rng.standard_normal())
    target = (255 * level * (source > 0)).round().astype(np.uint8)
    brain = stored > 0
    return CachedScan(f"sub-{number:02d}{session}", {T2W: stored, FLAIR: target}, brain, 0 * stored, False)


@pytest.fixture(scope="module")
def people():
    return [person(number) for number in range(10)]


def test_a_relation_is_found_again(people):
    model = fit_level(people, FLAIR, T2W)
    told = [
        model.level(*dataclasses.astuple(level_signs(scan.images[T2W] / np.float32(255), VOXEL_MM))) for scan in people
    ]
    true = [np.median(scan.images[FLAIR][scan.brain]) / 255 for scan in people]
    # The ridge keeps some of it back; a constant would be 0.12 off.
    np.testing.assert_allclose(told, true, rtol=0.05)
    assert model.num_people == 10


def test_the_range_is_that_of_the_training_people(people):
    model = fit_level(people, FLAIR, T2W)
    true = [np.median(scan.images[FLAIR][scan.brain]) / 255 for scan in people]
    assert (model.lowest, model.highest) == pytest.approx((min(true), max(true)))


def test_the_error_is_that_on_people_who_were_left_out_with_all_their_sessions():
    scans = [person(number, noise=0.3, session=session) for number in range(6) for session in ("_ses-1", "_ses-2")]
    squares = []
    for left_out in scans:
        rest = [scan for scan in scans if scan.case_id.partition("_")[0] != left_out.case_id.partition("_")[0]]
        model = fit_level(rest, FLAIR, T2W)
        signs = level_signs(left_out.images[T2W] / np.float32(255), VOXEL_MM)
        told = model.intercept + model.per_median * signs.median + model.per_asymmetry * signs.asymmetry
        squares.append((told - np.log(np.median(left_out.images[FLAIR][left_out.brain]) / 255)) ** 2)
    assert fit_level(scans, FLAIR, T2W).relative_error == pytest.approx(np.sqrt(np.mean(squares)))


def test_people_without_the_contrasts_are_passed_over(people):
    lacking = dataclasses.replace(people[0], case_id="sub-99", images={T2W: people[0].images[T2W]})
    assert fit_level([*people, lacking], FLAIR, T2W) == fit_level(people, FLAIR, T2W)


def test_too_few_people_are_refused(people):
    with pytest.raises(InputError, match="4 people have T2w and FLAIR, and 5 are needed"):
        fit_level(people[:4], FLAIR, T2W)


def test_every_wanted_target_gets_its_model(people):
    assert [model.target for model in fit_levels(people, [(FLAIR, T2W)])] == [FLAIR]


def test_a_contrast_does_not_tell_its_own_level(people):
    with pytest.raises(UsageError, match="--level FLAIR FLAIR: a contrast cannot tell its own level"):
        fit_levels(people, [(FLAIR, FLAIR)])


def test_a_level_told_twice_is_refused_and_not_overwritten(people):
    with pytest.raises(UsageError, match="FLAIR is to be told from T2w and from T1w"):
        fit_levels(people, [(FLAIR, T2W), (FLAIR, T1W)])
