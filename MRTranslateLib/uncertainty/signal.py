"""One number per voxel that rises with the expected error: spread of all members, contrast and position.

The spread alone knows nothing of what no perturbation of the sources shows: that the contrast between tissues differs
between people, and that the target would not have lain exactly where the sources lie. Form and weights are ours, chosen
on validation people of the first weights; the calibration says what a value means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.inference.slices import SliceJob
from MRTranslateLib.uncertainty.spread import Spread

DROPPED_WEIGHT = 0.03
"""Of the variance over dropped sources beside that over perturbed ones. A source that is there need not be missed: with
full weight the signal points at errors less well than without it."""
CONTRAST_SHARE = 0.1
"""How far the contrast between tissues differs between people and scanners: a voxel far from the brain's median is off
by this share of its distance."""
POSITION_VOXELS = 0.3
"""How far registration leaves sources and target apart: a voxel at an edge of the sources is off by this much of it."""
GRADIENT_SIGMA_VOXELS = 1.0
SMOOTHING_VOXELS = 1.0
"""Of the variance, in plane: seven translations give a rough estimate in a single voxel."""


def smoothed_spread(spread: Spread, job: SliceJob) -> NDArray[np.float32]:
    """The standard deviation over all members.

    Args:
        spread: Over the members.
        job: What was translated; the brain is where any source is not 0.

    Returns:
        ``(len(job.indices), H, W)``, 1 is the 99.5th percentile of the target's brain, 0 outside the brain. 0 where the
        generator answers the same whatever its input.
    """
    brain = _brain(job)
    variance = spread.perturbed**2
    if spread.dropped is not None:
        variance = variance + np.float32(DROPPED_WEIGHT) * spread.dropped**2
    in_plane = (0.0, SMOOTHING_VOXELS, SMOOTHING_VOXELS)
    share = ndimage.gaussian_filter(brain.astype(np.float32), in_plane)
    # Divided by the brain's share: the rim is not taken for certain because nothing varies outside.
    smooth = ndimage.gaussian_filter(variance * brain, in_plane) / np.maximum(share, np.float32(1e-3))
    deviation: NDArray[np.float32] = np.sqrt(np.maximum(smooth, 0)) * brain
    return deviation


def error_signal(spread: Spread, job: SliceJob, synthetic: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the calibration takes: the spread, a share of the distance to the brain's median, and the sources' edges.

    Args:
        spread: Over the members.
        job: What was translated.
        synthetic: ``(len(job.indices), H, W)``, the translation, 0..1.

    Returns:
        Same shape and unit as :func:`smoothed_spread`: the root of the three variances' sum.
    """
    brain = _brain(job)
    middle = np.median(synthetic[brain]) if brain.any() else np.float32(0)
    away = np.float32(CONTRAST_SHARE) * np.abs(synthetic - middle) * brain
    apart = np.float32(POSITION_VOXELS) * _source_gradient(job) * brain
    signal: NDArray[np.float32] = np.sqrt(smoothed_spread(spread, job) ** 2 + away**2 + apart**2)
    return signal


def _source_gradient(job: SliceJob) -> NDArray[np.float32]:
    """Gradient magnitude of the sources per voxel, their mean, at the translated slices."""
    magnitudes = [
        ndimage.gaussian_gradient_magnitude(slices, GRADIENT_SIGMA_VOXELS)[job.indices]
        for slices in job.sources.values()
    ]
    mean: NDArray[np.float32] = np.mean(magnitudes, axis=0)
    return mean


def _brain(job: SliceJob) -> NDArray[np.bool_]:
    brain: NDArray[np.bool_] = np.logical_or.reduce([slices[job.indices] > 0 for slices in job.sources.values()])
    return brain
