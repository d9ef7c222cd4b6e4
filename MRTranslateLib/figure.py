"""A picture for people: source, synthetic, reference and error side by side in three planes, same window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PIXELS_PER_MM = 1.6
MARGIN_MM = 10.0
"""Around what is not zero; holds the letters of orientation."""
MIN_TILE_MM = 120.0
"""Least width and height of a tile; its title and legend fit."""
LABEL_HEIGHT = 30
LEGEND_HEIGHT = 46
FOOT_HEIGHT = 34
GAP = 4
LEFT_EDGES = ("R", "R", "A")
"""Where the left edges of axial, coronal and sagittal plane lie: the patient's right, right, and front."""
NOTICE = "Not for diagnostic use"
ERROR_RANGE = 0.5
"""Absolute error, in units of the 99.5th percentile, at the top of the colour scale."""
_HEAT = np.array([[0, 0, 0], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], np.float64)
"""Control colours of the heat map, from no error to ``ERROR_RANGE``; lightness rises steadily, as in inferno."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One column of the picture.

    Attributes:
        title: Shown above it.
        array: ``(R, A, S)`` in canonical axes, 0..1; an absolute error if ``is_error``.
        is_error: Shown in heat-map colours, 0..``error_range``.
        error_range: Top of that scale; the legend of :func:`comparison_figure` is for the usual one.
    """

    title: str
    array: NDArray[np.float32]
    is_error: bool = False
    error_range: float = ERROR_RANGE


