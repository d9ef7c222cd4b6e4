"""Sub-pixel warps are small, differ from place to place, and follow their seed."""

import pytest
import torch

from training.data.subpixel_warp import draw_subpixel_flow, subpixel_warp


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


def test_a_ramp_becomes_the_ramp_plus_the_displacement():
    rows = torch.arange(32.0)[:, None].expand(2, 1, 32, 32)
    moved = subpixel_warp(rows, 0.5, seeded(4))
    flow = draw_subpixel_flow(rows, 0.5, seeded(4))
    torch.testing.assert_close(moved[:, :, 1:-1], (rows + flow[:, :1])[:, :, 1:-1], atol=1e-4, rtol=0)


def test_grain_is_smoothed_by_it():
    noise = torch.randn(8, 1, 64, 64, generator=seeded(1))
    assert subpixel_warp(noise, 0.5, seeded()).std() < 0.9 * noise.std()


def test_nothing_changes_without_displacement():
    noise = torch.rand(2, 1, 32, 32, generator=seeded(1))
    torch.testing.assert_close(subpixel_warp(noise, 0.0, seeded()), noise, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("seed", "same"), [(0, True), (1, False)])
def test_the_generator_of_chance_decides_everything(seed, same):
    like = torch.zeros(2, 1, 32, 32)
    assert torch.equal(draw_subpixel_flow(like, 0.5, seeded(0)), draw_subpixel_flow(like, 0.5, seeded(seed))) == same
