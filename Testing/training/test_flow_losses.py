"""Losses on flows and images of systems A and C against closed forms."""

import pytest
import torch

from MRTranslateLib.networks.warp import identity_grid
from training.losses.consistency import consistency
from training.losses.flow_error import flow_error
from training.losses.folding import MARGIN, folding_penalty
from training.losses.smoothness import flow_smoothness


def ones(channels=1):
    return torch.ones(1, channels, 12, 10)


def test_smoothness_of_a_linear_flow_is_the_mean_of_its_squared_slopes():
    places = identity_grid(ones())
    flow = torch.cat([0.1 * places[:, :1] + 0.2 * places[:, 1:], 0.4 * places[:, 1:]], dim=1)
    along_rows, along_columns = (0.1**2 + 0) / 2, (0.2**2 + 0.4**2) / 2
    assert flow_smoothness(flow).item() == pytest.approx(along_rows + along_columns, rel=1e-4)


def test_a_shift_of_the_whole_slice_costs_no_smoothness():
    assert flow_smoothness(ones(2) * 7.0).item() == 0


def test_the_flow_error_is_the_mean_distance_inside_the_mask():
    flow, mask = torch.zeros(1, 2, 12, 10), ones()
    mask[..., 5:] = 0
    flow[:, 0, :, :5], flow[:, 1, :, :5] = 3.0, 4.0
    flow[:, :, :, 5:] = 99.0
    assert flow_error(flow, torch.zeros_like(flow), mask).item() == pytest.approx(5.0, rel=1e-5)
    assert flow_error(flow, torch.zeros_like(flow), 0 * mask).item() == 0


def test_the_flow_error_has_a_gradient_of_0_and_no_nan_at_the_truth():
    flow = torch.zeros(1, 2, 12, 10, requires_grad=True)
    flow_error(flow, torch.zeros_like(flow), ones()).backward()
    assert not flow.grad.any()


def test_the_folding_penalty_is_what_the_determinant_lacks_to_its_margin():
    places = identity_grid(ones())
    mirrored = torch.cat([torch.zeros_like(places[:, :1]), -2 * places[:, 1:]], dim=1)  # determinant -1
    assert folding_penalty(mirrored, ones()).item() == pytest.approx(1 + MARGIN, rel=1e-5)
    shrunk = torch.cat([torch.zeros_like(places[:, :1]), -0.8 * places[:, 1:]], dim=1)  # determinant 0.2
    assert folding_penalty(shrunk, ones()).item() == 0
    assert folding_penalty(mirrored, 0 * ones()).item() == 0


def test_consistency_is_the_mean_difference_and_pulls_at_the_attacked_translation_only():
    attacked, clean = (ones() * 0.7).requires_grad_(), (ones() * 0.4).requires_grad_()
    loss = consistency(attacked, clean, ones())
    assert loss.item() == pytest.approx(0.3)
    loss.backward()
    assert attacked.grad.abs().sum() > 0
    assert clean.grad is None
