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
LARGEST_VOXELS = 2500
"""20 ml; of a larger structure the core is listed."""
HEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of its peak at which a region ends."""
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


def regions_standing_out(
    departure: Image, profile: Image, threshold: float, *, largest_voxels: int = LARGEST_VOXELS
) -> list[Region]:
    """Regions about the peaks of a map.

    Args:
        departure: The map; its smoothed peaks are sought.
        profile: Positive in the structure; a region is where it exceeds half its height at the peak.
        threshold: Lowest height of a smoothed peak.
        largest_voxels: Where a region is larger, it is cut higher up (``HEIGHTS``) until it is not: what surrounds a
            lesion may be unusual as well, and at half height both are one.

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
        region = Region(_about((i, j, k), lightly, largest_voxels), height, (i, j, k))
        smoothed[region.grown(SEPARATION_VOXELS)] = 0
        if not any((region.mask & other.mask).any() for other in regions):  # else a shoulder of that one
            regions.append(region)
    return regions


def _about(peak: tuple[int, int, int], profile: Image, largest_voxels: int) -> NDArray[np.bool_]:
    """The part of the profile above half its height that holds the peak, or above more of it if that is too large."""
    box = _box([(index, index) for index in peak], REACH_VOXELS)
    at = tuple(index - side.start for index, side in zip(peak, box, strict=True))
    region = np.zeros(profile.shape, np.bool_)
    for height in HEIGHTS:
        part = _holding(at, profile[box] > height * profile[peak])
        if part.sum() <= largest_voxels:
            break
    region[box] = part
    return region


def _holding(at: tuple[int, ...], high: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected part that holds a voxel, cut off from what hangs on by threads."""
    high[at] = True
    opened = ndimage.binary_opening(high)
    labels, _ = ndimage.label(opened if opened[at] else high)
    part: NDArray[np.bool_] = labels == labels[at]
    return part


def _box(ends: list[tuple[int, int]], margin: int) -> tuple[slice, ...]:
    """What lies within ``margin`` of the inclusive ends, cut off where the grid begins."""
    return tuple(slice(max(first - margin, 0), last + margin + 1) for first, last in ends)
