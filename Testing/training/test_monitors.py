"""Each monitor is tripped on purpose, and stays silent when all is well."""

import numpy as np
import pytest
import torch

from training.data.misalignment import draw_misalignment
from training.monitors import (
    DISCRIMINATOR_WINDOW,
    FLOW_WINDOW,
    STUDENT_WINDOW,
    DiscriminatorMonitor,
    FoldingMonitor,
    GaugeMonitor,
    SpoiltTrainingError,
    StudentMonitor,
    WorthlessComponentWarning,
    check_student,
)

BRAIN = torch.ones(2, 1, 24, 24)


def good_flow(step):
    random = torch.Generator().manual_seed(step)
    return draw_misalignment(2, (24, 24), affine_level=2, elastic_voxels=2, random=random).correction


def run(monitor, *observations):
    for observation in observations:
        monitor.observe(*observation)


def folding_flow(step):
    return 4 * torch.randn(2, 2, 24, 24, generator=torch.Generator().manual_seed(step))


@pytest.mark.parametrize("monitor", [FoldingMonitor("label correction"), GaugeMonitor("label correction")])
def test_random_misalignment_of_both_signs_trips_nothing(monitor):
    for step in range(2 * FLOW_WINDOW):
        monitor.observe(good_flow(step), BRAIN)


def test_flows_that_fold_the_brain_stop_the_training_and_say_how_much():
    monitor = FoldingMonitor("label correction")
    with pytest.raises(SpoiltTrainingError, match=r"label correction: its flow folds \d+\.\d+% of the brain.*0\.1%"):
        run(monitor, *((folding_flow(step), BRAIN) for step in range(FLOW_WINDOW)))


def test_a_single_bad_step_is_no_reason_to_stop():
    monitor = FoldingMonitor("teacher")
    for step in range(2 * FLOW_WINDOW):
        monitor.observe(folding_flow(0) if step == 30 else good_flow(step), BRAIN)


def test_folds_outside_the_brain_do_not_count():
    monitor = FoldingMonitor("student")
    for step in range(FLOW_WINDOW):
        monitor.observe(folding_flow(step), torch.zeros_like(BRAIN))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_common_direction_of_all_flows_stops_the_training(axis):
    monitor, drift = GaugeMonitor("label correction"), torch.zeros(1, 2, 1, 1)
    drift[:, axis] = -1.5
    with pytest.raises(SpoiltTrainingError, match=r"mean flow is \d\.\d\d voxels and should be near 0"):
        run(monitor, *((good_flow(step) + drift, BRAIN) for step in range(FLOW_WINDOW)))


def test_few_slices_with_large_random_shifts_are_no_drift():
    # Shifts of 15 voxels either way: the mean of 50 is off by about 2 voxels, and that is chance.
    monitor, random = GaugeMonitor("label correction"), torch.Generator().manual_seed(3)
    longest = 0.0
    for _ in range(FLOW_WINDOW):
        flow = torch.where(torch.rand(1, 2, 1, 1, generator=random) < 0.5, 15.0, -15.0).expand(2, 2, 24, 24)
        monitor.observe(flow, BRAIN)
        longest = max(longest, flow.mean().abs().item())
    assert longest == 15


@pytest.mark.parametrize(("accuracy", "word"), [(1.0, "above"), (0.1, "below")])
def test_a_saturated_discriminator_is_reported_once(accuracy, word):
    monitor = DiscriminatorMonitor("local discriminator")
    with pytest.warns(WorthlessComponentWarning, match=f"local discriminator: its accuracy.*{word} 0.55") as heard:
        run(monitor, *[(accuracy,)] * 2 * DISCRIMINATOR_WINDOW)
    assert len(heard) == 1


def test_a_discriminator_in_its_band_trips_nothing():
    monitor, random = DiscriminatorMonitor("global discriminator"), np.random.default_rng(0)
    for _ in range(2 * DISCRIMINATOR_WINDOW):
        monitor.observe(0.69 + 0.1 * random.standard_normal())


def test_a_discriminator_that_recovers_is_watched_again():
    monitor = DiscriminatorMonitor("local discriminator")
    with pytest.warns(WorthlessComponentWarning) as heard:
        run(monitor, *((accuracy,) for accuracy in (1.0, 0.7, 1.0) for _ in range(DISCRIMINATOR_WINDOW)))
    assert len(heard) == 2


def errors(gain, seed=0):
    rng = np.random.default_rng(seed)
    before = rng.uniform(0.05, 0.1, 20)
    return before.tolist(), (before - gain + rng.normal(0, 0.005, 20)).tolist()


def test_a_student_that_neither_moves_nor_gains_is_reported():
    with pytest.warns(WorthlessComponentWarning, match=r"moves by 0\.001 voxels.*not significant.*20 cases"):
        check_student(*errors(gain=0.0), mean_flow_voxels=0.001)


def test_a_student_that_is_the_identity_is_reported():
    before, _ = errors(gain=0.0)
    with pytest.warns(WorthlessComponentWarning, match=r"p = 1\.00"):
        check_student(before, before, mean_flow_voxels=0.0)


def test_a_student_that_makes_things_worse_without_moving_is_reported():
    with pytest.warns(WorthlessComponentWarning):
        check_student(*errors(gain=-0.02), mean_flow_voxels=0.0)


@pytest.mark.parametrize(("gain", "mean_flow_voxels"), [(0.01, 0.001), (0.0, 0.4)], ids=["gains", "moves"])
def test_a_student_that_gains_or_moves_is_not(gain, mean_flow_voxels):
    check_student(*errors(gain), mean_flow_voxels=mean_flow_voxels)


def watched_student(student_error, num_steps):
    monitor = StudentMonitor()
    for step in range(num_steps):
        monitor.observe(0.1 + 0.01 * (step % 3), student_error(step), 0.001)
    return monitor


def test_a_student_that_changes_nothing_is_reported_at_the_end_of_its_stage():
    monitor = watched_student(lambda step: 0.1 + 0.01 * (step % 3), 2 * STUDENT_WINDOW)
    with pytest.warns(WorthlessComponentWarning, match=rf"p = 1\.00 over {STUDENT_WINDOW} cases"):
        monitor.judge()


def test_a_student_is_judged_by_its_last_steps():
    watched_student(lambda step: 0.2 if step < STUDENT_WINDOW else 0.05, 2 * STUDENT_WINDOW).judge()


def test_a_stage_too_short_to_say_is_not_judged():
    watched_student(lambda step: 0.2, STUDENT_WINDOW - 1).judge()


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one error of each per case, got 2 and 1"):
        check_student([0.1, 0.2], [0.1], mean_flow_voxels=0.0)
