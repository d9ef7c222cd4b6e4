"""The published weight of a slice by the global discriminator's probability."""

import math

import pytest
import torch

from training.losses.sample_weight import sample_weight

MASK = torch.ones(1, 1, 4, 4)


def weight_at(probability, strength=1.0):
    return sample_weight(torch.tensor([[math.log(probability / (1 - probability))]]), MASK, strength=strength)


@pytest.mark.parametrize(("probability", "expected"), [(0.5, 0.5), (0.3, 1.0), (0.7, 1.0), (0.1, 2.5), (0.9, 2.5)])
def test_it_is_one_plus_twelve_and_a_half_times_the_squared_distance_from_doubt(probability, expected):
    weight = weight_at(probability)
    assert weight.shape == MASK.shape
    assert weight.min().item() == pytest.approx(expected, abs=1e-5)
    assert weight.max().item() == pytest.approx(expected, abs=1e-5)


def test_without_strength_slices_count_alike():
    assert torch.equal(weight_at(0.1, strength=0.0), MASK)


def test_no_gradient_reaches_the_logits():
    assert not sample_weight(torch.zeros(1, 1, requires_grad=True), MASK, strength=1.0).requires_grad


def test_a_strength_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"strength must be in 0\.\.1, got 2"):
        weight_at(0.5, strength=2)
