"""The same acquisition as it might as well have come out: the sources of a translation, changed within their own noise.

Nothing here is visible to a reader: noise as strong as what the source has already, a coil a little less even, a gain
that another percentile would have given, a head half a voxel further, and the head's mirror image. A proposal; METHODS
has no uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.robustness.perturbations.acquisitions import VoxelSize, as_acquisitions
from MRTranslateLib.robustness.perturbations.bias_field import BiasField
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.noise import RicianNoise

BIAS_COEFFICIENT = 0.03
"""A third of the bank's mildest bias field."""
GAIN = 0.03
"""The brain's 99.5th percentile hardly differs by more with another brain mask."""


@dataclass(frozen=True)
class Member:
    """One change of all sources.

    Attributes:
        name: In words.
        shift: Half a voxel along slices, rows or columns (0, 1, 2), and which way (-1, 1); None for none.
        mirrored: Left and right are exchanged, and exchanged back in the translation.
    """

    name: str
    shift: tuple[int, int] | None
    mirrored: bool


MEMBERS = tuple(
    Member(f"noise, bias, gain, half a voxel {way}{', mirrored' if mirrored else ''}", (axis, sign), mirrored)
    for way, axis, sign, mirrored in (
        ("backwards", 1, -1, False),
        ("forwards", 1, 1, True),
        ("left", 2, -1, False),
        ("right", 2, 1, True),
        ("down", 0, -1, False),
        ("up", 0, 1, True),
    )
)
"""In the directions of the slices; half a voxel is about what registration leaves."""


def perturbed_sources(
    sources: Mapping[Contrast, NDArray[np.float32]],
    noise: Mapping[Contrast, float],
    member: Member,
    *,
    voxel_size_mm: VoxelSize,
    seed: int,
) -> dict[Contrast, NDArray[np.float32]]:
    """The sources as one member sees them.

    Args:
        sources: Slices ``(S, H, W)`` per contrast, 0..1, 0 outside the brain.
        noise: Standard deviation per contrast.
        member: What to do.
        voxel_size_mm: Distance of slices, height and width of a voxel.
        seed: Not negative; each source draws its own noise, field and gain from it.

    Returns:
        Same shapes, 0..1, 0 where the source was 0 (moved along), mirrored where the member is.
    """
    made = {}
    for contrast, slices in sources.items():
        chance = Chance(seed * len(Contrast) + contrast.channel, torch.device("cpu"))
        scan = as_acquisitions(torch.from_numpy(np.ascontiguousarray(slices)), None, voxel_size_mm)
        worse = BiasField(BIAS_COEFFICIENT).apply(scan, chance) * (1 + chance.uniform((1,), -GAIN, GAIN))
        scan = as_acquisitions(worse[0], None, voxel_size_mm)
        noisy = RicianNoise(noise[contrast]).apply(scan, chance)[0] * (torch.from_numpy(slices) > 0)
        moved = noisy.numpy() if member.shift is None else _half_a_voxel_on(noisy.numpy(), *member.shift)
        made[contrast] = np.ascontiguousarray(moved[:, :, ::-1] if member.mirrored else moved).clip(0, 1)
    return made


def _half_a_voxel_on(slices: NDArray[np.float32], axis: int, sign: int) -> NDArray[np.float32]:
    """Shifted by linear interpolation, which half-way is the mean of two neighbours; zeros move in."""
    moved = slices * np.float32(0.5)
    ahead, behind = [slice(None)] * 3, [slice(None)] * 3
    ahead[axis], behind[axis] = (slice(1, None), slice(None, -1))[::sign]
    moved[tuple(ahead)] += slices[tuple(behind)] * np.float32(0.5)
    return moved
