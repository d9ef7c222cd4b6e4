"""A picture for people: source, synthetic, reference and error side by side in three planes, same window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE_MM = 190.0
"""Width and height of each tile: a whole head."""
PIXELS_PER_MM = 1.6
LABEL_HEIGHT = 30
LEGEND_HEIGHT = 46
FOOT_HEIGHT = 34
GAP = 4
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
        is_error: Shown in heat-map colours, 0..``ERROR_RANGE``.
    """

    title: str
    array: NDArray[np.float32]
    is_error: bool = False


def comparison_figure(
    panels: Sequence[Panel],
    spacing_mm: tuple[float, float, float],
    point: tuple[int, int, int],
    caption: str,
) -> Image.Image:
    """Axial, coronal and sagittal planes through a voxel, radiological convention (patient's right on the left).

    Args:
        panels: Columns, left to right, all on one canonical grid.
        spacing_mm: Voxel size along right, anterior, superior.
        point: Voxel in which the planes meet.
        caption: A line at the foot; the notice against diagnostic use stands beside it.
    """
    tile = round(TILE_MM * PIXELS_PER_MM)
    rows = 3
    width = len(panels) * (tile + GAP) + GAP
    height = LABEL_HEIGHT + rows * (tile + GAP) + LEGEND_HEIGHT + FOOT_HEIGHT
    canvas = Image.new("RGB", (width, height), (18, 18, 20))
    draw = ImageDraw.Draw(canvas)
    for column, panel in enumerate(panels):
        left = GAP + column * (tile + GAP)
        draw.text((left + tile / 2, LABEL_HEIGHT / 2), panel.title, (235, 235, 235), _font(17), anchor="mm")
        for row, plane in enumerate(_planes(panel.array, spacing_mm, point)):
            canvas.paste(_tile(plane, tile, panel.is_error), (left, LABEL_HEIGHT + row * (tile + GAP)))
        if panel.is_error:
            _legend(canvas, left, height - LEGEND_HEIGHT - FOOT_HEIGHT, tile)
    foot = height - FOOT_HEIGHT / 2 - 4
    draw.text((GAP * 2, foot), caption, (200, 200, 200), _font(14), anchor="lm")
    draw.text((width - GAP * 2, foot), "Not for diagnostic use", (255, 180, 60), _font(14), anchor="rm")
    draw.text((GAP * 2, height - FOOT_HEIGHT - LEGEND_HEIGHT + 14), "R", (160, 160, 160), _font(14), anchor="lm")
    return canvas


def _planes(
    array: NDArray[np.float32], spacing_mm: tuple[float, float, float], point: tuple[int, int, int]
) -> list[tuple[NDArray[np.float32], float, float]]:
    """Image rows from top to bottom, with the height and width of a pixel in mm."""
    r, a, s = point
    right, anterior, superior = spacing_mm
    return [
        (array[::-1, ::-1, s].T, anterior, right),
        (array[::-1, a, ::-1].T, superior, right),
        (array[r, ::-1, ::-1].T, superior, anterior),
    ]


def _tile(plane: tuple[NDArray[np.float32], float, float], size: int, is_error: bool) -> Image.Image:
    values, row_mm, column_mm = plane
    pixels = _heat(values / ERROR_RANGE) if is_error else _grey(values)
    height, width = (round(n * mm * PIXELS_PER_MM) for n, mm in zip(values.shape, (row_mm, column_mm), strict=True))
    image = Image.fromarray(pixels).resize((max(width, 1), max(height, 1)), Image.Resampling.BICUBIC)
    tile = Image.new("RGB", (size, size))
    tile.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return tile


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _heat(fractions: NDArray[np.float32]) -> NDArray[np.uint8]:
    positions = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(np.clip(fractions, 0, 1), positions, _HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _legend(canvas: Image.Image, left: int, top: int, width: int) -> None:
    """The heat map's scale with its unit."""
    draw = ImageDraw.Draw(canvas)
    ramp = np.tile(np.linspace(0, 1, width - 60, dtype=np.float32), (10, 1))
    canvas.paste(Image.fromarray(_heat(ramp)), (left + 30, top + 8))
    for fraction in (0.0, 0.5, 1.0):
        at = left + 30 + fraction * (width - 60)
        draw.text((at, top + 28), f"{fraction * ERROR_RANGE:.2g}", (200, 200, 200), _font(13), anchor="mm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
