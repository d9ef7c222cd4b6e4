"""The uncertainty map of a translation: half-widths of 90 % intervals on the source's grid, with their report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.attention.regions import attention_regions
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.working_grid import brain_box
from MRTranslateLib.models.uncertainty import UncertaintyCalibration
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS
from MRTranslateLib.uncertainty.report import RegionUncertainty, UncertaintyReport
from MRTranslateLib.volume import Volume

UNCALIBRATED = (
    "Half the width of a 90 % interval if errors were normal with the standard deviation over perturbed sources (1.645 "
    "times it): not calibrated, it was not compared with errors and is usually far too small."
)


@dataclass(frozen=True, eq=False)
class UncertaintyMap:
    """How far a translation may be off.

    Attributes:
        volume: int16, half the width of the 90 % interval in the units of the result, 0 outside the brain;
            ``report.statement`` says what that is worth.
        report: Coverage, members and regions.
    """

    volume: Volume
    report: UncertaintyReport


def uncertainty_map(
    half_width: Volume,
    brain: NDArray[np.bool_],
    *,
    members: tuple[str, ...],
    noise: Mapping[Contrast, float],
    calibration: UncertaintyCalibration | None,
    lesion: NDArray[np.integer] | None = None,
) -> UncertaintyMap:
    """Measure a map and say what is in it.

    Args:
        half_width: 0..1, 1 is the 99.5th percentile of the target's brain; on the grid of the result.
        brain: Brain mask on it, not empty.
        members: What was translated beside the result, in words.
        noise: Of each source, as it was estimated.
        calibration: By which it was made; None without.
        lesion: Integer labels on the same grid, 0 is none; None without a mask.
    """
    units = np.where(brain, half_width.array, 0) * np.float32(SYNTHETIC_UNITS)
    box = brain_box(brain, margin=0)
    inside = half_width.affine.copy()
    inside[:, 3] = half_width.affine @ [*(along.start for along in box), 1.0]
    measured = attention_regions(Volume(units[box], inside), brain[box], None if lesion is None else lesion[box])
    regions = tuple(
        RegionUncertainty(
            name=region.name,
            volume_ml=region.volume_ml,
            mean_half_width=round(region.mean, 1),
            percentile_95=round(region.percentile_95, 1),
        )
        for region in measured
    )
    report = UncertaintyReport(
        statement=UNCALIBRATED if calibration is None else calibration.statement,
        calibrated=calibration is not None,
        coverage=None if calibration is None else calibration.coverage,
        lowest_coverage=None if calibration is None else calibration.lowest_coverage,
        members=members,
        noise={contrast.value: round(sigma, 5) for contrast, sigma in noise.items()},
        regions=regions,
        summary=_summary(regions, calibration),
    )
    return UncertaintyMap(half_width.with_array(np.round(units).astype(np.int16)), report)


def _summary(regions: tuple[RegionUncertainty, ...], calibration: UncertaintyCalibration | None) -> str:
    brain, *parts = regions
    text = f"The 90 % interval is ±{brain.mean_half_width:.0f} on average in the brain ({SYNTHETIC_UNITS:g} is bright)"
    if parts:
        widest = max(parts, key=lambda region: region.mean_half_width)
        text += f" and widest in the {widest.name} (±{widest.mean_half_width:.0f})"
    if calibration is None:
        return f"{text}; it is not calibrated and usually far too narrow."
    if calibration.coverage is None:
        return f"{text}; on people left out of the fit its coverage was not measured."
    return f"{text}; on people left out of the fit it held {calibration.coverage:.0%} of the errors."
