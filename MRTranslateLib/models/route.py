"""A route as model cards write it, and what is said of single routes."""

from __future__ import annotations

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.part import Part, require_distinct


class CardRoute(Part, frozen=True, kw_only=True):
    """Exactly these sources, to that target.

    Attributes:
        sources: Given contrasts, at least one and each once.
        target: Translated contrast; not among the sources.
    """

    sources: tuple[Contrast, ...]
    target: Contrast

    def __post_init__(self) -> None:
        super().__post_init__()
        require_distinct("sources", self.sources)
        if self.target in self.sources:
            raise ValueError(f"target {self.target} is among the sources {', '.join(self.sources)}")
