"""From the members' spread to half the width of an interval, by the table that a model's card holds for its target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.inference.slices import SliceJob
from MRTranslateLib.models.uncertainty import UncertaintyCalibration
from MRTranslateLib.uncertainty.signal import error_signal, smoothed_spread
from MRTranslateLib.uncertainty.spread import Spread

NORMAL_90 = 1.645
"""Half a 90 % interval of a normal distribution over its standard deviation."""


def half_widths(
    spread: Spread, job: SliceJob, synthetic: NDArray[np.float32], calibration: UncertaintyCalibration | None
) -> NDArray[np.float32]:
    """Half the width of the 90 % interval around a translation.

    Args:
        spread: Over its members.
        job: What was translated.
        synthetic: ``(len(job.indices), H, W)``, the translation, 0..1.
        calibration: Of the model for this target; None takes errors for normal with the spread's standard deviation.

    Returns:
        Same shape, 1 is the 99.5th percentile of the target's brain; meaningless outside the brain.
    """
    if calibration is None:
        return np.float32(NORMAL_90) * smoothed_spread(spread, job)
    return calibrated_widths(error_signal(spread, job, synthetic), calibration)


def calibrated_widths(signal: NDArray[np.float32], calibration: UncertaintyCalibration) -> NDArray[np.float32]:
    """Half-widths of error signals of any shape."""
    return np.interp(signal, calibration.raw, calibration.half_width).astype(np.float32)
