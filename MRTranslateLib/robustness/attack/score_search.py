"""Attacker A2: score-based search (NES or SPSA) over a smooth field of few numbers (METHODS 1.6, proposal)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from MRTranslateLib.robustness.attack.base import Attack, Attacker, Budget, Score, Search
from MRTranslateLib.robustness.attack.bounds import project

UNBOUNDED_SIZE = 0.05
"""Size of the fields where no L-infinity bound sets it."""


@dataclass(frozen=True)
class ScoreSearch(Attacker):
    """Climbs the score along a gradient estimated from antithetic pairs of questions.

    What is searched are cosine coefficients of two fields per source, shared by its neighbouring slices: one is added,
    the other is the logarithm of a factor (a bias field). Every probe is projected before it is asked, and the worst
    probe seen is the result.

    Attributes:
        grid: Cosines per axis, 8 to 16.
        num_pairs: Antithetic pairs per estimate (q).
        probe_size: Length of a probe relative to the coefficients' unit, at which a field has the size of the bound.
        step_size: Length of a step in the same unit.
        directions: ``"gaussian"`` is NES, ``"rademacher"`` is SPSA.

    References:
        A. Ilyas et al. Black-box adversarial attacks with limited queries and information. ICML 2018 (NES).
        J. C. Spall. Multivariate stochastic approximation using a simultaneous perturbation gradient approximation.
        IEEE Transactions on Automatic Control 37 (1992) (SPSA).
    """

    grid: int = 8
    num_pairs: int = 8
    probe_size: float = 0.5
    step_size: float = 0.5
    directions: Literal["gaussian", "rademacher"] = "gaussian"

    def attack(self, images: Tensor, brain: Tensor, score: Score, budget: Budget, *, seed: int) -> Attack:
        """See :meth:`Attacker.attack`; uses the whole budget."""
        search, random = Search(images, brain, score, budget), torch.Generator().manual_seed(seed)
        centre = torch.zeros(*images.shape[:2], 2, self.grid, self.grid, device=images.device)
        while search.left >= 2:
            gradient = torch.zeros_like(centre)
            for _ in range(min(self.num_pairs, search.left // 2)):
                direction = self._direction(centre, random)
                up = search.propose(self._images(search, centre + self.probe_size * direction))
                down = search.propose(self._images(search, centre - self.probe_size * direction))
                gradient += (up - down).view(-1, 1, 1, 1, 1) * direction
            length = gradient.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt().clamp(min=1e-12)
            centre = centre + self.step_size * gradient / length
        return search.result()

    def _direction(self, like: Tensor, random: torch.Generator) -> Tensor:
        if self.directions == "gaussian":
            return torch.randn(like.shape, generator=random).to(like.device)
        return (torch.randint(0, 2, like.shape, generator=random) * 2.0 - 1.0).to(like.device)

    def _images(self, search: Search, coefficients: Tensor) -> Tensor:
        """Allowed images for coefficients ``(B, C, 2, grid, grid)``."""
        linf = search.budget.bounds.linf
        height, width = search.images.shape[-2:]
        fields = cosine_field(coefficients, height, width) * (UNBOUNDED_SIZE if linf is None else linf)
        if search.images.ndim == 5:
            fields = fields[..., None, :, :]
        added, log_factor = fields[:, :, 0], fields[:, :, 1]
        return project(search.images * torch.exp(log_factor) + added, search.images, search.brain, search.budget.bounds)


def cosine_field(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Sum of products of cosines (type-II DCT); independent unit coefficients give a field of about unit variance.

    Args:
        coefficients: ``(..., K, K)``, lowest frequencies first.
        height: H.
        width: W.

    Returns:
        ``(..., H, W)``.
    """
    count = coefficients.shape[-1]
    rows, columns = (_cosines(length, count, coefficients) for length in (height, width))
    return rows @ coefficients @ columns.T / count


def _cosines(length: int, count: int, like: Tensor) -> Tensor:
    """``(length, count)``, each column of unit mean square."""
    position = (torch.arange(length, device=like.device, dtype=like.dtype) + 0.5) / length
    order = torch.arange(count, device=like.device, dtype=like.dtype)
    scale = torch.where(order == 0, 1.0, math.sqrt(2))
    return torch.cos(math.pi * position[:, None] * order) * scale
