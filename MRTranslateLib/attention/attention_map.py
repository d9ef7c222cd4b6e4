"""The attention map of a translation: a volume on the source's grid, with its report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.attention.calibrate import calibrated, statement
from MRTranslateLib.attention.hard_regions import HARD_PERCENTILE, hard_regions
from MRTranslateLib.attention.regions import attention_regions
from MRTranslateLib.attention.report import AttentionReport, HardRegion, RegionAttention
from MRTranslateLib.inference.working_grid import brain_box
from MRTranslateLib.models.components import AttentionCalibration
from MRTranslateLib.volume import Volume


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """Where the local discriminator takes a translation for unreal.

    Attributes:
        volume: float32, 0..1, 0 outside the brain; ``report.statement`` says what a value means.
        report: Regions, hardest spots and a summary.
    """

    volume: Volume
    report: AttentionReport


def attention_map(
    raw: Volume,
    brain: NDArray[np.bool_],
    *,
    calibration: AttentionCalibration | None,
    lesion: NDArray[np.integer] | None = None,
) -> AttentionMap:
    """Calibrate a map and say what is in it.

    Args:
        raw: Raw difficulty ``(1 - M)^2``, 0..1, on the grid of the result.
        brain: Brain mask on it, not empty.
        calibration: Of the model, None without.
        lesion: Integer labels on the same grid, 0 is none; None without a mask.
    """
    shown = np.where(brain, calibrated(raw.array, calibration), np.float32(0))
    box = brain_box(brain, margin=0)  # nothing outside counts, and most of a head scan is outside
    inside = raw.affine.copy()
    inside[:, 3] = raw.affine @ [*(along.start for along in box), 1.0]
    regions = attention_regions(Volume(shown[box], inside), brain[box], None if lesion is None else lesion[box])
    spots = hard_regions(Volume(raw.array[box], inside), shown[box], brain[box])
    report = AttentionReport(
        statement=statement(calibration),
        calibrated=calibration is not None,
        regions=regions,
        hard_regions=spots,
        summary=_summary(regions, spots),
    )
    return AttentionMap(raw.with_array(shown), report)


def _summary(regions: tuple[RegionAttention, ...], spots: tuple[HardRegion, ...]) -> str:
    brain, *parts = regions
    text = f"Attention averages {brain.mean:.2f} in the brain"
    if parts:
        hardest = max(parts, key=lambda region: region.mean)
        text += f" and is highest in the {hardest.name} ({hardest.mean:.2f})"
    if not spots:
        return f"{text}; no region stands out."
    first = spots[0]
    place = ", ".join(f"{axis} {value:.0f}" for axis, value in zip("RAS", first.position_mm, strict=True))
    count = f"{len(spots)} regions stand" if len(spots) > 1 else "1 region stands"
    return (
        f"{text}; {count} out among its hardest {100 - HARD_PERCENTILE:g} %, the largest ({first.volume_ml:.1f} ml, "
        f"mean {first.mean:.2f}) at {place} mm."
    )
