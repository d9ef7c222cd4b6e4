"""The way back: slices of the brain's box in the working grid onto the first source's own grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import Volume, from_canonical, from_slices, to_canonical


def values_on_output_grid(slices: NDArray[np.float32], prepared: Prepared, first: Volume) -> Volume:
    """Values on the first source's grid, 0 outside the brain.

    Args:
        slices: ``(len(prepared.indices), H, W)``, one value per voxel of the box.
        prepared: Where these slices lie.
        first: The first source.

    Returns:
        float32 within the range of ``slices``, interpolated linearly where the grids differ in plane.
    """
    canonical = to_canonical(first)
    every = prepared.grid.translate_every
    shape = prepared.grid.grid.shape
    full = np.zeros((*shape[:2], canonical.shape[2]), np.float32)
    right, anterior, _ = prepared.box
    full[right, anterior, prepared.indices_in_output] = from_slices(slices)
    affine = prepared.grid.grid.affine @ np.diag([1.0, 1.0, every, 1.0])
    on_grid = resample(Volume(full, affine), canonical).array * prepared.brain.volume.array
    return Volume(np.ascontiguousarray(from_canonical(on_grid, first)), first.affine)
