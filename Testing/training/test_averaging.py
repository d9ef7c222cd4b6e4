"""The running average of a network's weights."""

import pytest
import torch

from training.networks.averaging import average_into


def constant(value):
    layer = torch.nn.Linear(3, 2)
    for parameter in layer.parameters():
        torch.nn.init.constant_(parameter, value)
    return layer


def test_the_average_follows_slowly():
    averaged, current = constant(0.0), constant(1.0)
    average_into(averaged, current, 0.9)
    average_into(averaged, current, 0.9)
    assert all(torch.allclose(parameter, torch.tensor(1 - 0.9**2)) for parameter in averaged.parameters())
    assert all(torch.equal(parameter, torch.ones_like(parameter)) for parameter in current.parameters())


def test_a_share_that_is_none_is_refused_with_its_value():
    with pytest.raises(ValueError, match=r"decay must be in 0..1, got 1.2"):
        average_into(constant(0.0), constant(1.0), 1.2)
