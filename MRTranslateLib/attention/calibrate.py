"""From the raw difficulty to the quantity that a model's card says it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.models.components import AttentionCalibration

UNCALIBRATED = (
    "The value is the local discriminator's raw difficulty (1-M)^2, 0 to 1: it was not compared with errors, so it "
    "ranks places within this image and means no probability."
)


def calibrated(raw: NDArray[Any], calibration: AttentionCalibration | None) -> NDArray[np.float32]:
    """Raw difficulties, 0..1, of any shape in the unit of the calibration; as they are without one."""
    if calibration is None:
        return raw.astype(np.float32)
    values: NDArray[np.float64] = np.interp(raw, calibration.raw, calibration.calibrated)
    return values.astype(np.float32)


def statement(calibration: AttentionCalibration | None) -> str:
    """What a value of the map means, one sentence."""
    return UNCALIBRATED if calibration is None else calibration.statement
