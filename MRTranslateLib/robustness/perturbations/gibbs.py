"""Gibbs ringing: k-space ends too early in all in-plane directions and the rest is zero-filled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.kspace import line_numbers


@dataclass(frozen=True)
class Gibbs(Artefact):
    """A sharp round cut-off in k-space.

    Attributes:
        alpha: As in MONAI's ``GibbsNoise``: what is kept reaches to ``sqrt(2) (1 - alpha)`` of the highest frequency of
            an axis; 0 keeps all, corners included.
    """

    alpha: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; nothing is random. The brain's rim rings as the skull would."""
        return with_round_cutoff(scans.images, math.sqrt(2) * (1 - self.alpha))

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"cut at {100 * math.sqrt(2) * (1 - self.alpha):.0f} % of the edge"


def with_round_cutoff(images: Tensor, radius: float) -> Tensor:
    """Zero all frequencies beyond ``radius`` times the highest of their axis and return the magnitude.

    For anisotropic voxels the cut is an ellipse. MONAI measures from half a sample beside the centre when a side is
    even; here the centre is the centre.
    """
    height, width = images.shape[-2:]
    rows = line_numbers(height, images.device) / (height / 2)
    columns = line_numbers(width, images.device) / (width / 2)
    kept = rows[:, None] ** 2 + columns**2 <= radius**2
    image: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * kept)
    return image.abs()
