"""Attacks with the victim's gradients: FGSM, PGD and transfer. **For evaluation only.**

They show the worst case and whether gradients are masked (PGD must be at least as bad as FGSM, and FGSM as random
noise, METHODS 9.7). Training with them would tie the refinement to one generator; system A's attacker is black-box.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from MRTranslateLib.robustness.attack.base import Attack, Budget, Score, Search
from MRTranslateLib.robustness.attack.bounds import Bounds, project

DifferentiableScore = Callable[[Tensor], Tensor]
"""Like ``Score``, but gradients pass from the result ``(B,)`` to the images."""
NUM_STEPS = 10
STEP_SHARE = 0.25
"""Steps of projected gradient ascent, and a step's size as a share of the bound (METHODS 1.6)."""


def random_noise(images: Tensor, brain: Tensor, bounds: Bounds, *, seed: int) -> Tensor:
    """The control: every voxel moved by the whole bound, up or down at random."""
    signs = torch.randint(0, 2, images.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return project(images + _linf(bounds) * signs.to(images.device), images, brain, bounds)


def fgsm(images: Tensor, brain: Tensor, score: DifferentiableScore, bounds: Bounds) -> Tensor:
    """One step of the size of the bound along the sign of the gradient.

    Args:
        images: Clean sources, as for :meth:`MRTranslateLib.robustness.attack.base.Attacker.attack`.
        brain: Its mask.
        score: To be raised.
        bounds: With an L-infinity bound.

    References:
        I. Goodfellow, J. Shlens, C. Szegedy. Explaining and harnessing adversarial examples. ICLR 2015.
    """
    _, gradient = _score_and_gradient(images, score)
    return project(images + _linf(bounds) * gradient.sign(), images, brain, bounds)


def pgd(images: Tensor, brain: Tensor, score: DifferentiableScore, bounds: Bounds, *, seed: int) -> Tensor:
    """Ten steps of a quarter of the bound from a random start, projected each time; the worst iterate is kept.

    References:
        A. Madry et al. Towards deep learning models resistant to adversarial attacks. ICLR 2018.
    """
    linf = _linf(bounds)
    start = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed)).to(images.device) * 2 - 1
    current = project(images + linf * start, images, brain, bounds)
    worst, worst_score = current, torch.full((len(images),), -torch.inf, device=images.device)
    for step in range(NUM_STEPS + 1):
        value, gradient = _score_and_gradient(current, score)
        better = value > worst_score
        worst = torch.where(better.view(-1, *(1,) * (images.ndim - 1)), current, worst)
        worst_score = torch.where(better, value, worst_score)
        if step < NUM_STEPS:
            current = project(current + STEP_SHARE * linf * gradient.sign(), images, brain, bounds)
    return worst


def transfer_pgd(
    images: Tensor,
    brain: Tensor,
    surrogate_score: DifferentiableScore,
    victim_score: Score,
    bounds: Bounds,
    *,
    seed: int,
) -> Attack:
    """PGD against another generator, then shown to the victim: a black-box test that costs two questions.

    Args:
        images: Clean sources.
        brain: Its mask.
        surrogate_score: Of the other generator.
        victim_score: Of the one under test, by its scores alone.
        bounds: With an L-infinity bound.
        seed: Of the random start.
    """
    search = Search(images, brain, victim_score, Budget(num_queries=2, bounds=bounds))
    search.propose(pgd(search.images, search.brain, surrogate_score, bounds, seed=seed))
    return search.result()


def _score_and_gradient(images: Tensor, score: DifferentiableScore) -> tuple[Tensor, Tensor]:
    """Only the images' gradient is computed: the victim's parameters keep theirs."""
    with torch.enable_grad():
        leaf = images.detach().float().requires_grad_()
        value = score(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def _linf(bounds: Bounds) -> float:
    if bounds.linf is None:
        raise ValueError("a white-box attack needs an L-infinity bound, got None")
    return bounds.linf
