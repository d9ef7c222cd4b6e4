"""The loss of distinction maps."""

import torch

from training.losses.distinction import distinction_loss, infinite_ratio_difference


def test_the_difference_is_what_the_synthesis_lacks():
    target, synthetic = torch.full((1, 1, 2, 2), 0.8), torch.full((1, 1, 2, 2), 0.5)
    torch.testing.assert_close(infinite_ratio_difference(target, synthetic), torch.full((1, 1, 2, 2), 0.3))


def test_the_difference_keeps_no_gradient():
    synthetic = torch.rand(1, 1, 4, 4, requires_grad=True)
    assert not infinite_ratio_difference(torch.rand(1, 1, 4, 4), synthetic).requires_grad


def test_a_constant_error_costs_ten_times_its_square_per_map():
    difference = torch.full((2, 1, 8, 8), 0.1)
    maps = [torch.full((2, 1, size, size), 0.4) for size in (2, 4, 8)]
    torch.testing.assert_close(distinction_loss(maps, difference), torch.tensor(3 * 10 * 0.3**2))


def test_maps_that_equal_the_difference_at_its_nearest_voxels_cost_nothing():
    difference = torch.rand(1, 1, 8, 8)
    assert distinction_loss([difference, difference[..., ::2, ::2], difference[..., ::4, ::4]], difference) == 0


def test_the_gradient_reaches_the_maps_and_not_the_difference():
    difference = torch.rand(1, 1, 4, 4, requires_grad=True)
    maps = [torch.rand(1, 1, 2, 2, requires_grad=True)]
    distinction_loss(maps, difference).backward()
    assert difference.grad is None
    assert maps[0].grad.any()
