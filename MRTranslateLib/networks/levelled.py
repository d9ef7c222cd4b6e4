"""Any generator with models of how bright its targets are, behind the adapter of generators."""

from __future__ import annotations

from typing import Any

import msgspec

from MRTranslateLib.networks.generator import Generator, build_generator
from MRTranslateLib.networks.level_model import LevelModel


class LevelledParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of :func:`levelled_generator`; stored in the model card.

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


def levelled_generator(parameters: LevelledParameters) -> Generator:
    """The generator itself, with the level models that whoever runs it over a whole volume applies."""
    generator = build_generator(parameters.architecture, parameters.parameters)
    generator.levels = parameters.levels
    return generator
