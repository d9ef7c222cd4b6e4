"""Collecting what layers put out."""

import torch
from torch import nn

from training.networks.layer_outputs import layer_outputs


def test_outputs_of_a_kind_come_in_the_order_in_which_they_run_and_only_inside_the_block():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU())
    inputs = torch.rand(5, 3)
    with layer_outputs(network, nn.ReLU) as outputs:
        last = network(inputs)
    network(inputs)
    assert [tuple(each.shape) for each in outputs] == [(5, 4), (5, 2)]
    assert torch.equal(outputs[1], last)


def test_gradients_flow_back_through_them():
    network = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU())
    inputs = torch.rand(5, 3, requires_grad=True)
    with layer_outputs(network, nn.LeakyReLU) as outputs:
        network(inputs)
    outputs[0].sum().backward()
    assert inputs.grad.abs().max() > 0
