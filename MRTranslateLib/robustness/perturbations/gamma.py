"""A nonlinear change of contrast."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance


@dataclass(frozen=True)
class Gamma(Artefact):
    """``v ** exponent``: below 1 dark tissue gets brighter, above 1 darker; 0 and 1 stay.

    Attributes:
        exponent: Positive.
    """

    exponent: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; nothing is random."""
        return scans.images.clamp(min=0) ** self.exponent

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"exponent {self.exponent:.3g}"
