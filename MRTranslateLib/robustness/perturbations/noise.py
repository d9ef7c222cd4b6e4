"""Thermal noise: Gaussian, and Rician as it is in magnitude images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance


@dataclass(frozen=True)
class GaussianNoise(Artefact):
    """White noise added to each voxel, the limit of Rician noise at high signal.

    Attributes:
        sigma: Standard deviation, in units of the brain's 99.5th percentile.
    """

    sigma: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; may be negative."""
        return scans.images + self.sigma * chance.normal_field(scans.images.shape)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"sigma {self.sigma:.3g}"


@dataclass(frozen=True)
class RicianNoise(Artefact):
    """Independent normal noise in the real and the imaginary channel of the complex image, then the magnitude.

    Attributes:
        sigma: Standard deviation in each channel, in units of the brain's 99.5th percentile.
    """

    sigma: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        return add_rician_noise(scans.images, self.sigma, chance)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"sigma {self.sigma:.3g}"


@dataclass(frozen=True)
class RelativeRicianNoise(Artefact):
    """Rician noise scaled as ROOD-MRI and MONAI scale it: by the spread of the whole image, background included.

    Attributes:
        relative_sigma: Standard deviation in each channel over the standard deviation of the scan.
    """

    relative_sigma: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        spread = scans.images.flatten(1).std(dim=1, unbiased=False)[:, None, None, None]
        return add_rician_noise(scans.images, self.relative_sigma * spread, chance)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"sigma {self.relative_sigma:.3g} SD"


def add_rician_noise(images: Tensor, sigma: Tensor | float, chance: Chance) -> Tensor:
    """``sqrt((v + n1)^2 + n2^2)`` with n1 and n2 normal of standard deviation ``sigma``.

    References:
        H. Gudbjartsson, S. Patz. The Rician distribution of noisy MRI data. Magn Reson Med 34 (1995) 910.
    """
    real = images + sigma * chance.normal_field(images.shape)
    return torch.hypot(real, sigma * chance.normal_field(images.shape))
