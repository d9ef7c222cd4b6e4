"""Ranger is RAdam on centred gradients that looks back every sixth step."""

from __future__ import annotations

import copy

import torch

from training.config import config_from_mapping
from training.ranger import Ranger, centred
from training.stages.stage import learning_rate, make_optimizer


def weights(*shape):
    return torch.nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(3)))


def walk(optimizer, weight, count):
    """Positions after each step along gradients that are the same in every walk."""
    random, places = torch.Generator().manual_seed(5), []
    for _ in range(count):
        weight.grad = torch.randn(weight.shape, generator=random)
        optimizer.step()
        places.append(weight.detach().clone())
    return places


def radam(weight):
    return torch.optim.RAdam([weight], lr=0.01, betas=(0.95, 0.999), eps=1e-5, decoupled_weight_decay=True)


def test_each_output_channel_of_a_gradient_is_centred_and_vectors_are_kept():
    gradient = torch.tensor([[1.0, 3.0], [5.0, 5.0]])
    assert centred(gradient).tolist() == [[-1, 1], [0, 0]]
    assert centred(torch.tensor([1.0, 3.0])).tolist() == [1, 3]


def test_up_to_the_fifth_step_it_is_radam_and_the_sixth_goes_half_way_back():
    mine, other = weights(4), weights(4)
    start = mine.detach().clone()
    walked, plain = walk(Ranger([{"params": [mine]}], lr=0.01, weight_decay=0.0), mine, 6), walk(radam(other), other, 6)
    for step in range(5):
        torch.testing.assert_close(walked[step], plain[step])
    torch.testing.assert_close(walked[5], (start + plain[5]) / 2)


def test_the_twelfth_step_goes_half_way_back_to_the_sixth():
    weight = weights(4)
    optimizer = Ranger([{"params": [weight]}], lr=0.01, weight_decay=0.0)
    sixth = walk(optimizer, weight, 6)[-1]
    fast, before = copy.deepcopy(optimizer.state_dict()), walk(optimizer, weight, 5)[-1]
    assert torch.equal(fast["state"][0]["slow"], sixth)
    twelfth = walk(optimizer, weight, 1)[-1]
    assert (twelfth - sixth).norm() < 0.75 * (before - sixth).norm()


def test_a_sum_over_a_channel_gives_a_gradient_that_is_not_followed():
    weight = weights(2, 3)
    before = weight.detach().clone()
    weight.grad = torch.ones(2, 3)
    Ranger([{"params": [weight]}], lr=0.1, weight_decay=0.0).step()
    torch.testing.assert_close(weight.detach(), before)


def test_a_resumed_optimizer_goes_on_as_before_to_the_bit():
    whole = weights(2, 3)
    optimizer = Ranger([{"params": [whole]}], lr=0.01, weight_decay=0.1)
    walk(optimizer, whole, 8)
    again = torch.nn.Parameter(whole.detach().clone())
    resumed = Ranger([{"params": [again]}], lr=0.01, weight_decay=0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(walk(optimizer, whole, 5)[-1], walk(resumed, again, 5)[-1])


def test_the_configuration_chooses_optimizer_and_schedule(tiny_values):
    (stage,) = tiny_values["stages"]
    plain = config_from_mapping(tiny_values, where="tiny").stages[0].optimizer
    stage["optimizer"] |= {"method": "ranger", "schedule": "constant"}
    chosen = config_from_mapping(tiny_values, where="tiny").stages[0].optimizer
    assert [type(make_optimizer([weights(2)], each)).__name__ for each in (plain, chosen)] == ["AdamW", "Ranger"]
    peak = chosen.peak_learning_rate
    assert [learning_rate(step, chosen) / peak for step in (0, 1, 2, 7)] == [0.5, 1, 1, 1]
    assert learning_rate(7, plain) < 0.1 * peak
