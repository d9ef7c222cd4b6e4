"""The parts of the checks, each against an answer known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.plausibility import discrepancies
from MRTranslateLib.plausibility.counterpart import explained_share
from MRTranslateLib.plausibility.coverage import covered
from MRTranslateLib.plausibility.erasures import Erasure, find_erasures
from MRTranslateLib.plausibility.expectation import typical_size, unexplained
from MRTranslateLib.plausibility.hallucinations import Hallucination, find_hallucinations
from MRTranslateLib.plausibility.mirrored import REACH_VOXELS, beyond_mirror, minus_mirror
from MRTranslateLib.plausibility.sentences import place_in_words, sentence
from MRTranslateLib.plausibility.standing_out import Region, regions_standing_out
from MRTranslateLib.plausibility.symmetric_grid import symmetric_grid

SHAPE = (41, 44, 40)


def distance(centre, shape=SHAPE):
    return np.sqrt(sum((along - at) ** 2 for along, at in zip(np.indices(shape), centre, strict=True)))


@pytest.fixture(scope="module")
def brain():
    return distance((20, 22, 20)) < 19


@pytest.fixture(scope="module")
def source(brain):
    """Smooth tissue between 0.2 and 0.8, the same on both sides."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(SHAPE), 2)
    noise += noise[::-1]
    return (np.clip(0.5 + 0.15 * noise / noise.std(), 0.2, 0.8) * brain).astype(np.float32)


@pytest.mark.parametrize("tilt_deg", [(0, 0, 0), (0, 9, 0), (6, -5, 8)])
def test_the_plane_of_symmetry_is_found_however_the_head_is_tilted(tilt_deg):
    turn = Rotation.from_euler("xyz", tilt_deg, degrees=True).as_matrix()
    spacing, shape = 3.0, (60, 70, 56)
    points = (np.stack(np.indices(shape), -1) - (np.array(shape) - 1) / 2) * spacing
    x, y, z = np.moveaxis(points @ turn, -1, 0)  # the head's own directions: its right is turn[:, 0]
    brain = ((x / 62) ** 2 + (y / 80) ** 2 + (z / 60) ** 2 < 1) & (x < 48)  # cut: its centre lies off the plane
    ventricles = ((np.abs(x) - 14) / 8) ** 2 + (y / 30) ** 2 + ((z - 8) / 14) ** 2 < 1
    image = (brain * (0.5 + 0.3 * np.cos(y / 18) * np.cos(x / 11)) - 0.3 * ventricles * brain).astype(np.float32)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [5.0, -7.0, 11.0]
    grid = symmetric_grid(image, brain, affine)
    right = grid.affine[:3, 0] / 2
    head = affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]
    middle = grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    assert abs((middle - head) @ right) < 2.0
    assert np.degrees(np.arccos(np.clip(right @ turn[:, 0], -1, 1))) < 1.0
    upright = grid.sample(image, affine)
    assert np.abs(upright - upright[::-1])[(upright > 0) & (upright[::-1] > 0)].mean() < 0.06


def test_the_mean_survives_sampling_on_coarser_voxels(brain, source):
    affine = np.diag([1.0, 1, 1, 1])
    grid = symmetric_grid(source, brain, affine)
    assert grid.sample(source, affine).sum() * grid.voxel_ml == pytest.approx(source.sum() / 1000, rel=0.03)


def test_what_follows_the_sources_is_explained_whatever_gain_and_coil(brain, source):
    uneven = 1 + 0.2 * np.indices(SHAPE)[1] / SHAPE[1]
    image = ((1.0 - 0.7 * source) * uneven * 0.8 * brain).astype(np.float32)
    residual = np.abs(unexplained(image, [source], brain))[brain]
    assert residual.mean() < 0.01
    assert residual.max() < 0.06  # without the local fit 0.1


def test_a_blob_that_no_source_shows_stays_unexplained(brain, source):
    blob = 0.3 * np.exp(-((distance((12, 20, 22)) / 6) ** 2))
    image = ((1.0 - 0.7 * source + blob) * brain).astype(np.float32)
    residual = unexplained(image, [source], brain)
    assert residual[12, 20, 22] == pytest.approx(0.3, abs=0.02)
    assert np.abs(residual[distance((12, 20, 22)) > 14]).max() < 0.03


