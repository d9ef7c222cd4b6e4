"""Makes images of one person alike in everything but what they show: outline, background, range, dtype, grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.brain_mask import stripped_outline
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS, brain_scale, normalize
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import Volume

MIN_SHARED = 0.5
"""The real target must show this share of the brain that the synthetic one shows."""
DARKEST = 1
"""Of the brain; 0 is outside, so that the outline is the same whatever an image shows at its rim."""
_WHOLLY_INSIDE = 0.999
"""Of a mask, interpolated linearly: all voxels around a point lie in it."""


def shared_brain(synthetic: Volume, real: Volume | None, transform: NDArray[np.float64] | None) -> NDArray[np.bool_]:
    """Where both images show brain.

    That is the brain of the synthetic image, where the real one's field of view reaches and, if that was
    skull-stripped itself, where it left brain.

    Args:
        synthetic: 0 outside the brain.
        real: As it was acquired, in canonical axes; None for the brain of the synthetic image alone.
        transform: How the real one lies to it, as :func:`~MRTranslateLib.preprocessing.resampling.resample` takes it.

    Returns:
        bool, shape of ``synthetic``.

    Raises:
        InputError: If that is less than half of the synthetic image's brain.
    """
    brain: NDArray[np.bool_] = ndimage.binary_fill_holes(synthetic.array > 0)
    if real is None:
        return brain
    shows = np.ones(real.shape, np.float32)
    if stripped_outline(real) is not None:
        shows = ndimage.binary_fill_holes(real.array > 0).astype(np.float32)
    shared = brain & (resample(real.with_array(shows), synthetic, transform=transform).array > _WHOLLY_INSIDE)
    if (share := shared.sum() / max(brain.sum(), 1)) < MIN_SHARED:
        raise InputError(f"the real image shows only {share:.0%} of the synthetic one's brain")
    return shared


def blinded(volume: Volume, brain: NDArray[np.bool_], rng: np.random.Generator) -> Volume:
    """The image as readers see it.

    Each image is scaled by its own brain: a real one has no other unit, and a synthetic one left in its own would be
    known by its brightest value. The level of a result is therefore not among what is read; ``mrtranslate evaluate``
    measures it. Whole numbers are spread evenly over the step between them before they are scaled, since the gaps of
    their histogram would tell one image from the other (dither; Lipshitz, Wannamaker, Vanderkooy, Quantization and
    dither: a theoretical survey, J. Audio Eng. Soc. 1992; 40: 355-375).

    Args:
        volume: Finite values in any unit.
        brain: Shape of ``volume``, not empty.
        rng: Chance of the dither.

    Returns:
        On the same grid; int16, 1..1000 in the brain, where 1000 is its 99.5th percentile and whatever is brighter,
        0 outside.

    Raises:
        InputError: If the 99.5th percentile is not positive.
    """
    values = volume.array[brain].astype(np.float64)
    spread = np.zeros(volume.shape)
    spread[brain] = values + rng.uniform(-0.5, 0.5, values.size) * _step(values)
    scale = brain_scale(volume.with_array(spread), volume.with_array(brain))
    scaled = np.rint(normalize(spread, scale) * SYNTHETIC_UNITS).astype(np.int16)
    return volume.with_array(np.where(brain, np.maximum(scaled, np.int16(DARKEST)), np.int16(0)))


def _step(values: NDArray[Any]) -> float:
    """The least difference of two values: 1 of whole numbers, next to nothing of values that were interpolated."""
    steps = np.diff(np.unique(values))
    return float(steps.min()) if steps.size else 0.0
