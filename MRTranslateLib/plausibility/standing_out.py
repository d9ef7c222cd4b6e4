"""Compact regions in which a map is high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

SMOOTHING_VOXELS = 1.5
"""Of the map before its peaks are sought, 3 mm: a ball of 1 ml passes, specks along sulci do not."""
SEPARATION_VOXELS = 3
"""No second region is sought within this of the first."""
REACH_VOXELS = 20
"""A region ends so far from its peak, 4 cm along each axis: no larger structure is listed, and it saves time."""
MAX_PEAKS = 20
"""Looked at; a large lesion takes several, which are shoulders of the first."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region about a peak.

    Attributes:
        mask: On the grid of the map.
        height: Of the smoothed map at the peak, positive.
        peak: Voxel index.
    """

    mask: NDArray[np.bool_]
    height: float
    peak: tuple[int, int, int]

    def grown(self, num_voxels: int) -> NDArray[np.bool_]:
        """The mask and what lies within ``num_voxels`` of it."""
        box = _box([(int(along.min()), int(along.max())) for along in self.mask.nonzero()], num_voxels)
        grown = np.zeros_like(self.mask)
        grown[box] = ndimage.binary_dilation(self.mask[box], iterations=num_voxels)
        return grown


def regions_standing_out(departure: Image, profile: Image, threshold: float) -> list[Region]:
    """Regions about the peaks of a map.

    Args:
        departure: The map; its smoothed peaks are sought.
        profile: Positive in the structure; a region is where it exceeds half its height at the peak.
        threshold: Lowest height of a smoothed peak.

    Returns:
        The highest first, of at most ``MAX_PEAKS`` peaks.
    """
    smoothed = ndimage.gaussian_filter(np.maximum(departure, 0), SMOOTHING_VOXELS)
    lightly = ndimage.gaussian_filter(profile, 1.0)
    regions: list[Region] = []
    for _ in range(MAX_PEAKS):
        i, j, k = (int(index) for index in np.unravel_index(smoothed.argmax(), smoothed.shape))
        height = float(smoothed[i, j, k])
        if height < threshold:
            break
        region = Region(_about((i, j, k), lightly), height, (i, j, k))
        smoothed[region.grown(SEPARATION_VOXELS)] = 0
        if not any((region.mask & other.mask).any() for other in regions):  # else a shoulder of that one
            regions.append(region)
    return regions


def _about(peak: tuple[int, int, int], profile: Image) -> NDArray[np.bool_]:
    """The part of the profile above half its height that holds the peak, cut off from what hangs on by threads."""
    box = _box([(index, index) for index in peak], REACH_VOXELS)
    i, j, k = (index - side.start for index, side in zip(peak, box, strict=True))
    high = profile[box] > 0.5 * profile[peak]
    high[i, j, k] = True
    opened = ndimage.binary_opening(high)
    labels, _ = ndimage.label(opened if opened[i, j, k] else high)
    region = np.zeros(profile.shape, np.bool_)
    region[box] = labels == labels[i, j, k]
    return region


def _box(ends: list[tuple[int, int]], margin: int) -> tuple[slice, ...]:
    """What lies within ``margin`` of the inclusive ends, cut off where the grid begins."""
    return tuple(slice(max(first - margin, 0), last + margin + 1) for first, last in ends)