def test_the_usual_size_of_normal_noise_is_its_standard_deviation(brain, source):
    noise = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32) * brain
    bright = source > 0.5
    size = typical_size(noise * np.where(bright, 0.10, 0.02).astype(np.float32), [source], brain)
    assert size[brain & (source > 0.7)].mean() == pytest.approx(0.10, rel=0.35)
    assert size[brain & (source < 0.35)].mean() == pytest.approx(0.02, rel=0.35)


def test_a_symmetric_image_does_not_depart_from_its_mirror(brain, source):
    assert not beyond_mirror(source, brain).any()


def test_a_shift_within_the_reach_is_excused_and_a_bump_is_not(brain, source):
    shifted = np.roll(source, REACH_VOXELS, axis=1) * brain
    inner = ndimage.binary_erosion(brain, iterations=2 * REACH_VOXELS)
    one_sided = np.where(np.indices(SHAPE)[0] > 20, shifted, source)
    assert np.abs(beyond_mirror(one_sided, brain))[inner].max() < 1e-6
    flat = np.where(brain, np.float32(0.5), np.float32(0))
    flat[8, 20, 20] = 0.8
    departure = beyond_mirror(flat, brain)
    assert departure[8, 20, 20] == pytest.approx(0.3)
    assert np.count_nonzero(departure) == 1
    assert minus_mirror(flat, brain)[8, 20, 20] == pytest.approx(0.3)


def test_places_without_a_mirrored_brain_are_not_judged(brain, source):
    half = brain & (np.indices(SHAPE)[0] < 20)
    assert not beyond_mirror(source * half, half).any()


def test_a_function_of_the_other_image_is_a_counterpart_and_noise_is_none(brain, source):
    region = (distance((12, 20, 20)) < 4) & brain
    around = ndimage.binary_dilation(region, iterations=3) & brain
    assert explained_share(1 - 0.5 * source**2, [source], region, around) == pytest.approx(1.0, abs=1e-3)
    blob = np.where(region, 1.0, 0.0).astype(np.float32)
    noise = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    assert explained_share(blob, [noise], region, around) < 0.05


def test_regions_come_highest_first_at_half_height():
    high = 0.4 * np.exp(-((distance((10, 20, 20)) / 4) ** 2))
    low = 0.2 * np.exp(-((distance((30, 20, 20)) / 4) ** 2))
    first, second = regions_standing_out((high + low).astype(np.float32), (high + low).astype(np.float32), 0.05)
    assert (first.peak, second.peak) == ((10, 20, 20), (30, 20, 20))
    radius = 4 * np.sqrt(np.log(2) * (1 + 2 / 16))  # a Gaussian of width 4, smoothed by one voxel
    assert first.mask.sum() == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.2)


def test_a_region_too_large_at_half_height_is_cut_higher_up():
    # A peak on a wide hill of 0.6 of its height: at half height both are one region.
    hill = 0.3 * (distance((14, 20, 20)) < 12) + 0.2 * np.exp(-((distance((12, 20, 20)) / 4) ** 2))
    profile = hill.astype(np.float32)
    whole = regions_standing_out(profile, profile, 0.05, largest_voxels=profile.size)[0]
    cut = regions_standing_out(profile, profile, 0.05, largest_voxels=600)[0]
    assert cut.peak == whole.peak
    assert cut.mask.sum() <= 600 < whole.mask.sum()
    np.testing.assert_allclose(np.argwhere(cut.mask).mean(axis=0), (12, 20, 20), atol=1)


def test_a_part_without_data_and_its_margin_are_left_out(brain, source):
    cut = source.copy()
    cut[:, :, 28:] = 0
    inside = covered([source, cut], brain)
    assert not inside[12:29, 14:31, 25:].any()
    assert np.array_equal(inside[:, :, :20], brain[:, :, :20])
    assert np.array_equal(covered([source], brain), brain)


def test_a_place_is_named_in_words_for_both_kinds_of_readers():
    assert place_in_words("left anterior superior") == "left frontal (upper front left)"


def test_a_sentence_says_what_where_how_large_and_what_to_do():
    text = sentence("erasure", "bright", 2.34, "right posterior superior", target=Contrast.FLAIR, contrast=Contrast.T2W)
    assert text == (
        "A bright structure of 2.3 ml that T2w shows, right parietal (upper back right), is not to be seen in the "
        "synthetic FLAIR: look at T2w there and do not rely on the synthetic image."
    )


def blob(centre, height, width_voxels=4.0):
    """Flat within, with soft edges."""
    return height / (1 + np.exp(distance(centre) - width_voxels))


