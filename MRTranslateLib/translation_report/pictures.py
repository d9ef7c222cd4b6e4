"""The pictures of a report: in each slice the sources, what was acquired of the target, the result, and the result
under the maps that were made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.translation_report.content import ShownSlice, TranslationReport
from MRTranslateLib.translation_report.images import Images
from MRTranslateLib.translation_report.page import Picture
from MRTranslateLib.translation_report.tiles import Overlay, Ring, ring_radius_mm, tile
from MRTranslateLib.translation_report.verdict import high_places
from MRTranslateLib.volume import Volume

ATTENTION_TOP = {True: 0.6, False: 1.0}
"""End of the colour scale of an attention map that is calibrated, or not."""
HALF_WIDTH_TOP = 400.0
"""End of the colour scale of the uncertainty, in the unit of the result."""


@dataclass(frozen=True, eq=False)
class _Column:
    """One image through all slices: its title, overlay and which places are ringed in it."""

    title: str
    image: Volume
    values: Volume | None = None
    top: float = 1.0
    unit: str = ""
    kinds: Collection[str] = ("hallucination", "erasure")


def pictures(report: TranslationReport, images: Images) -> list[list[Picture]]:
    """For each slice of the report its tiles, left to right.

    Args:
        report: Says which slices and places.
        images: What to show.
    """
    columns = _columns(report, images)
    return [[_picture(column, each, report, images) for column in columns] for each in report.slices]


def _columns(report: TranslationReport, images: Images) -> list[_Column]:
    synthetic = f"SYNTHETIC {report.provenance.target}"
    columns = [_Column(contrast, source) for contrast, source in images.sources.items()]
    low = report.provenance.low_resolution
    if images.low_resolution is not None and low is not None:
        columns.append(_Column(f"{report.provenance.target} as acquired, {low.resolution}", images.low_resolution))
    columns.append(_Column(synthetic, images.result))
    if images.attention is not None and report.provenance.attention is not None:
        top = ATTENTION_TOP[report.provenance.attention.report.calibrated]
        title = f"{synthetic}, attention"
        columns.append(_Column(title, images.result, images.attention, top, "attention", ("hard region",)))
    if images.half_width is not None:
        title = f"{synthetic}, uncertainty"
        columns.append(_Column(title, images.result, images.half_width, HALF_WIDTH_TOP, "uncertain by ±", ()))
    return columns


def _picture(column: _Column, each: ShownSlice, report: TranslationReport, images: Images) -> Picture:
    overlay = None
    if column.values is not None:
        outline = None if images.lesion is None else _plane(images.lesion, each, images) != 0
        overlay = Overlay(_plane(column.values, each, images), column.top, column.unit, outline)
    png = tile(
        column.title,
        _plane(column.image, each, images),
        images.brain.spacing_mm[:2],
        overlay=overlay,
        rings=_rings(column.kinds, each, report, images),
        with_scale=images.attention is not None or images.half_width is not None,
    )
    return png, f"{column.title}, axial slice at S {round(each.superior_mm)} mm"


def _plane(volume: Volume, each: ShownSlice, images: Images) -> NDArray[np.float32]:
    right, anterior = images.window
    plane: NDArray[np.float32] = volume.array[right, anterior, each.index].astype(np.float32)
    return plane


def _rings(kinds: Collection[str], each: ShownSlice, report: TranslationReport, images: Images) -> list[Ring]:
    """Of findings, and of hard regions that the verdict names, where the slice cuts them."""
    right, anterior = images.window
    high, rings = high_places(report.provenance, report.places), []
    for number, place in enumerate(report.places, start=1):
        at, radius_mm = images.voxel(place.position_mm), ring_radius_mm(place.volume_ml)
        cut = abs(at[2] - each.index) * images.brain.spacing_mm[2] <= radius_mm
        if place.kind in kinds and cut and (place.kind != "hard region" or place in high):
            rings.append(Ring(float(at[0]) - right.start, float(at[1]) - anterior.start, radius_mm, number))
    return rings
