"""A patient who moves while k-space is filled: each part of it comes from another pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact, VoxelSize
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.geometry import positions_mm, resample, similarity_sources_mm
from MRTranslateLib.robustness.perturbations.kspace import line_numbers, magnitude_from_lines, phase_encoding_lines


@dataclass(frozen=True)
class Motion(Artefact):
    """Sudden in-plane movements during a 2D multi-slice acquisition with linear phase encoding.

    Movements fall into equal parts of the scan time, one into each. The pose while the centre of k-space was acquired
    is the reference, so the anatomy stays where it was and only the artefact is added; a target needs no moving.

    Attributes:
        rotation_deg: Each pose is turned by at most this, either way.
        translation_mm: And shifted by at most this along rows and columns, either way.
        num_movements: How often the patient moves.

    References:
        R. Shaw et al. MRI k-space motion artefact augmentation. MIDL 2019. There in 3D; here in-plane.
    """

    rotation_deg: float
    translation_mm: float
    num_movements: int

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        groups, count = len(scans.images), self.num_movements
        instants = (torch.arange(count, device=chance.device) + chance.uniform((groups, count), 0, 1)) / max(count, 1)
        rotation = chance.uniform((groups, count + 1), -self.rotation_deg, self.rotation_deg)
        translation = chance.uniform((groups, count + 1, 2), -self.translation_mm, self.translation_mm)
        return moved_during_scan(scans.images, instants, rotation, translation, scans.voxel_size_mm)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"{self.rotation_deg:.3g}°, {self.translation_mm:.3g} mm, {self.num_movements}x"


def moved_during_scan(
    images: Tensor, instants: Tensor, rotation_deg: Tensor, translation_mm: Tensor, voxel_size_mm: VoxelSize
) -> Tensor:
    """Mix k-space lines of moved copies.

    Args:
        images: ``(G, S, H, W)``.
        instants: ``(G, M)`` ascending, 0..1, when the patient moves; the centre of k-space is acquired at 0.5.
        rotation_deg: ``(G, M + 1)``, pose before, between and after the movements; the one at 0.5 is taken as 0.
        translation_mm: ``(G, M + 1, 2)`` along rows and columns.
        voxel_size_mm: Slice distance, voxel height, voxel width.
    """
    width = images.shape[-1]
    acquired_at = line_numbers(width, images.device) / width + 0.5  # (W,), in the order of torch.fft
    pose_of_line = (instants[:, :, None] <= acquired_at).sum(dim=1)  # (G, W)
    reference = pose_of_line[:, :1]  # line 0 is the centre
    points = positions_mm((images.shape[-2], width), voxel_size_mm, images.device)
    clean = phase_encoding_lines(images)
    lines = clean
    for pose in range(rotation_deg.shape[1]):
        sources = similarity_sources_mm(
            points, rotation_deg[:, pose], torch.ones_like(rotation_deg[:, pose]), translation_mm[:, pose]
        )
        moved = resample(images, sources, voxel_size_mm, "bicubic")
        taken = (pose_of_line == pose) & (reference != pose)
        lines = torch.where(taken[:, None, None, :], phase_encoding_lines(moved), lines)
    return magnitude_from_lines(lines)
