"""Intensities to 0..1 and back: 1 is the 99.5th percentile of the whole volume's brain, never of a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.volume import Volume

BRAIN_PERCENTILE = 99.5
"""The percentile of the brain's intensities that becomes 1: robust against vessels and spikes."""
SYNTHETIC_UNITS = 1000.0
"""A synthetic volume is written so that this value is the 99.5th percentile of the target contrast's brain."""


@dataclass(frozen=True)
class IntensityScale:
    """The record that undoes a normalisation.

    Attributes:
        percentile_value: The 99.5th percentile of the brain in the volume's own units; finite and positive.

    Raises:
        ValueError: If ``percentile_value`` is not finite and positive.
    """

    percentile_value: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.percentile_value) and self.percentile_value > 0):
            raise ValueError(f"an intensity scale is finite and positive, got {self.percentile_value}")


def brain_scale(volume: Volume, brain_mask: Volume) -> IntensityScale:
    """The 99.5th percentile (linear interpolation) of ``volume`` inside ``brain_mask``.

    Args:
        volume: Any real dtype and units; negative values count as they are.
        brain_mask: Nonzero is brain; on the grid of ``volume``.

    Raises:
        InputError: If the mask is empty or the percentile is not finite and positive.
        ValueError: If the shapes differ.
    """
    if brain_mask.shape != volume.shape:
        raise ValueError(f"brain mask {brain_mask.shape} is not on the grid of the volume {volume.shape}")
    brain = volume.array[brain_mask.array != 0]
    if brain.size == 0:
        raise InputError("the brain mask is empty on the grid of the volume; give a brain mask that covers the brain")
    value = float(np.percentile(brain, BRAIN_PERCENTILE))
    if not (np.isfinite(value) and value > 0):
        raise InputError(
            f"the brain's {BRAIN_PERCENTILE}th percentile intensity is {value:g} where a positive value is needed; "
            "check the volume and its brain mask"
        )
    return IntensityScale(value)


def normalize(array: NDArray[Any], scale: IntensityScale) -> NDArray[np.float32]:
    """``clip(v, 0, q) / q`` with ``q = scale.percentile_value``; float32 in [0, 1], shape of ``array``.

    Negative values (ringing of a spline resampling, phase-sensitive reconstructions) carry no brain contrast that a
    network has seen: they become 0, and :func:`restore` cannot bring them back, nor what lay above ``q``.
    """
    q = np.float32(scale.percentile_value)
    scaled = np.asarray(array, dtype=np.float32) / q
    return np.clip(scaled, 0.0, 1.0, out=scaled)


def restore(normalized: NDArray[Any], scale: IntensityScale) -> NDArray[np.float32]:
    """Undo :func:`normalize` up to its clipping: ``normalized * q``, float32, in the volume's own units."""
    return np.asarray(normalized, dtype=np.float32) * np.float32(scale.percentile_value)
