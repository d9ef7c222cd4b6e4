"""A source that does not lie where the target lies: a failed registration, a patient bent between scans."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.geometry import positions_mm, resample, similarity_sources_mm

NUM_WAVES = 6
WAVELENGTH_MM = (90.0, 200.0)
"""Bending is a sum of this many plane waves of these lengths, so that tissue is bent and not torn."""


@dataclass(frozen=True)
class Misalignment(Artefact):
    """The source is turned and scaled about the middle of the slice and shifted, all in-plane.

    Attributes:
        rotation_deg: At most this, either way.
        translation_mm: At most this along rows and columns, either way.
        scale: At most this share larger or smaller.
    """

    rotation_deg: float
    translation_mm: float
    scale: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        groups = len(scans.images)
        points = positions_mm((scans.images.shape[-2], scans.images.shape[-1]), scans.voxel_size_mm, chance.device)
        sources = similarity_sources_mm(
            points,
            chance.uniform((groups,), -self.rotation_deg, self.rotation_deg),
            1 + chance.uniform((groups,), -self.scale, self.scale),
            chance.uniform((groups, 2), -self.translation_mm, self.translation_mm),
        )
        return resample(scans.images, sources, scans.voxel_size_mm, "bilinear")

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"±{self.rotation_deg:.3g}°, ±{self.translation_mm:.3g} mm, ±{100 * self.scale:.3g} %"


@dataclass(frozen=True)
class ElasticMisalignment(Artefact):
    """The source is bent smoothly in-plane, differently from slice to slice.

    Attributes:
        displacement_mm: Length of the largest displacement.
    """

    displacement_mm: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        shape = (scans.images.shape[0], scans.images.shape[1])
        points = positions_mm((scans.images.shape[-2], scans.images.shape[-1]), scans.voxel_size_mm, chance.device)
        heights = (torch.arange(shape[1], device=chance.device) - (shape[1] - 1) / 2) * scans.voxel_size_mm[0]
        bending = bending_field(points, heights, shape[0], chance)
        largest = bending.norm(dim=-1).amax(dim=(1, 2, 3)).clamp(min=1e-6)[:, None, None, None, None]
        sources = points - bending * (self.displacement_mm / largest)
        return resample(scans.images, sources, scans.voxel_size_mm, "bilinear")

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"up to {self.displacement_mm:.3g} mm"


def bending_field(points_mm: Tensor, heights_mm: Tensor, groups: int, chance: Chance) -> Tensor:
    """A smooth random displacement of arbitrary size, ``(G, S, H, W, 2)`` along rows and columns.

    Args:
        points_mm: ``(H, W, 2)`` of :func:`positions_mm`.
        heights_mm: ``(S,)``, position of the slices.
        groups: G.
        chance: Draws direction, length and phase of each wave.
    """
    parts = []
    for _ in range(2):
        shape = (groups, NUM_WAVES)
        number = 2 * math.pi / chance.uniform(shape, *WAVELENGTH_MM)
        azimuth, cosine = chance.uniform(shape, 0, 2 * math.pi), chance.uniform(shape, -1, 1)
        in_plane = number * torch.sqrt(1 - cosine**2)
        phase = chance.uniform(shape, 0, 2 * math.pi)
        part = torch.zeros(groups, len(heights_mm), *points_mm.shape[:2], device=points_mm.device)
        for wave in range(NUM_WAVES):
            directions = torch.stack([torch.cos(azimuth[:, wave]), torch.sin(azimuth[:, wave])], dim=-1)
            across = points_mm @ (directions * in_plane[:, wave, None]).T  # (H, W, G)
            along = (number * cosine)[:, wave, None] * heights_mm + phase[:, wave, None]  # (G, S)
            part += torch.cos(across.permute(2, 0, 1)[:, None] + along[:, :, None, None])
        parts.append(part)
    return torch.stack(parts, dim=-1)
