"""What all parts of a model card share: closed, immutable, and with finite numbers only."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec

Sentence = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed, immutable part of a card whose numbers are all finite (JSON knows neither NaN nor infinity)."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _require_finite(name, getattr(self, name))


def require_distinct(name: str, values: tuple[str, ...]) -> None:
    """Raise ValueError unless there is at least one value and none twice; ``name`` is the field's."""
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must name at least one and each once, got {', '.join(values) or 'none'}")


def _require_finite(name: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if isinstance(value, tuple):
        for item in value:
            _require_finite(name, item)
