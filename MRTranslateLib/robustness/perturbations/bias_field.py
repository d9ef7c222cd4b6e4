"""Uneven sensitivity of the receive coil: a smooth factor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact, VoxelSize
from MRTranslateLib.robustness.perturbations.chance import Chance

ORDER = 3
HALF_FIELD_OF_VIEW_MM = 120.0
"""Length at which the polynomial's coordinates reach 1: a head's field does not change with the crop."""


@dataclass(frozen=True)
class BiasField(Artefact):
    """The exponential of a polynomial of third order in position, three-dimensional for stacks.

    Attributes:
        coefficient: Each coefficient is drawn evenly between plus and minus this.

    The polynomial has no constant term and its mean over the brain is taken off: gain is arbitrary in MRI and belongs
    to normalisation (TorchIO leaves it in).

    References:
        C. H. Sudre et al. Longitudinal segmentation of age-related white matter hyperintensities. Medical Image
        Analysis 38 (2017), section on the bias model; the scale of coefficients is METHODS 1.7.
    """

    coefficient: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        groups, slices, *_ = scans.images.shape
        terms = [
            (s, r, c)
            for s in range(ORDER + 1 if slices > 1 else 1)
            for r in range(ORDER + 1 - s)
            for c in range(ORDER + 1 - s - r)
            if s + r + c > 0
        ]
        coefficients = chance.uniform((groups, len(terms)), -self.coefficient, self.coefficient)
        log_field = polynomial_field(scans.images.shape, terms, coefficients, scans.voxel_size_mm)
        count = scans.brain.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
        mean = (log_field * scans.brain).sum(dim=(1, 2, 3), keepdim=True) / count
        return scans.images * torch.exp(log_field - mean)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"coefficients ±{self.coefficient:.3g}"


def polynomial_field(
    shape: torch.Size, terms: list[tuple[int, int, int]], coefficients: Tensor, voxel_size_mm: VoxelSize
) -> Tensor:
    """``sum_t coefficients[g, t] s^i r^j c^k`` with s, r, c in units of ``HALF_FIELD_OF_VIEW_MM`` from the middle.

    Args:
        shape: ``(G, S, H, W)``.
        terms: Exponents ``(i, j, k)`` along slices, rows and columns.
        coefficients: ``(G, T)``.
        voxel_size_mm: Slice distance, voxel height, voxel width.

    Returns:
        ``(G, S, H, W)``, or 1 in place of S when no term depends on the slice.
    """
    coordinates = []
    for count, mm in zip(shape[1:], voxel_size_mm, strict=True):
        index = torch.arange(count, device=coefficients.device)
        coordinates.append((index - (count - 1) / 2) * (mm / HALF_FIELD_OF_VIEW_MM))
    s, r, c = coordinates
    field = torch.zeros(tuple(shape), device=coefficients.device)
    for number, (i, j, k) in enumerate(terms):
        plane = (r**j)[:, None] * (c**k)
        # (G, S, 1, 1) times (H, W): the whole volume is touched once per term.
        field.addcmul_((coefficients[:, number, None] * s**i)[:, :, None, None], plane)
    return field
