"""Misalignment of sources and target with known flow, so that what label correction recovers can be measured.

Affine levels as in RegGAN (METHODS 1.2, stated by its code): at level k each of the two images is turned by up to k
degrees, shifted by up to 0.02 k of its size and scaled by up to 0.02 k, independently. Only the motion of one against
the other matters, so the target alone is moved, by the one and back by the other. Elastic levels as in METHODS 1.7
(proposal): a smooth random displacement whose largest length is 1, 2, 4, 6 or 8 voxels.

Chance is drawn on the CPU from a seeded generator; the arithmetic runs where the images lie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.networks.warp import compose_flows, identity_grid, warp

ROTATION_PER_LEVEL_DEG = 1.0
SHIFT_PER_LEVEL = 0.02
SCALE_PER_LEVEL = 0.02
MIN_CONTROL_SPACING_VOXELS = 16.0
CONTROL_SPACING_PER_VOXEL = 4.0
"""Control points of the elastic displacement are this many times its largest length apart, so that nothing folds."""
INVERSION_STEPS = 25
"""Of the fixed-point iteration; the error shrinks by the steepest slope of the displacement, below 0.7, each time."""


@dataclass(frozen=True)
class Misalignment:
    """A motion of a batch of slices and the way back; flows ``(B, 2, H, W)``, rows and columns, in voxels.

    Attributes:
        flow: ``moved[p] = original[p + flow[p]]``.
        correction: ``original[p] = moved[p + correction[p]]``, what label correction is to find.
    """

    flow: Tensor
    correction: Tensor

    def move(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` as the moved patient shows it; 0 where the original showed nothing."""
        return warp(images, self.flow, outside="zeros")

    def remaining(self, flow: Tensor) -> Tensor:
        """What is left after a correction, exactly and without inverting anything.

        Args:
            flow: ``(B, 2, H, W)``, the correction that was found.

        Returns:
            ``(B, 2, H, W)``: the corrected target shows at p what the original shows at ``p + remaining[p]``.
        """
        return compose_flows(self.flow, flow)

    def recovered_share(self, flow: Tensor, brain: Tensor) -> Tensor:
        """Share of the displacement that a correction undoes.

        Args:
            flow: ``(B, 2, H, W)``, the correction that was found.
            brain: ``(B, 1, H, W)``, 0/1, in the frame of the sources.

        Returns:
            ``1 - mean_m |remaining| / mean_m |correction|``, a scalar: 1 is perfect, 0 as good as nothing.
        """
        left = self.remaining(flow).square().sum(dim=1, keepdim=True).sqrt()
        whole = self.correction.square().sum(dim=1, keepdim=True).sqrt()
        return 1 - (left * brain).sum() / (whole * brain).sum().clamp(min=1e-6)


def draw_misalignment(
    batch_size: int,
    size: tuple[int, int],
    *,
    affine_level: float,
    elastic_voxels: float,
    random: torch.Generator,
    device: torch.device | str = "cpu",
) -> Misalignment:
    """Draw one motion per slice: first affine, then elastic.

    Args:
        batch_size: Number of slices.
        size: Height and width in voxels.
        affine_level: RegGAN's level k, not negative; 0 for none.
        elastic_voxels: Longest elastic displacement in each slice, not negative; 0 for none.
        random: Source of chance, on the CPU.
        device: Where the flows shall lie.

    Raises:
        ValueError: If a level is negative.
    """
    if min(affine_level, elastic_voxels) < 0:
        raise ValueError(f"levels must not be negative, got {affine_level} and {elastic_voxels}")
    target, source = (_draw_affine(batch_size, size, affine_level, random) for _ in range(2))
    matrix = torch.linalg.solve(source, target)  # to a place in the target from the same place in the source's frame
    elastic = _draw_elastic(batch_size, size, elastic_voxels, random).to(device)
    there, back = matrix.float().to(device), torch.linalg.inv(matrix).float().to(device)
    places = identity_grid(elastic)
    flow = compose_flows(elastic, _displacement(there, places))
    unbent = _invert(elastic)
    # The affine part in closed form at the unbent places: they may lie beyond the slice.
    return Misalignment(flow, unbent + _displacement(back, places + unbent))


def _draw_affine(batch_size: int, size: tuple[int, int], level: float, random: torch.Generator) -> Tensor:
    """``(B, 3, 3)`` float64, acting on (row, column, 1) in voxels from the middle of the slice."""

    def uniform(bound: float, count: int) -> Tensor:
        return (torch.rand(batch_size, count, generator=random, dtype=torch.float64) * 2 - 1) * bound

    angle = uniform(math.radians(ROTATION_PER_LEVEL_DEG) * level, 1)[:, 0]
    scale = 1 + uniform(SCALE_PER_LEVEL * level, 1)[:, 0]
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    matrix = torch.eye(3, dtype=torch.float64).repeat(batch_size, 1, 1)
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1] = cosine, -sine, sine, cosine
    matrix[:, :2, 2] = uniform(SHIFT_PER_LEVEL * level, 2) * torch.tensor(size)
    return matrix


def _displacement(matrix: Tensor, places: Tensor) -> Tensor:
    """How far ``(B, 3, 3)`` matrices carry places ``(B or 1, 2, H, W)``, same shape as ``places``."""
    middle = places.new_tensor([(count - 1) / 2 for count in places.shape[2:]]).view(1, 2, 1, 1)
    change = matrix[:, :2, :2] - torch.eye(2, device=matrix.device)
    return (
        torch.einsum("bij,bjhw->bihw", change, (places - middle).expand(len(matrix), -1, -1, -1))
        + matrix[:, :2, 2, None, None]
    )


def _draw_elastic(batch_size: int, size: tuple[int, int], longest: float, random: torch.Generator) -> Tensor:
    """``(B, 2, H, W)``, smooth, with its largest length ``longest`` in every slice."""
    spacing = max(CONTROL_SPACING_PER_VOXEL * longest, MIN_CONTROL_SPACING_VOXELS)
    points = [max(int((count - 1) / spacing) + 1, 2) for count in size]
    control = torch.randn(batch_size, 2, *points, generator=random)
    field = functional.interpolate(control, size=size, mode="bicubic", align_corners=True)
    lengths = field.square().sum(dim=1, keepdim=True).sqrt().amax(dim=(2, 3), keepdim=True)
    return field * (longest / lengths)


def _invert(flow: Tensor) -> Tensor:
    """The flow that undoes another: the fixed point of ``inverse[p] = -flow[p + inverse[p]]``."""
    inverse = torch.zeros_like(flow)
    for _ in range(INVERSION_STEPS):
        inverse = -warp(flow, inverse)
    return inverse
