"""What every attacker offers and the little it may know: scores of images, never a network.

An attacker gets a function from images to scores. It cannot reach weights or gradients through it: the images it sends
carry no gradient, the scores it gets are detached, and each question is counted (METHODS 1.6, black-box [I]).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.attack.bounds import Bounds

Score = Callable[[Tensor], Tensor]
"""From source images, shaped as the attacker got them, to a number per sample ``(B,)``; high is bad for the victim."""
Predict = Callable[[Tensor], Tensor]
"""From source images to the victim's output ``(B, K, H, W)``."""


@dataclass(frozen=True)
class Budget:
    """What an attack may spend.

    Attributes:
        num_queries: Questions to the score function, each for the whole batch.
        bounds: Limits of strength.
        max_level: Highest level of the perturbation bank, 0..5, set by the curriculum.

    Raises:
        ValueError: If a number is out of range.
    """

    num_queries: int
    bounds: Bounds
    max_level: float = 3.0

    def __post_init__(self) -> None:
        if self.num_queries < 2 or not 0 <= self.max_level <= 5:
            raise ValueError(
                f"an attack needs at least 2 queries and a level of 0..5, got {self.num_queries} and {self.max_level}"
            )


@dataclass(frozen=True, eq=False)
class Attack:
    """What an attacker found. A sample it could not make worse comes back clean.

    Attributes:
        images: Shape of the clean images, 0..1, without gradient.
        score: ``(B,)``, of these images; never below ``clean_score``.
        clean_score: ``(B,)``.
        num_queries: Questions asked.
    """

    images: Tensor
    score: Tensor
    clean_score: Tensor
    num_queries: int


class Attacker(ABC):
    """Makes sources worse within bounds."""

    @abstractmethod
    def attack(self, images: Tensor, brain: Tensor, score: Score, budget: Budget, *, seed: int) -> Attack:
        """Look for allowed images with a high score.

        Args:
            images: Clean sources ``(B, C, H, W)`` or ``(B, C, N, H, W)``, 0..1, as in ``SourceSlices.images``.
            brain: ``(B, 1, H, W)`` or ``(B, 1, N, H, W)``, 1 inside.
            score: The only way to the victim.
            budget: Limits.
            seed: Not negative; decides all chance.

        Raises:
            ValueError: If a score is not one finite number per sample.
        """


class Search:
    """Asks, counts, and keeps the worst allowed images per sample."""

    def __init__(self, images: Tensor, brain: Tensor, score: Score, budget: Budget) -> None:
        self.images = images.detach().float()
        self.brain = brain.detach()
        self.budget = budget
        self._score = score
        self._asked = 0
        self._best = self.images.clone()
        self.clean_score = self.ask(self.images)
        self._best_score = self.clean_score

    @property
    def left(self) -> int:
        """Questions that may still be asked."""
        return self.budget.num_queries - self._asked

    def ask(self, images: Tensor) -> Tensor:
        """Scores ``(B,)`` of images that are already allowed.

        Raises:
            RuntimeError: If the budget is spent.
            ValueError: If an answer is not one finite number per sample.
        """
        if self.left <= 0:
            raise RuntimeError(f"the budget of {self.budget.num_queries} queries is spent")
        self._asked += 1
        with torch.no_grad():
            # A copy: the victim may do with it what it likes.
            answer = self._score(images.detach().clone()).detach().float()
        if answer.shape != images.shape[:1] or not bool(torch.isfinite(answer).all()):
            raise ValueError(f"a score must be {len(images)} finite numbers, got {answer.tolist()}")
        return answer

    def propose(self, allowed: Tensor) -> Tensor:
        """Ask for projected images and keep them where they are the worst so far; returns their scores."""
        answer = self.ask(allowed)
        worse = answer > self._best_score
        self._best[worse] = allowed[worse]
        self._best_score = torch.where(worse, answer, self._best_score)
        return answer

    def result(self) -> Attack:
        """What was found."""
        return Attack(self._best, self._best_score, self.clean_score, self._asked)


def error_score(predict: Predict, target: Tensor, weight: Tensor) -> Score:
    """The usual score: weighted mean absolute error of each sample's prediction (METHODS 1.6, A1).

    Args:
        predict: The victim, by its outputs alone (``Generator.fast_pred`` behind a lambda).
        target: ``(B, K, H, W)``.
        weight: Same shape, e.g. brain times target code.
    """
    total = weight.flatten(1).sum(dim=1).clamp(min=1)

    def score(images: Tensor) -> Tensor:
        with torch.no_grad():
            return ((predict(images) - target).abs() * weight).flatten(1).sum(dim=1) / total

    return score
