"""Gradient difference against closed forms."""

import pytest
import torch

from training.losses.gradient_difference import gradient_difference


def slope(per_row, per_column):
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    return (per_row * rows + per_column * columns)[None, None]


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_ramps_differ_by_the_power_of_their_difference_in_steepness(exponent):
    everywhere = torch.ones(1, 1, 6, 9)
    loss = gradient_difference(slope(0.3, 0.1), slope(0.5, -0.4), everywhere, exponent=exponent)
    assert loss.item() == pytest.approx(0.2**exponent + 0.3**exponent, rel=1e-5)


def test_equal_images_and_a_constant_offset_cost_nothing():
    truth = torch.rand(1, 1, 6, 9)
    assert gradient_difference(truth + 0.2, truth, torch.ones_like(truth)).item() == pytest.approx(0, abs=1e-12)


def test_a_blurred_edge_costs():
    truth = torch.zeros(1, 1, 6, 9)
    truth[..., 4:] = 1
    blurred = torch.nn.functional.avg_pool2d(truth, (1, 3), 1, (0, 1))
    assert gradient_difference(blurred, truth, torch.ones_like(truth)).item() > 0.05


def test_only_pairs_of_neighbours_that_both_count_are_compared():
    truth, predicted, weight = torch.zeros(1, 1, 6, 9), torch.zeros(1, 1, 6, 9), torch.zeros(1, 1, 6, 9)
    weight[..., :5] = 1
    predicted[..., 5:] = 99.0  # the step lies between the last voxel that counts and the first that does not
    assert gradient_difference(predicted, truth, weight).item() == 0
    assert gradient_difference(predicted, truth, 0 * weight).item() == 0


def test_an_exponent_below_one_is_refused():
    image = torch.rand(1, 1, 6, 9)
    with pytest.raises(ValueError, match=r"exponent must be at least 1, got 0\.5"):
        gradient_difference(image, image, image, exponent=0.5)
