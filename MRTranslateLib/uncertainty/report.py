"""What is said about an uncertainty map in words and numbers; kept in the provenance."""

from __future__ import annotations

import msgspec


class RegionUncertainty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The map in one region.

    Attributes:
        name: As in :class:`MRTranslateLib.attention.report.RegionAttention`.
        volume_ml: Size.
        mean_half_width: Of the 90 % interval, in the units of the result (1000 is the brain's 99.5th percentile).
        percentile_95: Of the half-widths, same unit.
    """

    name: str
    volume_ml: float
    mean_half_width: float
    percentile_95: float


class UncertaintyReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        statement: What a value of the map means.
        calibrated: Whether it was compared with errors on people.
        coverage: Share of the errors of people left out of the fit that lay inside their intervals, 0..1; None where
            that was not measured.
        lowest_coverage: Of any of these people.
        members: What was translated beside the result, in words.
        noise: Standard deviation of each source's noise as it was estimated; 1 is its brain's 99.5th percentile.
        regions: The brain first.
        summary: The essence for a reader, plain sentences.
    """

    statement: str
    calibrated: bool
    coverage: float | None
    lowest_coverage: float | None
    members: tuple[str, ...]
    noise: dict[str, float]
    regions: tuple[RegionUncertainty, ...]
    summary: str
