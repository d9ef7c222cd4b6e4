"""The loss of changes from slice to slice has its closed form."""

from __future__ import annotations

import pytest
import torch

from training.losses.slice_change import slice_change_error


def stack(*levels):
    return torch.tensor(levels).view(1, 1, -1, 1, 1).expand(1, 1, len(levels), 2, 3).clone()


def test_it_is_the_mean_error_of_the_differences():
    # Real changes 0.2 and 0.2, synthetic ones 0.3 and -0.1: errors 0.1 and 0.3.
    error = slice_change_error(stack(0.1, 0.4, 0.3), stack(0.0, 0.2, 0.4), torch.ones(1, 1, 3, 2, 3))
    assert float(error) == pytest.approx(0.2)


def test_a_constant_error_costs_nothing():
    truth = torch.rand(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert float(slice_change_error(truth + 0.25, truth, torch.ones_like(truth))) == pytest.approx(0, abs=1e-6)


def test_a_pair_counts_where_both_slices_show_brain():
    brain = torch.ones(1, 1, 3, 2, 3)
    brain[:, :, 2] = 0
    assert float(slice_change_error(stack(0.1, 0.4, 9.0), stack(0.0, 0.2, 0.4), brain)) == pytest.approx(0.1)


def test_without_a_pair_it_is_zero_and_no_nan():
    assert float(slice_change_error(stack(0.1, 0.4), stack(0.0, 0.2), torch.zeros(1, 1, 2, 2, 3))) == 0
