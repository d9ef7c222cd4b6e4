"""Attacker A1: the worst of K physical perturbations; a bandit learns which kinds hurt (METHODS 1.6, proposal)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.robustness.attack.base import Attack, Attacker, Budget, Score, Search
from MRTranslateLib.robustness.attack.bounds import project
from MRTranslateLib.robustness.perturbations import PERTURBATIONS, perturb
from MRTranslateLib.robustness.perturbations.acquisitions import VoxelSize

ENTROPY_FLOOR = 0.1
"""This share of the draws is spread evenly over all kinds, so that none is forgotten (METHODS 9.7)."""
TEMPERATURE = 0.25
"""Of the softmax over gains, relative to the largest gain."""
MEMORY = 0.9
"""Share of the old estimate in the running mean of a kind's gain."""
MIN_LEVEL_SHARE = 0.25
"""Levels are drawn between this share of the highest allowed one and itself."""


def attack_names(num_slices: int) -> tuple[str, ...]:
    """The kinds an attacker may use on stacks of so many slices.

    No geometric ones, since the target stays where it is, and no dropped source, since a bound on strength would turn
    it into a darker one; the training batches withhold sources anyway.
    """
    return tuple(
        name
        for name, entry in PERTURBATIONS.items()
        if not entry.is_geometric and name != "dropped_source" and entry.min_slices <= num_slices
    )


class WorstOfK(Attacker):
    """Draws K perturbations (kind, level, seed) for the batch; each sample keeps the one that hurts it most.

    The kind is drawn from a softmax over the recent mean gain in score; what helps counts as harmless, a kind never
    tried as the best so far.

    Args:
        names: Kinds to draw from; photometric ones of the bank.
        voxel_size_mm: Of the slices.

    Raises:
        ValueError: If a kind is unknown or geometric: the target would no longer fit.
    """

    def __init__(self, names: Sequence[str], voxel_size_mm: VoxelSize) -> None:
        wrong = [name for name in names if name not in PERTURBATIONS or PERTURBATIONS[name].is_geometric]
        if wrong or not names:
            raise ValueError(f"an attacker needs photometric perturbations of the bank, got {list(names)}")
        self.names, self.voxel_size_mm = tuple(names), voxel_size_mm
        self._gains: NDArray[np.float64] = np.full(len(self.names), np.nan)

    def probabilities(self) -> NDArray[np.float64]:
        """Of each kind, summing to 1, each at least ``ENTROPY_FLOOR`` over the number of kinds."""
        largest = np.nanmax(self._gains, initial=0.0)
        gains = np.where(np.isnan(self._gains), largest, self._gains.clip(min=0))
        weights = np.exp((gains - largest) / (TEMPERATURE * max(largest, 1e-12)))
        softmax: NDArray[np.float64] = weights / weights.sum()
        return (1 - ENTROPY_FLOOR) * softmax + ENTROPY_FLOOR / len(self.names)

    def attack(self, images: Tensor, brain: Tensor, score: Score, budget: Budget, *, seed: int) -> Attack:
        """See :meth:`Attacker.attack`; asks once for the clean images and K times more, all that the budget holds."""
        search, rng = Search(images, brain, score, budget), np.random.default_rng(seed)
        if budget.max_level == 0:
            return search.result()
        for _ in range(search.left):
            kind = int(rng.choice(len(self.names), p=self.probabilities()))
            level = budget.max_level * rng.uniform(MIN_LEVEL_SHARE, 1)
            worse = perturb(
                search.images,
                self.names[kind],
                level,
                seed=int(rng.integers(2**31)),
                voxel_size_mm=self.voxel_size_mm,
                brain=search.brain,
            )
            answer = search.propose(project(worse, search.images, search.brain, budget.bounds))
            self._learn(kind, float((answer - search.clean_score).mean()))
        return search.result()

    def _learn(self, kind: int, gain: float) -> None:
        known = self._gains[kind]
        self._gains[kind] = gain if np.isnan(known) else MEMORY * known + (1 - MEMORY) * gain

    def state_dict(self) -> dict[str, Any]:
        """What the bandit knows, for exact resuming; JSON types."""
        return {
            name: None if np.isnan(gain) else float(gain) for name, gain in zip(self.names, self._gains, strict=True)
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave.

        Raises:
            ValueError: If it belongs to other kinds.
        """
        if tuple(state) != self.names:
            raise ValueError(f"the bandit's state is for {list(state)}, not {list(self.names)}")
        self._gains = np.array([np.nan if gain is None else gain for gain in state.values()], dtype=np.float64)
