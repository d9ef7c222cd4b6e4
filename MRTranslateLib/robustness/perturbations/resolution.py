"""Fewer samples: an anisotropic k-space in the plane, thick slices across it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.kspace import line_numbers, magnitude_from_lines, phase_encoding_lines
from MRTranslateLib.robustness.perturbations.rim import continue_outwards

REACH = 4.0
"""Tissue is continued this many acquired voxels behind the rim."""


@dataclass(frozen=True)
class AnisotropicResolution(Artefact):
    """Only the inner phase-encoding lines are acquired; the image is brought back to its grid by zero filling.

    Attributes:
        factor: Width of the acquired voxels over those of the grid, at least 1.
    """

    factor: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; nothing is random. The tissue at the rim is continued outwards first."""
        reach = REACH * self.factor
        return with_inner_lines(continue_outwards(scans.images, scans.brain, (reach, reach)), self.factor)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"voxels {self.factor:.3g}x as wide"


@dataclass(frozen=True)
class ThickSlices(Artefact):
    """Slices as thick as several of the grid, one behind the other without gaps, interpolated back to the grid.

    Attributes:
        factor: Thickness of the acquired slices over the distance of the grid's, at least 1.
    """

    factor: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; where the first slice begins is random.

        A voxel that is partly outside the brain shows the mean of its inner part, since what lies behind the rim of a
        head is not nothing.
        """
        start = float(chance.uniform((1,), -self.factor, 0))
        inside = scans.brain.float()
        thick = through_thick_slices(scans.images * inside, self.factor, start)
        share = through_thick_slices(inside, self.factor, start)
        return thick / share.clamp(min=1e-3)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"slices {self.factor:.3g}x as thick"


def with_inner_lines(images: Tensor, factor: float) -> Tensor:
    """Keep the phase-encoding lines up to ``1 / factor`` of the highest.

    The point spread is the Dirichlet kernel ``sin(pi m x / W) / (W sin(pi x / W))`` with m lines kept of W; its full
    width at half maximum is 1.21 times ``factor`` voxels.
    """
    width = images.shape[-1]
    kept = line_numbers(width, images.device).abs() <= (width - 1) / 2 / factor
    return magnitude_from_lines(phase_encoding_lines(images) * kept)


def through_thick_slices(images: Tensor, factor: float, start: float) -> Tensor:
    """Mean over thick slices with a rectangular profile, then linear interpolation between their middles.

    Args:
        images: ``(G, S, H, W)``.
        factor: Thickness in slices of the grid.
        start: Lower edge of the first thick slice, in slices from the lower edge of the stack, ``-factor``..0.
    """
    count = images.shape[1]
    thick_count = math.ceil((count - start) / factor)
    lower = start + factor * torch.arange(thick_count, device=images.device)[:, None]
    edges = torch.arange(count, device=images.device)
    # Overlap of each thick slice with each slice of the grid: partial volumes in exact proportion.
    overlap = (torch.minimum(lower + factor, edges + 1.0) - torch.maximum(lower, edges.float())).clamp(min=0)
    averaging = overlap / overlap.sum(dim=1, keepdim=True).clamp(min=1e-6)
    position = ((edges + 0.5 - start) / factor - 0.5).clamp(0, thick_count - 1)
    below = position.floor().long().clamp(max=max(thick_count - 2, 0))
    share = position - below
    back = functional.one_hot(below, thick_count) * (1 - share)[:, None]
    back = back + functional.one_hot((below + 1).clamp(max=thick_count - 1), thick_count) * share[:, None]
    return torch.einsum("ot,ti,gihw->gohw", back, averaging, images)
