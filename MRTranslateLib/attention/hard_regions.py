"""The hardest spots of a brain, with or without a lesion mask: where a reader should look first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.attention.report import HardRegion
from MRTranslateLib.volume import Volume

HARD_PERCENTILE = 95.0
"""Voxels above this percentile of the brain's own difficulty are hard: a share of every brain, however good it is."""
MIN_VOLUME_ML = 0.2
"""Smaller regions are left out: a few scattered voxels are no place to look at."""
MAX_REGIONS = 20


def hard_regions(raw: Volume, shown: NDArray[np.float32], brain: NDArray[np.bool_]) -> tuple[HardRegion, ...]:
    """Connected regions (by face, edge or corner) of the hardest voxels.

    Args:
        raw: Raw difficulty, which ranks; 0..1.
        shown: The map as it is given to the user, on the same grid: its values are reported.
        brain: The brain, not empty.

    Returns:
        At most ``MAX_REGIONS``, the largest first; none where the map is flat.
    """
    hard = brain & (raw.array > np.percentile(raw.array[brain], HARD_PERCENTILE))
    labels, count = ndimage.label(hard, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    wanted = [label for label in np.argsort(-sizes, kind="stable") + 1 if _volume_ml(sizes[label - 1], raw)]
    boxes = ndimage.find_objects(labels)
    return tuple(_region(raw, shown, labels, label, boxes[label - 1]) for label in wanted[:MAX_REGIONS])


def _volume_ml(num_voxels: int, grid: Volume) -> float:
    """Of a region that is large enough, else 0."""
    volume_ml = float(num_voxels) * grid.voxel_volume_ml
    return volume_ml if volume_ml >= MIN_VOLUME_ML else 0.0


def _region(
    raw: Volume, shown: NDArray[np.float32], labels: NDArray[np.int32], label: int, box: tuple[slice, ...]
) -> HardRegion:
    inside = labels[box] == label
    corner = np.array([along.start for along in box])
    hardest = np.unravel_index(np.where(inside, raw.array[box], -1.0).argmax(), inside.shape) + corner
    right, anterior, superior = (raw.affine @ [*hardest, 1.0])[:3]
    values = shown[box][inside]
    return HardRegion(
        position_mm=(round(float(right), 2), round(float(anterior), 2), round(float(superior), 2)),
        volume_ml=round(values.size * raw.voxel_volume_ml, 3),
        mean=round(float(values.mean()), 4),
        maximum=round(float(values.max()), 4),
    )