def comparison_figure(
    panels: Sequence[Panel],
    spacing_mm: tuple[float, float, float],
    point: tuple[int, int, int],
    caption: str,
) -> Image.Image:
    """Axial, coronal and sagittal planes through a voxel, radiological convention (patient's right on the left).

    All panels are cropped to the box that holds what is not zero in any of them.

    Args:
        panels: Columns, left to right, all on one canonical grid.
        spacing_mm: Voxel size along right, anterior, superior.
        point: Voxel in which the planes meet; moved to the nearest in that box.
        caption: A line at the foot, with the unit of the error; the notice against diagnostic use stands beside it.
    """
    box = _content_box([panel.array for panel in panels], spacing_mm)
    inside = [min(max(at, side.start), side.stop - 1) - side.start for at, side in zip(point, box, strict=True)]
    columns = [[_picture(plane, panel) for plane in _planes(panel.array[box], spacing_mm, inside)] for panel in panels]
    least = round(MIN_TILE_MM * PIXELS_PER_MM)
    tile_width = max(least, *(picture.width for picture in columns[0]))
    tile_heights = [max(least, picture.height) for picture in columns[0]]
    tops = [LABEL_HEIGHT + sum(tile_heights[:row]) + row * GAP for row in range(3)]
    legend_top = tops[-1] + tile_heights[-1] + GAP
    text_width = round(font(14).getlength(caption) + font(14).getlength(NOTICE)) + 8 * GAP
    canvas = Image.new(
        "RGB",
        (max(len(panels) * (tile_width + GAP) + GAP, text_width), legend_top + LEGEND_HEIGHT + FOOT_HEIGHT),
        (18, 18, 20),
    )
    draw = ImageDraw.Draw(canvas)
    for column, (panel, pictures) in enumerate(zip(panels, columns, strict=True)):
        left = GAP + column * (tile_width + GAP)
        draw.text((left + tile_width / 2, LABEL_HEIGHT / 2), panel.title, (235, 235, 235), font(17), anchor="mm")
        for picture, top, tile_height in zip(pictures, tops, tile_heights, strict=True):
            draw.rectangle((left, top, left + tile_width - 1, top + tile_height - 1), (0, 0, 0))
            canvas.paste(picture, (left + (tile_width - picture.width) // 2, top + (tile_height - picture.height) // 2))
        if panel.is_error:
            _legend(canvas, left, legend_top, tile_width)
    for letter, top, tile_height in zip(LEFT_EDGES, tops, tile_heights, strict=True):
        draw.text((GAP * 2, top + tile_height / 2), letter, (160, 160, 160), font(14), anchor="lm")
    foot = canvas.height - FOOT_HEIGHT / 2 - 4
    draw.text((GAP * 2, foot), caption, (200, 200, 200), font(14), anchor="lm")
    draw.text((canvas.width - GAP * 2, foot), NOTICE, (255, 180, 60), font(14), anchor="rm")
    return canvas


def axial_strip(panels: Sequence[Panel], spacing_mm: tuple[float, float]) -> Image.Image:
    """One axial slice of several images side by side, radiological convention, with titles and the notice.

    Args:
        panels: Left to right; arrays ``(R, A, 1)``, all of one shape.
        spacing_mm: Pixel size along right and anterior.
    """
    right_mm, anterior_mm = spacing_mm
    pictures = [_picture((panel.array[::-1, ::-1, 0].T, anterior_mm, right_mm), panel) for panel in panels]
    width = max(round(MIN_TILE_MM * PIXELS_PER_MM), pictures[0].width)
    height = LABEL_HEIGHT + pictures[0].height + LABEL_HEIGHT
    canvas = Image.new("RGB", (len(panels) * (width + GAP) + GAP, height), (18, 18, 20))
    draw = ImageDraw.Draw(canvas)
    for column, (panel, picture) in enumerate(zip(panels, pictures, strict=True)):
        left = GAP + column * (width + GAP)
        draw.rectangle((left, LABEL_HEIGHT, left + width - 1, LABEL_HEIGHT + picture.height - 1), (0, 0, 0))
        canvas.paste(picture, (left + (width - picture.width) // 2, LABEL_HEIGHT))
        draw.text((left + width / 2, LABEL_HEIGHT / 2), panel.title, (235, 235, 235), font(15), anchor="mm")
    draw.text((GAP * 2, LABEL_HEIGHT + picture.height / 2), LEFT_EDGES[0], (160, 160, 160), font(14), anchor="lm")
    draw.text((canvas.width - GAP * 2, height - LABEL_HEIGHT / 2), NOTICE, (255, 180, 60), font(14), anchor="rm")
    return canvas


def _content_box(
    arrays: Sequence[NDArray[np.float32]], spacing_mm: tuple[float, float, float]
) -> tuple[slice, slice, slice]:
    """The smallest box that holds every voxel above zero and a margin; the whole grid if there is none."""
    content = np.logical_or.reduce([array > 0 for array in arrays])
    box = []
    for axis, mm in enumerate(spacing_mm):
        occupied = np.flatnonzero(content.any(axis=tuple(other for other in range(3) if other != axis)))
        first, last = (int(occupied[0]), int(occupied[-1])) if occupied.size else (0, content.shape[axis] - 1)
        margin = round(MARGIN_MM / mm)
        box.append(slice(max(first - margin, 0), min(last + 1 + margin, content.shape[axis])))
    return box[0], box[1], box[2]


def _planes(
    array: NDArray[np.float32], spacing_mm: tuple[float, float, float], point: Sequence[int]
) -> list[tuple[NDArray[np.float32], float, float]]:
    """Image rows from top to bottom, with the height and width of a pixel in mm."""
    r, a, s = point
    right, anterior, superior = spacing_mm
    return [
        (array[::-1, ::-1, s].T, anterior, right),
        (array[::-1, a, ::-1].T, superior, right),
        (array[r, ::-1, ::-1].T, superior, anterior),
    ]


def _picture(plane: tuple[NDArray[np.float32], float, float], panel: Panel) -> Image.Image:
    """A plane in its colours at its size."""
    values, row_mm, column_mm = plane
    pixels = heat_colours(values / panel.error_range) if panel.is_error else grey_colours(values)
    height, width = (round(n * mm * PIXELS_PER_MM) for n, mm in zip(values.shape, (row_mm, column_mm), strict=True))
    return Image.fromarray(pixels).resize((max(width, 1), max(height, 1)), Image.Resampling.BICUBIC)


def grey_colours(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Intensities 0..1, shape ``(H, W)``, as grey ``(H, W, 3)``; clipped."""
    grey = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def heat_colours(fractions: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shares 0..1 of a scale, shape ``(H, W)``, in its colours ``(H, W, 3)``; clipped."""
    positions = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(np.clip(fractions, 0, 1), positions, _HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _legend(canvas: Image.Image, left: int, top: int, width: int) -> None:
    """The heat map's scale; the caption says its unit."""
    draw = ImageDraw.Draw(canvas)
    ramp = np.tile(np.linspace(0, 1, width - 60, dtype=np.float32), (10, 1))
    canvas.paste(Image.fromarray(heat_colours(ramp)), (left + 30, top + 8))
    for fraction in (0.0, 0.5, 1.0):
        at = left + 30 + fraction * (width - 60)
        draw.text((at, top + 28), f"{fraction * ERROR_RANGE:.2g}", (200, 200, 200), font(13), anchor="mm")


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The one font of our pictures."""
    return ImageFont.load_default(size)
