"""Attacks with gradients, for evaluation: their order shows whether gradients are masked."""

import pytest
import torch

from MRTranslateLib.robustness.attack.bounds import Bounds
from Testing.training.attack_examples import TexturedNetwork, slices
from training.attackers.white_box import fgsm, pgd, random_noise, transfer_pgd

BOUNDS = Bounds(8 / 255)


@pytest.fixture(scope="module")
def victim():
    """Images, brain, a network and its differentiable error per sample against a target it cannot reach."""
    images, brain = slices(batch=6)
    network = TexturedNetwork()
    target = network(images).detach() + 0.05 * torch.randn(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))

    def score(seen):
        return ((network(seen) - target).abs() * brain).flatten(1).sum(dim=1) / brain.flatten(1).sum(dim=1)

    return images, brain, network, score


def test_pgd_is_worse_than_fgsm_and_fgsm_than_random_noise(victim):
    images, brain, _, score = victim
    clean, random, one_step, many_steps = (
        score(seen).detach()
        for seen in (
            images,
            random_noise(images, brain, BOUNDS, seed=0),
            fgsm(images, brain, score, BOUNDS),
            pgd(images, brain, score, BOUNDS, seed=0),
        )
    )
    assert many_steps.mean() > one_step.mean()  # in the mean: single samples may sit on a kink of the absolute value
    assert (one_step > random).all()
    assert (one_step > 1.2 * clean).all()


def test_they_keep_the_bound_and_leave_the_network_alone(victim):
    images, brain, network, score = victim
    for attacked in (fgsm(images, brain, score, BOUNDS), pgd(images, brain, score, BOUNDS, seed=1)):
        assert float((attacked - images).abs().max()) <= 8 / 255 + 1e-6
        assert not (attacked - images)[(brain == 0).expand_as(images)].any()
        assert not attacked.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_fgsm_on_a_linear_score_is_the_exact_worst_case():
    images, brain = slices(batch=2)
    weights = torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0))

    def score(seen):
        return (seen * weights).flatten(1).sum(dim=1)

    gain = score(fgsm(images, brain, score, BOUNDS)) - score(images)
    best = (8 / 255 * weights.abs() * brain[0]).sum()
    torch.testing.assert_close(gain, best.expand(2), rtol=1e-4, atol=0)


def test_a_transferred_attack_hurts_less_than_one_with_the_victims_gradients(victim):
    images, brain, _, score = victim
    other = TexturedNetwork(seed=9)
    other_target = other(images).detach()

    def surrogate(seen):
        return ((other(seen) - other_target).abs() * brain).flatten(1).mean(dim=1)

    found = transfer_pgd(images, brain, surrogate, lambda seen: score(seen), BOUNDS, seed=0)
    assert found.num_queries == 2
    assert (found.score >= found.clean_score).all()
    assert found.score.mean() < score(pgd(images, brain, score, BOUNDS, seed=0)).mean()


def test_a_missing_bound_is_refused(victim):
    images, brain, _, score = victim
    with pytest.raises(ValueError, match=r"needs an L-infinity bound, got None"):
        fgsm(images, brain, score, Bounds(None))
