"""A wider point spread: relaxation during the readout, filters of the reconstruction."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.rim import continue_outwards, gaussian_blur

REACH = 4.0
"""Tissue is continued this many standard deviations behind the rim."""


@dataclass(frozen=True)
class Blur(Artefact):
    """A Gaussian point spread in the plane of the slices.

    Attributes:
        sigma_mm: Standard deviation; the full width at half maximum is 2.355 times that.
    """

    sigma_mm: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; nothing is random. The tissue at the rim is continued outwards first."""
        _, row_mm, column_mm = scans.voxel_size_mm
        sigmas = (self.sigma_mm / row_mm, self.sigma_mm / column_mm)
        filled = continue_outwards(scans.images, scans.brain, (REACH * sigmas[0], REACH * sigmas[1]))
        return gaussian_blur(filled, sigmas)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"sigma {self.sigma_mm:.3g} mm"
