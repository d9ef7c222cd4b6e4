"""A spike in k-space: one wrong sample draws stripes over the whole slice (herringbone)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance

RADIUS = (0.08, 0.4)
"""Distance of the spike from the centre of k-space in cycles per voxel: stripes 2.5 to 12 voxels apart."""


@dataclass(frozen=True)
class Spike(Artefact):
    """One spike, at the same place in every slice's k-space, with a phase of its own in each.

    Attributes:
        intensity: Its size relative to the largest sample of the scan's k-space, the centre of its brightest slice.
    """

    intensity: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        groups, slices = scans.images.shape[:2]
        radius, direction = chance.uniform((groups,), *RADIUS), chance.uniform((groups,), 0, 2 * math.pi)
        frequency = torch.stack([radius * torch.cos(direction), radius * torch.sin(direction)], dim=-1)
        phase = chance.uniform((groups, slices), 0, 2 * math.pi)
        return with_spike(scans.images, self.intensity, frequency, phase)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"{self.intensity:.3g} of max |k|"


def with_spike(images: Tensor, intensity: float, frequency: Tensor, phase: Tensor) -> Tensor:
    """Add one sample to k-space: ``|v + A exp(2 pi i f.x + i phase)|``, where A is the sample over the voxel count.

    Args:
        images: ``(G, S, H, W)``.
        intensity: Of the spike, relative to ``max |k|`` over the scan; magnitudes are largest in the centre of
            k-space, where the sample is the sum of the slice.
        frequency: ``(G, 2)`` in cycles per voxel along rows and columns; moved to the nearest sample of k-space.
        phase: ``(G, S)`` in radians.
    """
    height, width = images.shape[-2:]
    size = images.new_tensor([height, width])
    row_step, column_step = (2 * math.pi * torch.round(frequency * size) / size).unbind(dim=-1)
    rows = row_step[:, None] * torch.arange(height, device=images.device)
    columns = column_step[:, None] * torch.arange(width, device=images.device)
    angle = rows[:, None, :, None] + columns[:, None, None, :] + phase[:, :, None, None]
    amplitude = intensity * images.mean(dim=(-2, -1)).amax(dim=1)[:, None, None, None]
    return torch.hypot(images + amplitude * torch.cos(angle), amplitude * torch.sin(angle))
