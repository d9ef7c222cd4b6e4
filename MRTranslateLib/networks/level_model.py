"""How bright the brain is in a target, told from a source and the result as a whole.

1 is the 99.5th percentile of the target's brain. In FLAIR these brightest voxels may be a tumour or ordinary tissue, so
how bright all the rest is depends on what lies in other slices, which a generator of slices does not see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from MRTranslateLib.contrast import Contrast


@dataclass(frozen=True)
class LevelSigns:
    """What a source and the result, both as a whole, say about the level of a target.

    Attributes:
        median: Of the source's brain, 0..1.
        asymmetry: 95th percentile of how far the source's voxels depart from the mirrored half of the brain, 0..1: a
            tumour lies on one side, lesions of multiple sclerosis on both.
        brightest: Natural logarithm of the result's 99.5th percentile in the brain over its median, as the generator
            made it. If it were the target's, the level would be ``exp(-brightest)``.
    """

    median: float
    asymmetry: float
    brightest: float


class LevelModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The brain's median in a target: a log-linear regression over the training people.

    Source:
        Proposal; METHODS 9 asks that the level be no free choice of the generator.

    Attributes:
        target: Contrast whose median is told, 0..1.
        source: Contrast from which and from the result; without it among the sources the result is left as it is.
        intercept: Of the natural logarithm of the median.
        per_median: Added to it per unit of the source's median.
        per_asymmetry: Added to it per unit of the source's asymmetry.
        per_brightest: Added to it per unit of :attr:`LevelSigns.brightest`; 0 in models from before that was measured.
        lowest: Smallest median among the training people; less is never told.
        highest: Largest.
        num_people: Trained on.
        relative_error: Root mean square of the logarithm's error, each person told from the others.
    """

    target: Contrast
    source: Contrast
    intercept: float
    per_median: float
    per_asymmetry: float
    per_brightest: float = 0.0
    lowest: float
    highest: float
    num_people: int
    relative_error: float

    def __post_init__(self) -> None:
        if self.target == self.source:
            raise ValueError(f"the level of {self.target} cannot be told from itself")
        if not 0 < self.lowest <= self.highest <= 1:
            raise ValueError(f"need 0 < lowest <= highest <= 1, got {self.lowest:g} and {self.highest:g}")

    def level(self, signs: LevelSigns) -> float:
        """The target's median, 0..1."""
        from_source = self.per_median * signs.median + self.per_asymmetry * signs.asymmetry
        told = math.exp(self.intercept + from_source + self.per_brightest * signs.brightest)
        return min(max(told, self.lowest), self.highest)
