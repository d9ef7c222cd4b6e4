"""One layout for what is perturbed: acquisitions of slices, whether they come as a volume or as training slices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from MRTranslateLib.robustness.perturbations.chance import Chance

VoxelSize = tuple[float, float, float]
"""Distance of slices, height and width of a voxel in mm: along S, A and R, the order of the tensor's axes."""


@dataclass(frozen=True, eq=False)
class Acquisitions:
    """Several scans, each a stack of axial slices that was acquired at once and so shares its artefacts.

    Attributes:
        images: ``(G, S, H, W)`` float32, 0..1; rows = anterior, columns = right. Phase encoding runs along the
            columns (right-left), as usual for axial slices of the head; frequency encoding along the rows.
        brain: ``(G, S, H, W)`` bool; False everywhere in a scan that holds no signal (a contrast not acquired).
        voxel_size_mm: Slice distance, voxel height, voxel width.
        sources_per_sample: How many neighbouring groups are the sources of one sample; None for a lone volume.
    """

    images: Tensor
    brain: Tensor
    voxel_size_mm: VoxelSize
    sources_per_sample: int | None


class Artefact(ABC):
    """What can go wrong in an acquisition; subclasses are frozen dataclasses whose fields are physical parameters."""

    @abstractmethod
    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """The scans as they would have come out.

        Args:
            scans: Clean scans.
            chance: Where everything random is drawn from.

        Returns:
            ``(G, S, H, W)`` float32 in the units of the input, neither clipped nor masked.
        """

    @property
    @abstractmethod
    def label(self) -> str:
        """The parameters in words with units, short enough for a picture."""


def as_acquisitions(images: Tensor, brain: Tensor | None, voxel_size_mm: VoxelSize) -> Acquisitions:
    """Bring any of the three layouts into one.

    Args:
        images: ``(S, H, W)``, one volume; ``(B, C, H, W)``, slices of C sources, each an acquisition of its own; or
            ``(B, C, N, H, W)``, C sources of N neighbouring slices, as generators take them.
        brain: Nonzero is brain. Shape of the volume; ``(B, 1, H, W)``; or ``(B, 1, N, H, W)``. With N slices a brain of
            ``(B, 1, H, W)`` is the middle slice's. Where it is not given (None, or the neighbours), brain is what is
            above 0 in any source of the sample.
        voxel_size_mm: Slice distance, voxel height, voxel width.

    Raises:
        ValueError: If a shape does not fit or a size is not positive.
    """
    if images.ndim not in (3, 4, 5):
        raise ValueError(f"images must be (S, H, W), (B, C, H, W) or (B, C, N, H, W), got {tuple(images.shape)}")
    if len(voxel_size_mm) != 3 or min(voxel_size_mm) <= 0:
        raise ValueError(f"voxel_size_mm must be three positive lengths (slices, rows, columns), got {voxel_size_mm}")
    height, width = images.shape[-2:]
    slices = 1 if images.ndim == 4 else images.shape[-3]
    stacks = images.detach().float().reshape(-1, slices, height, width)
    mask = brain_of(images, brain).reshape(stacks.shape)
    acquired = (stacks > 0).flatten(1).any(dim=1)[:, None, None, None]
    return Acquisitions(stacks, mask & acquired, voxel_size_mm, None if images.ndim == 3 else images.shape[1])


def brain_of(images: Tensor, brain: Tensor | None) -> Tensor:
    """The brain mask, bool, in the shape of the images; arguments as for :func:`as_acquisitions`."""
    nonzero = images > 0 if images.ndim == 3 else (images > 0).any(dim=1, keepdim=True)
    if brain is None:
        return nonzero.expand_as(images)
    expected = nonzero.shape
    middle_only = images.ndim == 5 and brain.shape == (expected[0], 1, *expected[-2:])
    if not middle_only and brain.shape != expected:
        raise ValueError(
            f"brain {tuple(brain.shape)} does not fit images {tuple(images.shape)}: give {tuple(expected)}"
        )
    if middle_only:
        inside = nonzero.clone()
        inside[:, :, images.shape[2] // 2] = brain != 0
    else:
        inside = brain != 0
    return inside.expand_as(images)
