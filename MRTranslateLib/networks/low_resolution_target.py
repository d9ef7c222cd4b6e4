"""What was acquired of a target at low resolution, and what it shows of the brain alone.

Images are of brains whose surroundings were removed, and voxels that are larger than those of the full grid mix what
lies at the border of the brain with nothing. Dividing by the share of brain in each voxel undoes that (proposal): on
the open data, brains of slices of 3 mm gain 6 to 8 dB by it, and so do lesions near the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.networks.k_space import k_space_enlarge, k_space_resample

MIN_SHARE = 0.25
"""What voxels show is divided by their share of brain, but by no less than this: little brain tells little."""


@dataclass(frozen=True)
class LowResolutionTarget:
    """What was acquired of the target, normalised by its own volume (never by a high-resolution one).

    Attributes:
        images: ``(B, N, H / r, W / r)``, neighbouring slices, 0..1 but for ringing, as if all but the brain had been
            removed before the scan; r is 1 if it was re-gridded to the full grid. A voxel covers r x r voxels of the
            full grid: both have the same edges.
        voxel_size: ``(B, 3)``, size of an acquired voxel along slice, row and column axis in voxels of the full grid,
            at least 1: (1, 4, 4) for ratio 4, (5, 1, 1) for slices of 5 mm on a grid of 1 mm.
        synthetic: ``(B, 1, H / r, W / r)``, the middle slice of what the same acquisition would have shown of the
            synthetic volume (``slice_profile.thick_slice_matrix`` through plane). None makes the branch compute it in
            plane alone, which is all there is to it unless slices are thick.
        share: ``(B, N, H / r, W / r)``, how much of what each voxel shows is brain, as it rings in ``images``. None
            makes the branch compute it in plane alone, from where the sources show any.
        hidden: ``(B, 5, H, W)``, what the same acquisition would not have shown of the middle slices of the sources:
            their images less these as acquired and brought back, zero where missing. Only for a conditioned branch.
        target_code: ``(B, 5)``, one-hot, which contrast this is. Only for a conditioned branch.
    """

    images: Tensor
    voxel_size: Tensor
    synthetic: Tensor | None = None
    share: Tensor | None = None
    hidden: Tensor | None = None
    target_code: Tensor | None = None


@dataclass(frozen=True)
class SeenOfBrain:
    """What was acquired, of brain alone.

    Attributes:
        images: ``(B, N, H / r, W / r)``, 0..1.
        difference: ``(B, 1, H / r, W / r)``, the middle one less what the same scan would have shown of the synthetic
            image.
        full: ``(B, 1, H, W)``, the middle one on the full grid, 0..1.
        full_difference: ``(B, 1, H, W)``, the difference on the full grid.
    """

    images: Tensor
    difference: Tensor
    full: Tensor
    full_difference: Tensor


def seen_of_brain(low_resolution: LowResolutionTarget, synthetic: Tensor, tissue: Tensor) -> SeenOfBrain:
    """Compare what was acquired with a synthetic image.

    Args:
        low_resolution: What was acquired.
        synthetic: ``(B, 1, H, W)``, 0..1, zero outside the brain.
        tissue: ``(B, 1, H, W)``, where the brain is.
    """
    images, size = low_resolution.images.float(), (synthetic.shape[-2], synthetic.shape[-1])

    def in_plane(image: Tensor) -> Tensor:
        each = zip(image[:, None], low_resolution.voxel_size.tolist(), strict=True)
        return torch.cat([_as_acquired(*one, (images.shape[-2], images.shape[-1])) for one in each])

    middle, brain = images.shape[1] // 2, in_plane(tissue.float())
    share = brain.expand_as(images) if low_resolution.share is None else low_resolution.share.float()
    middle_image, middle_share = images[:, middle, None], share[:, middle, None]
    synthetic_seen = low_resolution.synthetic
    if synthetic_seen is None:
        synthetic_seen = of_brain(in_plane(synthetic), brain) * middle_share
    difference, full_share = middle_image - synthetic_seen, k_space_enlarge(middle_share, size)
    return SeenOfBrain(
        images=of_brain(images, share).clamp(0, 1),
        difference=of_brain(difference, middle_share),
        full=of_brain(k_space_enlarge(middle_image, size), full_share).clamp(0, 1) * tissue,
        full_difference=of_brain(k_space_enlarge(difference, size), full_share) * tissue,
    )


def of_brain(shown: Tensor, share: Tensor) -> Tensor:
    """What brain alone shows in voxels of which it fills a share; less where that is below ``MIN_SHARE``."""
    return shown / share.clamp(min=MIN_SHARE)


def hidden_details(source: Tensor, shown: Tensor, share: Tensor) -> Tensor:
    """What a scan hides of a source: its image less what brain alone shows of it, zero where it shows none.

    Args:
        source: Any shape, 0..1.
        shown: Same shape, what the scan shows of it, brought back to the grid of the source.
        share: Same or broadcastable, how much of that is brain.
    """
    return (source - of_brain(shown, share).clamp(0, 1)) * (source > 0)


def _as_acquired(image: Tensor, voxel_size: list[float], size: tuple[int, int]) -> Tensor:
    """An image ``(1, 1, H, W)`` as a scan with voxels of that size in plane shows it, on a grid of ``size``."""
    rows, columns = (
        max(1, round(count / max(voxels, 1.0))) for count, voxels in zip(image.shape[-2:], voxel_size[1:], strict=True)
    )
    return k_space_enlarge(k_space_resample(image, (rows, columns)), size)
