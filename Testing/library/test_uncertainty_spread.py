"""Members and their spread: each does what it says, and spreads are those that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.slices import SliceJob, translate_slices
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.members import BIAS_COEFFICIENT, GAIN, MEMBERS, Member, perturbed_sources
from MRTranslateLib.uncertainty.signal import (
    CONTRAST_SHARE,
    DROPPED_WEIGHT,
    POSITION_VOXELS,
    error_signal,
    smoothed_spread,
)
from MRTranslateLib.uncertainty.spread import Spread, spread_slices

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
STILL = Member("still", None, mirrored=False)
ONE = Execution("cpu", "fp32", 1)
MM = (1.0, 1.0, 1.0)


class Told(Generator):
    """Answers with a function of its input."""

    num_neighbours = 1
    size_multiple = 1

    def __init__(self, answer):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.answer = answer
        self.seen = []

    def train_pred(self, slices, target_code):
        self.seen.append(slices)
        return self.answer(slices).expand(-1, len(Contrast), -1, -1)


def mean_of_sources(slices):
    return (slices.images[:, :, 0].sum(dim=1) / slices.availability.sum(dim=1)[:, None, None])[:, None]


def a_half(slices):
    return torch.full_like(slices.images[:, :1, 0], 0.5)


def job_of(*contrasts, values=None):
    random = np.random.default_rng(7)
    brain = np.zeros((5, 32, 28), bool)
    brain[:, 4:28, 4:24] = True
    sources = {
        contrast: (brain * (0.5 if values is None else values[contrast])).astype(np.float32) for contrast in contrasts
    }
    if values is None:
        for slices in sources.values():
            slices += (brain * 0.02 * random.standard_normal(brain.shape)).astype(np.float32)
    return SliceJob(sources, FLAIR, np.arange(5), (0, 4), 1, MM)


def spread_of(answer, job, seed=0, progress=None):
    generator = Told(answer)
    synthetic = translate_slices(generator, job, ONE, Progress()).slices
    generator.seen.clear()
    return spread_slices(generator, job, synthetic, ONE, progress or Progress(), seed=seed), generator


def test_a_generator_that_ignores_its_input_has_no_spread():
    spread, _ = spread_of(a_half, job_of(T1W, T2W))
    assert not spread.perturbed.any()
    assert not spread.dropped.any()
    assert not smoothed_spread(spread, job_of(T1W, T2W)).any()


def test_one_that_copies_spreads_with_its_source():
    spread, _ = spread_of(mean_of_sources, job_of(T1W))
    inside = spread.perturbed[:, 8:24, 8:20]
    assert 0.01 < inside.mean() < 0.06
    assert not spread.perturbed[:, :2].any()


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first, second, other = (spread_of(mean_of_sources, job_of(T1W), seed)[0].perturbed for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_only_several_sources_are_dropped_one_at_a_time():
    single, _ = spread_of(mean_of_sources, job_of(T1W))
    assert single.dropped is None
    assert len(single.members) == len(MEMBERS) == 6
    several, generator = spread_of(mean_of_sources, job_of(T1W, T2W))
    assert several.members[-2:] == ("without T1w", "without T2w")
    available = [tuple(slices.availability[0].tolist()) for slices in generator.seen[-10:]]
    assert available == [(0, 0, 1, 0, 0)] * 5 + [(1, 0, 0, 0, 0)] * 5


def test_the_spread_over_dropped_sources_is_their_standard_deviation():
    job = job_of(T1W, T2W, values={T1W: 0.2, T2W: 0.8})
    spread, _ = spread_of(mean_of_sources, job)
    # The translation itself is 0.5, without T1w 0.8, without T2w 0.2.
    np.testing.assert_allclose(spread.dropped[:, 10, 10], np.std([0.5, 0.8, 0.2], ddof=1), rtol=1e-4)


def test_the_spread_over_perturbed_sources_is_that_of_the_translations():
    job = job_of(T1W)
    spread, generator = spread_of(mean_of_sources, job)
    slices = [seen.images[0, 0, 0].numpy() for seen in generator.seen]
    runs = [np.stack(slices[5 * run : 5 * run + 5]) for run in range(len(MEMBERS))]
    runs = [run[:, :, ::-1] if member.mirrored else run for run, member in zip(runs, MEMBERS, strict=True)]
    np.testing.assert_allclose(spread.perturbed, np.std([job.sources[T1W], *runs], axis=0, ddof=1), atol=1e-6)


def test_a_cancelled_run_stops():
    progress = Progress()
    progress.cancelled.set()
    with pytest.raises(CancelledError):
        spread_of(mean_of_sources, job_of(T1W), progress=progress)


def test_progress_of_all_members_rises_from_0_to_1_in_one_stage():
    told = []
    spread_of(mean_of_sources, job_of(T1W, T2W), progress=Progress(lambda *step: told.append(step)))
    stages, fractions = zip(*told, strict=True)
    assert set(stages) == {"uncertainty"}
    assert list(fractions) == sorted(fractions)
    assert fractions[0] == 0
    assert 0.9 < fractions[-1] <= 1


def perturbed(member, slices, sigma=0.0, seed=3):
    return perturbed_sources({T1W: slices}, {T1W: sigma}, member, voxel_size_mm=MM, seed=seed)[T1W]


def test_without_shift_a_member_differs_by_bias_and_gain_of_a_few_percent_and_by_noise_of_the_given_level():
    flat = np.full((6, 48, 48), 0.5, np.float32)
    smooth = perturbed(STILL, flat)
    assert 0 < np.abs(smooth / flat - 1).max() < GAIN + 19 * BIAS_COEFFICIENT
    assert np.abs(np.diff(smooth, axis=1)).max() < 1e-3
    noisy = perturbed(STILL, flat, sigma=0.02)
    assert np.std(noisy - smooth) == pytest.approx(0.02, rel=0.05)


def test_members_differ_in_gain_by_as_much_as_registration_and_normalisation_leave_open():
    flat = np.full((4, 24, 24), 0.5, np.float32)
    gains = [perturbed(STILL, flat, seed=seed).mean() / 0.5 - 1 for seed in range(40)]
    assert 0.8 * GAIN < np.abs(gains).max() < GAIN + 19 * BIAS_COEFFICIENT
    assert np.std(gains) > 0.4 * GAIN  # evenly drawn they have 0.58 of it


def test_what_was_empty_stays_empty_without_shift_and_everything_stays_between_0_and_1():
    slices = np.zeros((3, 16, 16), np.float32)
    slices[:, 4:12, 4:12] = 0.99
    made = perturbed(STILL, slices, sigma=0.1)
    assert not made[slices == 0].any()
    assert 0 <= made.min() < made.max() == 1


@pytest.mark.parametrize(("axis", "sign"), [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)])
def test_a_shift_is_half_a_voxel_that_way(axis, sign):
    slices = np.zeros((5, 7, 9), np.float32)
    slices[2, 3, 4] = 0.5
    made = perturbed(Member("moved", (axis, sign), mirrored=False), slices).astype(np.float64)
    places = np.stack(np.meshgrid(*map(np.arange, made.shape), indexing="ij"))
    centre = (places * made).sum(axis=(1, 2, 3)) / made.sum()
    expected = np.array([2.0, 3.0, 4.0])
    expected[axis] += sign / 2
    np.testing.assert_allclose(centre, expected, atol=1e-6)


def test_members_together_move_nowhere_and_half_are_mirrored():
    moved = np.zeros(3)
    for member in MEMBERS:
        moved[member.shift[0]] += member.shift[1]
    assert not moved.any()
    assert sum(member.mirrored for member in MEMBERS) == 3


def test_a_mirrored_member_is_the_mirror_image():
    slices = np.random.default_rng(1).uniform(0.2, 0.8, (3, 8, 10)).astype(np.float32)
    plain, mirrored = (perturbed(Member("", None, mirrored=flag), slices) for flag in (False, True))
    np.testing.assert_array_equal(plain[:, :, ::-1], mirrored)


def flat_spread(dropped=None):
    job = job_of(T1W)
    shape = job.sources[T1W].shape
    brain = job.sources[T1W] > 0
    made = None if dropped is None else (dropped * brain).astype(np.float32)
    return Spread((0.04 * brain).astype(np.float32), made, {T1W: 0.0}, (), ()), job, np.full(shape, 0.5, np.float32)


def test_smoothing_keeps_the_spread_up_to_the_rim_and_outside_there_is_none():
    spread, job, _ = flat_spread()
    brain = job.sources[T1W] > 0
    smooth = smoothed_spread(spread, job)
    np.testing.assert_allclose(smooth[brain], 0.04, rtol=1e-3)
    assert not smooth[~brain].any()


def test_dropped_sources_add_their_share_of_variance():
    spread, job, _ = flat_spread(dropped=0.2)
    expected = np.sqrt(0.04**2 + DROPPED_WEIGHT * 0.2**2)
    np.testing.assert_allclose(smoothed_spread(spread, job)[job.sources[T1W] > 0], expected, rtol=1e-3)


def test_the_signal_adds_a_share_of_the_distance_to_the_median_and_of_the_sources_edges():
    spread, _, synthetic = flat_spread()
    synthetic[2, 10, 10] = 0.9
    ramp = np.broadcast_to(0.2 + 0.02 * np.arange(28), synthetic.shape)
    job = job_of(T1W, values={T1W: ramp})
    signal = error_signal(spread, job, synthetic)
    edge = POSITION_VOXELS * 0.02
    assert signal[2, 14, 14] == pytest.approx(np.hypot(0.04, edge), rel=1e-3)
    assert signal[2, 10, 10] == pytest.approx(np.sqrt(0.04**2 + edge**2 + (CONTRAST_SHARE * 0.4) ** 2), rel=1e-3)
    assert not signal[:, :2].any()
