"""Optional N4 correction of the slow intensity drift that receive coils leave."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.single_thread import single_thread
from MRTranslateLib.volume import Volume, from_sitk, to_sitk

SHRINK = 4
ITERATIONS = (20, 20, 20, 20)
"""Four levels of 20 iterations on every fourth voxel: the same field as every second voxel at a tenth of the time."""


@single_thread()
def correct_bias(volume: Volume, brain_mask: Volume) -> Volume:
    """Divide by the bias field that N4 finds inside the brain (Tustison et al., IEEE TMI 2010).

    Args:
        volume: Any real dtype; negative values stay as they are up to the division.
        brain_mask: Nonzero is brain; on the grid of ``volume``.

    Returns:
        float32 on the grid of ``volume``. The field has mean 1 over the brain, so the brain keeps its mean level.

    Raises:
        InputError: If the mask is empty.
        ValueError: If the shapes differ.
    """
    if brain_mask.shape != volume.shape:
        raise ValueError(f"brain mask {brain_mask.shape} is not on the grid of the volume {volume.shape}")
    inside = brain_mask.array != 0
    if not inside.any():
        raise InputError("the brain mask is empty, so no bias field can be found; give a mask that covers the brain")
    image = to_sitk(volume.with_array(volume.array.astype(np.float32)))
    mask = to_sitk(volume.with_array(inside))
    factors = [max(1, min(SHRINK, n // 8)) for n in volume.shape]  # thin stacks keep their slices
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.SetMaximumNumberOfIterations(ITERATIONS)
    correction.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    field = np.exp(from_sitk(correction.GetLogBiasFieldAsImage(image)).array.astype(np.float64))
    field /= field[inside].mean()
    return volume.with_array((volume.array / field).astype(np.float32))
