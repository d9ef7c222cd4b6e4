"""What all flows have in common is taken off them, and nothing else."""

from __future__ import annotations

import pytest
import torch

from training.distributed import ALONE
from training.stages.mean_flow import MeanFlow

BRAIN = torch.zeros(2, 1, 8, 8)
BRAIN[:, :, 2:6, 2:6] = 1


def flow(rows, columns):
    return torch.tensor([float(rows), float(columns)]).view(1, 2, 1, 1).expand(2, 2, 8, 8)


def test_a_constant_drift_is_taken_off_from_the_first_step_on():
    mean = MeanFlow(ALONE)
    for _ in range(3):
        assert mean.taken_off(flow(1.5, -0.5), BRAIN).abs().max() < 1e-6


def test_shifts_of_single_slices_stay():
    # Two slices moved apart by a voxel each, over a drift of two voxels.
    apart = torch.cat([flow(1, 0)[:1], flow(-1, 0)[:1]])
    left = MeanFlow(ALONE).taken_off(apart + flow(2, 0), BRAIN)
    torch.testing.assert_close(left, apart, rtol=0, atol=1e-6)


def test_shifts_that_change_from_step_to_step_stay_nearly_whole():
    mean = MeanFlow(ALONE)
    for step in range(200):
        left = mean.taken_off(flow(3 if step % 2 else -3, 0), BRAIN)
    assert left[:, 0].mean().item() == pytest.approx(3, abs=0.1)


def test_only_the_brain_says_what_the_drift_is():
    outside = flow(4, 4) * (1 - BRAIN)
    assert torch.equal(MeanFlow(ALONE).taken_off(outside, BRAIN), outside)


def test_the_gradient_passes_as_if_nothing_had_been_taken_off():
    moved = flow(1, 1).clone().requires_grad_()
    MeanFlow(ALONE).taken_off(moved, BRAIN).sum().backward()
    assert torch.equal(moved.grad, torch.ones_like(moved))


def test_a_resumed_mean_goes_on_as_before():
    mean, resumed = MeanFlow(ALONE), MeanFlow(ALONE)
    mean.taken_off(flow(2, 1), BRAIN)
    resumed.load_state_dict(mean.state_dict())
    assert torch.equal(mean.taken_off(flow(0, 1), BRAIN), resumed.taken_off(flow(0, 1), BRAIN))
