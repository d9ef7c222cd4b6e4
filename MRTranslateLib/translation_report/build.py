"""A report from records and images: regions, places to look at, slices to show, the model, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from MRTranslateLib.attention.regions import attention_regions
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.models.components import SuperResolutionQuality
from MRTranslateLib.models.uncertainty import UncertaintyQuality
from MRTranslateLib.provenance import FileRecord, Provenance
from MRTranslateLib.translation_report.content import (
    KINDS,
    ModelSummary,
    Place,
    Region,
    ShownSlice,
    TranslationReport,
)
from MRTranslateLib.translation_report.images import Images
from MRTranslateLib.translation_report.slices import Wanted, choose_slices
from MRTranslateLib.translation_report.verdict import high_places, verdict


class _RouteRow(Protocol):
    """What the rows of a card that are measured per route share."""

    @property
    def sources(self) -> tuple[Contrast, ...]: ...

    @property
    def target(self) -> Contrast: ...


Row = TypeVar("Row", bound=_RouteRow)

MIDLINE_MM = 6.0
"""Nearer to the brain's centre a place is neither right nor left."""
LARGE_SLICE = 0.3
"""Of the largest slice's brain: the mean of a few voxels at the top of the head says little."""


def translation_report(
    record: Provenance, card: ModelCard, images: Images, *, lesion_mask: FileRecord | None
) -> TranslationReport:
    """All that is said about one translation.

    Args:
        record: How it was made, with what its maps and checks say.
        card: Of the model.
        images: What the record is about.
        lesion_mask: Where its lesion mask came from; None without.
    """
    sources = tuple(source.contrast for source in record.sources)
    model, regions, places = _summary(card, sources, record), _regions(record, images), _places(record, images)
    low = "" if record.low_resolution is None else f" + low-resolution {record.target}"
    return TranslationReport(
        notice=record.notice,
        title=f"SYNTHETIC {record.target} from {' + '.join(sources)}{low}",
        verdict=verdict(record, model, regions, places),
        slices=_slices(record, places, images),
        regions=regions,
        places=places,
        model=model,
        lesion_mask=lesion_mask,
        provenance=record,
    )


def part_of_brain(position_mm: Sequence[float], centre_mm: Sequence[float]) -> str:
    """One of eight parts, as the regions of a map are named, or one of four at the midline.

    Example:
        >>> part_of_brain((32.0, 10.0, -5.0), (0.0, 0.0, 0.0)), part_of_brain((2.0, -10.0, 5.0), (0.0, 0.0, 0.0))
        ('right anterior inferior', 'midline posterior superior')
    """
    right, anterior, superior = (at - middle for at, middle in zip(position_mm, centre_mm, strict=True))
    side = "midline" if abs(right) < MIDLINE_MM else "right" if right > 0 else "left"
    return f"{side} {'anterior' if anterior > 0 else 'posterior'} {'superior' if superior > 0 else 'inferior'}"


def _summary(card: ModelCard, sources: Sequence[Contrast], record: Provenance) -> ModelSummary:
    target = record.target
    return ModelSummary(
        name=card.name,
        version=card.version,
        title=card.title,
        intended_use=card.intended_use,
        not_for=card.not_for,
        limits=card.limits,
        makes_attention=card.components.local_discriminator is not None,
        quality=_measured(card.quality, sources, target),
        attention_quality=_measured(card.attention_quality, sources, target),
        uncertainty_quality=_measured(_uncertainty_rows(card, record), sources, target),
        super_resolution_quality=_acquired_alike(card, sources, record),
        metrics_protocol=card.metrics_protocol,
        robustness_limits=card.robustness_limits,
    )


def _uncertainty_rows(card: ModelCard, record: Provenance) -> tuple[UncertaintyQuality, ...]:
    """What was measured of such maps: with an acquired target, of those made by the very table of this one."""
    if record.low_resolution is None:
        return card.uncertainty_quality
    stated = None if record.uncertainty is None else record.uncertainty.report.statement
    of_table = (row for row in card.low_resolution_uncertainty if row.target == record.target)
    return next((row.quality for row in of_table if row.calibration.statement == stated), ())


