"""Attention half by difficulty and half by the difference to the target."""

import torch

from training.losses.difference_attention import difference_weight
from training.losses.difficulty_attention import difficulty_weight

MASK = torch.ones(1, 1, 2, 2)


def test_it_is_the_closed_form_of_both_relative_to_their_mean():
    confidence = torch.tensor([[[[0.5, 1.0], [1.0, 1.0]]]])  # difficulty 1/4, 0, 0, 0; relative to its mean 4, 0, 0, 0
    truth, predicted = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.0, 0.1], [-0.1, 0.2]]]])  # relative 0, 1, 1, 2
    weight = difference_weight(confidence, predicted, truth, MASK, strength=0.5)
    expected = 1 + 0.5 * (0.5 * torch.tensor([[4.0, 0.0], [0.0, 0.0]]) + 0.5 * torch.tensor([[0.0, 1], [1, 2]]) - 1)
    torch.testing.assert_close(weight[0, 0], expected)


def test_where_nothing_differs_difficulty_has_half_the_say():
    confidence = torch.rand(1, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    image = torch.zeros(1, 1, 2, 2)
    weight = difference_weight(confidence, image, image, MASK, strength=0.5, exponent=1.0)
    torch.testing.assert_close(weight, difficulty_weight(confidence, MASK, strength=0.25, exponent=1.0))


def test_no_gradient_reaches_the_translation():
    image = torch.rand(1, 1, 2, 2, requires_grad=True)
    assert not difference_weight(MASK / 2, image, torch.zeros(1, 1, 2, 2), MASK, strength=0.5).requires_grad
