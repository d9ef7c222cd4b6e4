"""The fit of a target's level on training people."""

import dataclasses

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.inference.level import level_signs
from Testing.library.level_examples import head
from training.data.cache import CachedScan
from training.levels import EVERY, VOXEL_MM, fit_level, fit_levels

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
SLOPES = (1.5, -6.0, -0.5)


def translated(scan, route, rows):
    """What a generator would make: the first source, its upper half brighter by a number of the person's own."""
    gain = 1 + 0.05 * int(scan.case_id[4:6]) * (np.arange(len(rows)) > len(rows) // 2)
    return (scan.images[route[0][0]][rows] / 255 * gain[:, None, None]).astype(np.float32)


def signs_of(scan):
    rows = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::EVERY]
    return level_signs(scan.unit(T2W), VOXEL_MM, translated(scan, ((T2W,), FLAIR), rows)[scan.brain[rows]])


def person(number, *, noise=0.0, session=""):
    """Whose FLAIR has a level that follows from three signs; sessions of a person are alike."""
    rng = np.random.default_rng(number)
    source = head(blob=rng.uniform(0, 0.45)) * np.float32(rng.uniform(0.5, 1.0))
    stored = (255 * source).round().astype(np.uint8)
    scan = CachedScan(f"sub-{number:02d}{session}", {T2W: stored}, stored > 0, 0 * stored, False)
    level = np.exp(-0.9 + np.dot(SLOPES, dataclasses.astuple(signs_of(scan))) + noise * rng.standard_normal())
    scan.images[FLAIR] = (255 * level * (source > 0)).round().astype(np.uint8)
    return scan


def true_level(scan):
    return np.median(scan.images[FLAIR][scan.brain]) / 255


@pytest.fixture(scope="module")
def people():
    return [person(number) for number in range(10)]


def test_a_relation_is_found_again(people):
    model = fit_level(people, FLAIR, T2W, translated)
    told = [model.level(signs_of(scan)) for scan in people]
    # The ridge keeps some of it back; a constant would be 0.12 off.
    np.testing.assert_allclose(told, [true_level(scan) for scan in people], rtol=0.05)
    assert model.num_people == 10


def test_the_range_is_that_of_the_training_people(people):
    model = fit_level(people, FLAIR, T2W, translated)
    true = [true_level(scan) for scan in people]
    assert (model.lowest, model.highest) == pytest.approx((min(true), max(true)))


def test_the_error_is_that_on_people_who_were_left_out_with_all_their_sessions():
    scans = [person(number, noise=0.3, session=session) for number in range(6) for session in ("_ses-1", "_ses-2")]
    squares = []
    for left_out in scans:
        rest = [scan for scan in scans if scan.case_id.partition("_")[0] != left_out.case_id.partition("_")[0]]
        model = fit_level(rest, FLAIR, T2W, translated)
        slopes = (model.per_median, model.per_asymmetry, model.per_brightest)
        told = model.intercept + np.dot(slopes, dataclasses.astuple(signs_of(left_out)))
        squares.append((told - np.log(true_level(left_out))) ** 2)
    assert fit_level(scans, FLAIR, T2W, translated).relative_error == pytest.approx(np.sqrt(np.mean(squares)))


def test_every_set_of_sources_with_the_source_has_its_say(people):
    asked = set()

    def predict(scan, route, rows):
        asked.add(route)
        return translated(scan, route, rows)

    with_t1w = [dataclasses.replace(scan, images={T1W: scan.images[T2W], **scan.images}) for scan in people]
    fit_level(with_t1w, FLAIR, T2W, predict)
    assert asked == {((T2W,), FLAIR), ((T1W, T2W), FLAIR)}


def test_people_without_the_contrasts_are_passed_over(people):
    lacking = CachedScan("sub-99", {T1W: people[0].images[T2W]}, people[0].brain, people[0].lesion, False)
    assert fit_level([*people, lacking], FLAIR, T2W, translated) == fit_level(people, FLAIR, T2W, translated)


def test_too_few_people_are_refused(people):
    with pytest.raises(InputError, match="4 people have T2w and FLAIR, and 5 are needed"):
        fit_level(people[:4], FLAIR, T2W, translated)


def test_every_wanted_target_gets_its_model(people):
    assert [model.target for model in fit_levels(people, [(FLAIR, T2W)], translated)] == [FLAIR]


def test_a_contrast_does_not_tell_its_own_level(people):
    with pytest.raises(UsageError, match="--level FLAIR FLAIR: a contrast cannot tell its own level"):
        fit_levels(people, [(FLAIR, FLAIR)], translated)


def test_a_level_told_twice_is_refused_and_not_overwritten(people):
    with pytest.raises(UsageError, match="FLAIR is to be told from T2w and from T1w"):
        fit_levels(people, [(FLAIR, T2W), (FLAIR, T1W)], translated)
