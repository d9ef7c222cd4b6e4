"""Puts a lesion of one person into the brain of another, all contrasts together.

Eight people with a drawn glioma show eight times what a tumour looks like and where it may lie; grafted into others,
the same lesions lie in new surroundings, so that a generator learns the lesion and not the person (X. Zhang et al.
CarveMix. MICCAI 2021. arXiv:2108.06883). What differs: each contrast is brought to the brightness of its new
surroundings (see intensity_style.py), the rim is soft, and what a lesion displaces is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from training.data.cache import CachedScan
from training.data.intensity_style import IntensityStyles

HEIGHT_TOLERANCE = 0.15
"""A lesion is moved up or down by no more than this share of the brain's height."""
RIM_VOXELS = 1.5
"""Standard deviation of the smoothing of a graft's border, in plane."""


@dataclass(frozen=True)
class Graft:
    """A lesion where it shall lie in the recipient's slice.

    Attributes:
        images: uint8 ``(N, H, W)`` per contrast, of the donor, in the recipient's brightness and place.
        share: float32 ``(N, H, W)``, 0..1, how much of each voxel is the donor's.
    """

    images: Mapping[Contrast, NDArray[np.uint8]]
    share: NDArray[np.float32]

    def seen_through(self, cut: Callable[[NDArray[Any]], NDArray[Any]]) -> Graft:
        """The same in a window of the slice; ``cut`` takes ``(N, H, W)`` to the window's size."""
        return Graft({contrast: cut(image) for contrast, image in self.images.items()}, cut(self.share))

    def onto(self, stacks: NDArray[np.uint8]) -> None:
        """Put it into slices ``(5, N, H, W)`` in place; where either has no tissue nothing changes."""
        for contrast, image in self.images.items():
            own = stacks[contrast.channel]
            share = self.share * ((own > 0) & (image > 0))
            own[...] = np.round(own + share * (image.astype(np.float32) - own)).astype(np.uint8)


class LesionGrafts:
    """Lesions of the scans with a mask.

    Args:
        scans: Training scans.
    """

    def __init__(self, scans: Sequence[CachedScan]) -> None:
        self._scans, self._styles = scans, IntensityStyles(scans)
        self._slices = [np.flatnonzero(scan.lesion.any(axis=(1, 2))) for scan in scans]
        occupied = [np.flatnonzero(scan.brain.any(axis=(1, 2))) for scan in scans]
        self._ranges = [(int(rows[0]), int(rows[-1])) for rows in occupied]

    def draw(self, person: int, middle: int, num_neighbours: int, rng: np.random.Generator) -> Graft | None:
        """A lesion of a random other person for a slice of ``person``, left or right as chance has it.

        Returns:
            None if nobody with all of the person's contrasts has a lesion at about this height.
        """
        recipient = self._scans[person]
        height = _height(middle, self._ranges[person])
        donors = [
            (donor, near)
            for donor, scan in enumerate(self._scans)
            if donor != person and recipient.images.keys() <= scan.images.keys()
            if len(near := self._near(donor, height))
        ]
        if not donors:
            return None
        donor, near = donors[int(rng.integers(len(donors)))]
        scan, tables = self._scans[donor], self._styles.tables(donor, person)
        rows = int(rng.choice(near)) + np.arange(num_neighbours) - num_neighbours // 2
        mirrored, shape = bool(rng.random() < 0.5), recipient.brain.shape[1:]

        def placed(volume: NDArray[Any]) -> NDArray[Any]:
            inside = (rows >= 0) & (rows < len(volume))
            stack = np.where(inside[:, None, None], volume[np.clip(rows, 0, len(volume) - 1)], 0)
            return _centred(stack[:, :, ::-1] if mirrored else stack, (shape[0], shape[1]))

        lesion = placed(scan.lesion > 0).astype(np.float32)
        share = ndimage.gaussian_filter(lesion, (0, RIM_VOXELS, RIM_VOXELS))
        images = {contrast: tables[contrast][placed(scan.images[contrast])] for contrast in recipient.images}
        return Graft(images, share)

    def _near(self, donor: int, height: float) -> NDArray[np.intp]:
        slices = self._slices[donor]
        heights = np.array([_height(int(row), self._ranges[donor]) for row in slices])
        near: NDArray[np.intp] = slices[np.abs(heights - height) <= HEIGHT_TOLERANCE]
        return near


def _height(row: int, brain_range: tuple[int, int]) -> float:
    return (row - brain_range[0]) / max(brain_range[1] - brain_range[0], 1)


def _centred(stack: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Cut or zero-pad the last two axes evenly; both are boxes around a brain, so their middles agree."""
    for axis, wanted in zip((1, 2), shape, strict=True):
        spare = stack.shape[axis] - wanted
        if spare > 0:
            stack = np.take(stack, range(spare // 2, spare // 2 + wanted), axis=axis)
        elif spare < 0:
            before = -spare // 2
            widths = [(0, 0)] * 3
            widths[axis] = (before, -spare - before)
            stack = np.pad(stack, widths)
    return stack
