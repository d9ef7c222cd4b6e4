"""How far a perturbation may change a result before a robustness report warns: stated by the model, never assumed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from MRTranslateLib.models.part import Part, Sentence

LimitedRegion = Literal["brain", "lesion", "rim", "healthy"]
"""Where limits hold."""


class RobustnessLimit(Part, frozen=True, kw_only=True):
    """One limit.

    Attributes:
        region: Where it holds.
        max_relative_change: Mean absolute change over the region's mean, from the unperturbed result; 0.1 is 10 %.
        derived_from: Whose scans it was derived from and how, one sentence.
    """

    region: LimitedRegion
    max_relative_change: Annotated[float, msgspec.Meta(gt=0)]
    derived_from: Sentence