def _acquired_alike(card: ModelCard, sources: Sequence[Contrast], record: Provenance) -> SuperResolutionQuality | None:
    """The measured acquisition nearest to that of the result's low-resolution target, within a factor of 2."""
    if record.low_resolution is None:
        return None
    right, anterior, superior = record.low_resolution.voxel_size  # of about 1 mm, as was measured

    def distance(row: SuperResolutionQuality) -> float:
        in_plane, through = max(right, anterior) / row.in_plane_ratio, superior / (row.slice_thickness_mm or 1.0)
        return abs(math.log2(in_plane)) + abs(math.log2(through))

    rows = [
        row
        for row in card.super_resolution_quality
        if {*row.sources} == {*sources} and row.target == record.target and distance(row) <= 1
    ]
    return min(rows, key=distance, default=None)


def _measured(rows: Iterable[Row], sources: Sequence[Contrast], target: Contrast) -> Row | None:
    """The row of a route, whatever the order of its sources."""
    for row in rows:
        if {*row.sources} == {*sources} and row.target == target:
            return row
    return None


def _regions(record: Provenance, images: Images) -> tuple[Region, ...]:
    """The brain and its parts, with what each map that was made says of them."""
    attention, doubt = record.attention, record.uncertainty
    means = {} if attention is None else {each.name: each.mean for each in attention.report.regions}
    widths = {} if doubt is None else {each.name: each.mean_half_width for each in doubt.report.regions}
    lesion = None if images.lesion is None else images.lesion.array
    brain = images.brain.with_array(images.brain.array.astype(np.float32))
    return tuple(
        Region(
            name=each.name,
            volume_ml=each.volume_ml,
            attention=means.get(each.name),
            half_width=widths.get(each.name),
        )
        for each in attention_regions(brain, images.brain.array, lesion)
    )


def _places(record: Provenance, images: Images) -> tuple[Place, ...]:
    """Findings of the checks and hard regions of the attention map, the largest of each first."""
    centre = images.centre_mm.tolist()
    findings = () if record.checks is None else record.checks.findings
    regions = () if record.attention is None else record.attention.report.hard_regions
    found = (
        Place(
            kind=each.kind,
            position_mm=each.center_ras_mm,
            place=part_of_brain(each.center_ras_mm, centre),
            volume_ml=each.volume_ml,
            text=each.sentence,
        )
        for each in sorted(findings, key=lambda finding: -finding.volume_ml)
    )
    hard = (
        Place(
            kind="hard region",
            position_mm=each.position_mm,
            place=part_of_brain(each.position_mm, centre),
            volume_ml=each.volume_ml,
            text=f"Attention is {each.mean:.2f} on average and {each.maximum:.2f} in the hardest voxel.",
        )
        for each in regions
    )
    return (*found, *hard)


def _slices(record: Provenance, places: Sequence[Place], images: Images) -> tuple[ShownSlice, ...]:
    wanted = tuple(_wanted(record, places, images))
    right, anterior, _ = images.centre_voxel
    return tuple(
        ShownSlice(
            index=each.at,
            superior_mm=round(float((images.brain.affine @ [right, anterior, each.at, 1.0])[2]), 1),
            reason=each.reason,
        )
        for each in choose_slices(wanted, images.brain.array, images.brain.spacing_mm[2])
    )


def _wanted(record: Provenance, places: Sequence[Place], images: Images) -> Iterator[Wanted]:
    """Through findings, then hard regions that are high, the lesion, and the most doubtful slice."""
    high = high_places(record, places)
    for number, place in enumerate(places, start=1):
        if place.kind != "hard region" or place in high:
            yield Wanted(round(float(images.voxel(place.position_mm)[2])), f"Place {number}: {KINDS[place.kind]}")
    if images.lesion is not None:
        yield Wanted(int((images.lesion.array != 0).sum(axis=(0, 1)).argmax()), "Most of the lesion mask")
    area = images.brain.array.sum(axis=(0, 1))
    for values, what in ((images.half_width, "uncertainty"), (images.attention, "attention")):
        if values is not None:
            mean = values.array.sum(axis=(0, 1), dtype=np.float64) / np.maximum(area, 1)
            large = area >= LARGE_SLICE * area.max()
            yield Wanted(int(np.where(large, mean, -1.0).argmax()), f"The highest mean {what}")
