"""Sub-pixel warps are small, differ from place to place, and follow their seed."""

import pytest
import torch

from MRTranslateLib.networks.warp import warp
from training.data.subpixel_warp import draw_subpixel_flow


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_displacement_is_longer_than_asked_for_and_some_are_about_as_long():
    flow = draw_subpixel_flow(torch.zeros(32, 1, 40, 32), 0.5, seeded())
    assert flow.shape == (32, 2, 40, 32)
    assert 0.4 < flow.abs().max() <= 0.5


def test_displacements_have_no_common_direction_and_differ_within_a_slice():
    flow = draw_subpixel_flow(torch.zeros(256, 1, 32, 32), 0.5, seeded())
    assert flow.mean(dim=(0, 2, 3)).abs().max() < 0.03
    assert flow.std(dim=(2, 3)).min() > 0.05


def test_grain_is_smoothed_by_it():
    noise = torch.randn(8, 1, 64, 64, generator=seeded(1))
    assert warp(noise, draw_subpixel_flow(noise, 0.5, seeded())).std() < 0.9 * noise.std()


def test_nothing_moves_where_no_displacement_is_allowed():
    assert not draw_subpixel_flow(torch.zeros(2, 1, 32, 32), 0.0, seeded()).any()


@pytest.mark.parametrize(("seed", "same"), [(0, True), (1, False)])
def test_the_generator_of_chance_decides_everything(seed, same):
    like = torch.zeros(2, 1, 32, 32)
    assert torch.equal(draw_subpixel_flow(like, 0.5, seeded(0)), draw_subpixel_flow(like, 0.5, seeded(seed))) == same
