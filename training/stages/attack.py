"""System A's attacker inside a stage: some steps see sources that were made worse within physical bounds (METHODS 1.6).

Only images go to the victim and only scores and outputs come back. The control, ``random``, draws from the same bank at
the same levels and takes what comes: what it gains is due to augmentation, not to the attack.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from MRTranslateLib.networks.generator import SourceSlices
from MRTranslateLib.robustness.attack.base import Attacker, Budget, error_score
from MRTranslateLib.robustness.attack.bounds import Bounds, project
from MRTranslateLib.robustness.attack.score_search import ScoreSearch
from MRTranslateLib.robustness.perturbations.bank import perturb
from training.attackers.curriculum import SeverityCurriculum
from training.attackers.perturbation_generator import PerturbationGenerator, PerturbationGeneratorConfig
from training.attackers.worst_of_k import MIN_LEVEL_SHARE, WorstOfK, attack_names
from training.batch import StepBatch
from training.config import AttackConfig
from training.stages.stage import StageContext

VOXEL_SIZE_MM = (1.0, 1.0, 1.0)
"""Of the slices in the cache."""
GENERATOR_WIDTHS = (16, 32, 64, 128)
SUBSTITUTE_WIDTHS = (16, 32, 64)


class Attack:
    """Draws which steps are attacked, asks the attacker, and raises the level by the curriculum."""

    def __init__(self, settings: AttackConfig, context: StageContext) -> None:
        self.settings, self.context = settings, context
        num_neighbours = context.generator.num_neighbours
        self.names = attack_names(num_neighbours)
        self.attacker = self._attacker(num_neighbours)
        # Until a validation says how good clean translation is, nothing holds the level back.
        self.curriculum = SeverityCurriculum(-math.inf, max_level=settings.max_level, ramp=1.0)
        self._gain = 0.0

    def _attacker(self, num_neighbours: int) -> Attacker | None:
        name = self.settings.attacker
        if name == "worst_of_k":
            return WorstOfK(self.names, VOXEL_SIZE_MM)
        if name == "score_search":
            return ScoreSearch(grid=self.settings.grid, directions=self.settings.directions)
        if name == "perturbation_generator":
            sizes = PerturbationGeneratorConfig(
                in_channels=5 * num_neighbours,
                out_channels=5,
                widths=GENERATOR_WIDTHS,
                substitute_widths=SUBSTITUTE_WIDTHS,
            )
            return PerturbationGenerator(sizes).to(self.context.device)
        return None

    def attacked(self, batch: StepBatch, step: int, random: torch.Generator) -> SourceSlices | None:
        """The batch's sources, made worse; None in a step without attack."""
        level = self.curriculum.advance(min(1.0, (step + 1) / self.settings.curriculum_steps))
        chance, seed = float(torch.rand(1, generator=random)), int(torch.randint(1 << 31, (1,), generator=random))
        if chance >= self.settings.probability:
            return None
        slices = batch.slices
        worse = self._random(batch, level, seed) if self.attacker is None else self._worst(batch, level, seed)
        return SourceSlices(worse, slices.availability, slices.height)

    def _worst(self, batch: StepBatch, level: float, seed: int) -> Tensor:
        weight = batch.brain * batch.target_code[:, :, None, None]
        score = error_score(lambda images: self._predict(batch, images), batch.truth, weight)
        is_physical = self.settings.attacker == "worst_of_k"
        linf = None if is_physical else self.curriculum.bound(self.settings.epsilon)
        # One question is for the clean images; the others are candidates.
        budget = Budget(max(2, 1 + self.settings.num_candidates), Bounds(linf), level)
        if self.attacker is None:
            raise TypeError("the random control asks no questions")
        if isinstance(self.attacker, PerturbationGenerator):
            self.attacker.fit_step(
                batch.slices.images,
                batch.brain,
                batch.truth,
                weight,
                lambda images: self._predict(batch, images),
                budget,
            )
        found = self.attacker.attack(batch.slices.images, batch.brain, score, budget, seed=seed)
        self._gain = float((found.score - found.clean_score).mean())
        return found.images

    def _random(self, batch: StepBatch, level: float, seed: int) -> Tensor:
        chance = torch.Generator().manual_seed(seed)
        name = self.names[int(torch.randint(len(self.names), (1,), generator=chance))]
        drawn = level * (MIN_LEVEL_SHARE + (1 - MIN_LEVEL_SHARE) * float(torch.rand(1, generator=chance)))
        images, brain = batch.slices.images, batch.brain
        worse = perturb(images, name, drawn, seed=seed, voxel_size_mm=VOXEL_SIZE_MM, brain=brain)
        return project(worse, images, brain, Bounds(None))

    def _predict(self, batch: StepBatch, images: Tensor) -> Tensor:
        slices = SourceSlices(images, batch.slices.availability, batch.slices.height)
        with self.context.autocast():
            return self.context.generator.fast_pred(slices, batch.target_code).float()

    def observe(self, clean_psnr_db: float) -> None:
        """Tell how good clean translation is on validation data; later values are held against the first."""
        if math.isinf(self.curriculum.clean_psnr_db):
            self.curriculum.clean_psnr_db = clean_psnr_db
        self.curriculum.observe(clean_psnr_db)

    def measured(self) -> dict[str, float]:
        """For the log."""
        return {"attack_level": self.curriculum.level, "attack_gain": self._gain}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed stage needs."""
        state: dict[str, Any] = {
            "curriculum": self.curriculum.state_dict(),
            "clean_psnr_db": self.curriculum.clean_psnr_db,
        }
        if isinstance(self.attacker, WorstOfK):
            state["attacker"] = self.attacker.state_dict()
        elif isinstance(self.attacker, PerturbationGenerator):
            optimizers = {name: each.state_dict() for name, each in self.attacker.optimizers.items()}
            state |= {"attacker": self.attacker.state_dict(), "optimizers": optimizers}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.curriculum.load_state_dict(state["curriculum"])
        self.curriculum.clean_psnr_db = state["clean_psnr_db"]
        if isinstance(self.attacker, WorstOfK | PerturbationGenerator):
            self.attacker.load_state_dict(state["attacker"])
        if isinstance(self.attacker, PerturbationGenerator):
            for name, optimizer in self.attacker.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
