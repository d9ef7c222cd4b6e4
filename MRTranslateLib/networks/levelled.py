"""A generator with models of how bright its targets are, behind the adapter of generators."""

from __future__ import annotations

from typing import Any

import msgspec
from torch import Tensor

from MRTranslateLib.networks.generator import Generator, SourceSlices, Truth, build_generator
from MRTranslateLib.networks.level_model import LevelModel


class LevelledParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a :class:`LevelledGenerator`; stored in the model card.

    Attributes:
        architecture: Of the generator.
        parameters: Of the generator.
        levels: One per target at most.
    """

    architecture: str
    parameters: dict[str, Any]
    levels: tuple[LevelModel, ...]

    def __post_init__(self) -> None:
        targets = [model.target for model in self.levels]
        if len(set(targets)) < len(targets):
            raise ValueError(f"levels must name each target once, got {', '.join(targets)}")


class LevelledGenerator(Generator):
    """Another generator with level models, which whoever runs it over a whole volume applies."""

    def __init__(self, parameters: LevelledParameters) -> None:
        super().__init__()
        self.generator = build_generator(parameters.architecture, parameters.parameters)
        self.levels = parameters.levels
        self.num_neighbours = self.generator.num_neighbours
        self.size_multiple = self.generator.size_multiple

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`."""
        return self.generator.train_pred(slices, target_code, truth)

    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.fast_pred`."""
        return self.generator.fast_pred(slices, target_code)

    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.sample`."""
        return self.generator.sample(slices, target_code)

    def own_losses(self) -> dict[str, Tensor]:
        """See :meth:`Generator.own_losses`."""
        return self.generator.own_losses()
