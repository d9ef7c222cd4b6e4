"""How bright the brain is in a target, told from a source as a whole.

1 is the 99.5th percentile of the target's brain. In FLAIR these brightest voxels may be a tumour or ordinary tissue, so
how bright all the rest is depends on what lies in other slices, which a generator of slices does not see.
"""

from __future__ import annotations

import math

import msgspec

from MRTranslateLib.contrast import Contrast


class LevelModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The brain's median in a target, told from one source: a log-linear regression over the training people.

    Source:
        Proposal; METHODS 9 asks that the level be no free choice of the generator.

    Attributes:
        target: Contrast whose median is told, 0..1.
        source: Contrast from which; without it among the sources the result is left as it is.
        intercept: Of the natural logarithm of the median.
        per_median: Added to it per unit of the source's median.
        per_asymmetry: Added to it per unit of :attr:`MRTranslateLib.inference.level.LevelSigns.asymmetry`.
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
    lowest: float
    highest: float
    num_people: int
    relative_error: float

    def __post_init__(self) -> None:
        if self.target == self.source:
            raise ValueError(f"the level of {self.target} cannot be told from itself")
        if not 0 < self.lowest <= self.highest <= 1:
            raise ValueError(f"need 0 < lowest <= highest <= 1, got {self.lowest:g} and {self.highest:g}")

    def level(self, median: float, asymmetry: float) -> float:
        """The target's median, 0..1, from the two signs of the source."""
        told = math.exp(self.intercept + self.per_median * median + self.per_asymmetry * asymmetry)
        return min(max(told, self.lowest), self.highest)
