"""What is said about an attention map in words and numbers; kept in the provenance."""

from __future__ import annotations

import msgspec


class RegionAttention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The map in one region.

    Attributes:
        name: ``brain``; with a lesion mask ``lesion``, ``lesion label 1``, ..., ``rim of 5 mm`` and
            ``healthy remainder``; without one octants such as ``left anterior inferior``.
        volume_ml: Size.
        mean: Of the map, 0..1.
        percentile_95: Of the map, 0..1.
    """

    name: str
    volume_ml: float
    mean: float
    percentile_95: float


class HardRegion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connected region that is among the hardest of this brain: a candidate to look at, not a finding.

    Attributes:
        position_mm: Of its hardest voxel, RAS+ mm in the first source's space.
        volume_ml: Size.
        mean: Of the map, 0..1.
        maximum: Of the map, 0..1.
    """

    position_mm: tuple[float, float, float]
    volume_ml: float
    mean: float
    maximum: float


class AttentionReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        statement: What a value of the map means.
        calibrated: Whether that was measured on people.
        regions: The brain first.
        hard_regions: The largest first; empty where the map is flat.
        summary: The essence for a reader, plain sentences.
    """

    statement: str
    calibrated: bool
    regions: tuple[RegionAttention, ...]
    hard_regions: tuple[HardRegion, ...]
    summary: str
