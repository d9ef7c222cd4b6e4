"""A brain whose two halves are the same, or not, and models of the level."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.level_model import LevelModel

MODEL = LevelModel(
    target=Contrast.FLAIR,
    source=Contrast.T2W,
    intercept=-0.9,
    per_median=1.4,
    per_asymmetry=-3.9,
    per_brightest=-0.7,
    lowest=0.35,
    highest=0.75,
    num_people=14,
    relative_error=0.11,
)


def constant_level(level: float) -> LevelModel:
    """FLAIR has this median whatever the T1w."""
    return msgspec.structs.replace(MODEL, source=Contrast.T1W, lowest=level, highest=level)


def head(blob: float = 0.0, tilt_deg: float = 0.0) -> NDArray[np.float32]:
    """A symmetric brain ``(S, H, W)`` of 2 mm voxels with ventricles, and a brighter ball on the right side alone."""
    z, y, x = np.mgrid[-36:37, -44:45, -36:37].astype(np.float32)
    brain = (z / 32) ** 2 + (y / 40) ** 2 + (x / 32) ** 2 < 1
    image = np.where(brain, 0.4, 0) + 0.5 * brain * ((z / 8) ** 2 + (y / 14) ** 2 + (np.abs(x) / 5) ** 2 < 1)
    image += blob * (z**2 + (y - 10) ** 2 + (x - 17) ** 2 < 9**2)
    turned = ndimage.rotate(image, tilt_deg, axes=(1, 2), reshape=False, order=1) if tilt_deg else image
    return np.clip(turned, 0, 1).astype(np.float32)