@pytest.fixture(scope="module")
def calm(brain, source):
    """As ``source``, between 0.4 and 0.6."""
    return ((0.5 + (source - 0.5) / 3) * brain).astype(np.float32)


def translated(source, brain):
    return ((1.0 - 0.7 * source) * brain).astype(np.float32)


@pytest.mark.parametrize(("factor", "contrast"), [(1, Contrast.T2W), (-1, Contrast.T1W)])
def test_a_lesion_of_a_source_that_the_result_lacks_is_an_erasure(brain, calm, factor, contrast):
    lesion = blob((10, 20, 22), 0.25)
    ill = ((calm + factor * lesion) * brain).astype(np.float32)
    found = find_erasures(translated(calm, brain), Contrast.FLAIR, {contrast: ill}, brain)
    assert {erasure.contrast for erasure in found} == {contrast}
    assert max(erasure.score for erasure in found) > 1.3
    assert all(distance((10, 20, 22))[erasure.region.mask].mean() < 4 for erasure in found)
    opposite = ((calm - factor * lesion) * brain).astype(np.float32)  # not as lesions look
    assert find_erasures(translated(calm, brain), Contrast.FLAIR, {contrast: opposite}, brain) == []


def test_a_lesion_that_the_result_shows_is_no_erasure(brain, calm):
    ill = ((calm + blob((10, 20, 22), 0.25)) * brain).astype(np.float32)
    assert find_erasures(translated(ill, brain), Contrast.FLAIR, {Contrast.T2W: ill}, brain) == []


def test_the_core_of_a_lesion_whose_border_the_result_shows_in_part_is_no_erasure(brain, calm):
    centre = (10, 20, 22)
    ill = ((calm + blob(centre, 0.3, 4.0)) * brain).astype(np.float32)
    result = translated(calm, brain)
    assert find_erasures(result, Contrast.FLAIR, {Contrast.T2W: ill}, brain)
    rim = (blob(centre, 0.6, 9.0) - blob(centre, 0.6, 6.0)) * (np.indices(SHAPE)[1] > centre[1] + 2)
    bordered = ((result + rim) * brain).astype(np.float32)
    assert find_erasures(bordered, Contrast.FLAIR, {Contrast.T2W: ill}, brain) == []


def test_beside_the_surface_a_faint_difference_is_no_erasure(brain, calm):
    for centre, expected in (((12, 20, 20), True), ((4, 16, 20), False)):
        ill = ((calm + blob(centre, 0.14)) * brain).astype(np.float32)
        assert bool(find_erasures(translated(calm, brain), Contrast.FLAIR, {Contrast.T2W: ill}, brain)) == expected


def test_a_rim_along_the_surface_is_no_hallucination_and_a_ball_is_one(brain, calm):
    rim = brain & ~ndimage.binary_erosion(brain, iterations=2) & (distance((6, 34, 20)) < 12)
    image = translated(calm, brain)
    assert find_hallucinations(image + np.float32(0.3) * rim, [calm], brain) == []
    ball = (blob((10, 20, 22), 0.3) * brain).astype(np.float32)
    assert len(find_hallucinations(image + ball, [calm], brain)) == 1


@pytest.mark.parametrize(("shift_voxels", "kinds"), [(2, {"erasure"}), (9, {"erasure", "hallucination"})])
def test_a_structure_without_counterpart_is_named_unless_most_of_it_is_an_erased_lesion(
    brain, calm, monkeypatch, shift_voxels, kinds
):
    def region_about(shape, centre):
        axes = np.meshgrid(*(np.arange(length) - at for length, at in zip(shape, centre, strict=True)), indexing="ij")
        return Region(np.sqrt(np.square(axes).sum(axis=0)) < 6, 0.2, centre)

    def erasures(synthetic, *others):
        return [Erasure(region_about(synthetic.shape, (10, 20, 22)), Contrast.T2W, "bright", 2.0)]

    def hallucinations(synthetic, *others):
        return [Hallucination(region_about(synthetic.shape, (10, 20 + shift_voxels, 22)), "dark", 2.0)]

    monkeypatch.setattr(discrepancies, "find_erasures", erasures)
    monkeypatch.setattr(discrepancies, "find_hallucinations", hallucinations)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    found = discrepancies.find_discrepancies(calm, Contrast.FLAIR, {Contrast.T2W: calm}, brain, affine)
    assert {finding.kind for finding in found} == kinds
