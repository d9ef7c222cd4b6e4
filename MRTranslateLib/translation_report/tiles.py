"""Pictures of a report: one image in one axial slice each, so that they stand side by side on a desk and in pairs on a
phone; every tile says by itself what it shows, which side is which, and that it is not for diagnostic use."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from MRTranslateLib.figure import NOTICE, font, grey_colours, heat_colours

PIXELS_PER_MM = 2.0
MIN_WIDTH = 300
"""Of a tile; its title and notice fit."""
HEAD, FOOT, LEGEND = 32, 28, 42
"""Heights of title, notice and colour scale."""
TITLE_SIZE, SMALL_TITLE_SIZE, TITLE_MARGIN = 18, 13, 6
"""A title that is too long for its tile is written smaller."""
MIN_RADIUS_MM, RING_GAP_MM = 4.0, 2.0
"""Of the ring around a place, and how far it keeps from it."""
OUTLINE_COLOUR = (90, 220, 255)
RING_COLOUR = (255, 210, 60)
_PAPER, _INK, _SOFT, _WARN = (18, 18, 20), (235, 235, 235), (175, 175, 175), (255, 180, 60)


@dataclass(frozen=True, eq=False)
class Overlay:
    """Values laid over the image in colour, the stronger the less transparent.

    Attributes:
        values: ``(R, A)``, 0 or more.
        top: Value at the end of the colour scale.
        unit: Of the scale, a few words.
        outline: ``(R, A)``, drawn as a line; None for none.
    """

    values: NDArray[np.float32]
    top: float
    unit: str
    outline: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Ring:
    """A numbered place in the slice: column and row of its centre in voxels along R and A, radius in mm."""

    right: float
    anterior: float
    radius_mm: float
    number: int


def ring_radius_mm(volume_ml: float) -> float:
    """Of a ball of that volume, and a little more, so that the ring runs around the place and not through it."""
    ball: float = (3 * 1000 * volume_ml / (4 * math.pi)) ** (1 / 3)
    return max(ball + RING_GAP_MM, MIN_RADIUS_MM)


def tile(
    title: str,
    plane: NDArray[np.float32],
    spacing_mm: tuple[float, float],
    *,
    overlay: Overlay | None = None,
    rings: Sequence[Ring] = (),
    with_scale: bool = False,
) -> bytes:
    """A PNG of one axial slice, radiological convention (patient's right on the left).

    Args:
        title: Burnt in above.
        plane: ``(R, A)`` in canonical axes, 0..1: the same window for every image.
        spacing_mm: Pixel size along right and anterior.
        overlay: Drawn over it with a colour scale below.
        rings: Places to mark.
        with_scale: Leave room for the colour scale of others in the row where there is no overlay.
    """
    picture = _picture(plane, spacing_mm, overlay)
    width = max(MIN_WIDTH, picture.width)
    scale_height = LEGEND if overlay is not None or with_scale else 0
    canvas = Image.new("RGB", (width, HEAD + picture.height + scale_height + FOOT), _PAPER)
    left, middle = (width - picture.width) // 2, HEAD + picture.height / 2
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, HEAD, width, HEAD + picture.height - 1), (0, 0, 0))
    canvas.paste(picture, (left, HEAD))
    for ring in rings:
        _ring(draw, ring, plane.shape, spacing_mm, (left, HEAD))
    large = font(TITLE_SIZE)
    title_font = large if draw.textlength(title, large) <= width - 2 * TITLE_MARGIN else font(SMALL_TITLE_SIZE)
    draw.text((width / 2, HEAD / 2), title, _INK, title_font, anchor="mm")
    draw.text((5, middle), "R", _SOFT, font(18), anchor="lm")
    draw.text((width - 5, middle), "L", _SOFT, font(18), anchor="rm")
    if overlay is not None:
        _scale(canvas, overlay, HEAD + picture.height)
    draw.text((width / 2, canvas.height - FOOT / 2), NOTICE, _WARN, font(15), anchor="mm")
    return _png(canvas)


def _picture(plane: NDArray[np.float32], spacing_mm: tuple[float, float], overlay: Overlay | None) -> Image.Image:
    """The slice as seen from below, at its size."""
    pixels = grey_colours(_upright(plane)).astype(np.float32)
    if overlay is not None:
        shares: NDArray[np.float32] = np.clip(_upright(overlay.values) / np.float32(overlay.top), 0, 1)
        strength = np.float32(0.85) * np.sqrt(shares)[:, :, None]
        pixels = pixels * (1 - strength) + heat_colours(shares) * strength
    width, height = (max(round(n * mm * PIXELS_PER_MM), 1) for n, mm in zip(plane.shape, spacing_mm, strict=True))
    picture = Image.fromarray(np.round(pixels).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    if overlay is not None and overlay.outline is not None:
        inside = Image.fromarray(_upright(overlay.outline)).resize((width, height), Image.Resampling.NEAREST)
        mask = np.asarray(inside) != 0
        edge = mask & ~ndimage.binary_erosion(mask)
        picture.paste(OUTLINE_COLOUR, mask=Image.fromarray(edge))
    return picture


def _upright(plane: NDArray[Any]) -> NDArray[Any]:
    """``(R, A)`` as rows from anterior to posterior, columns from the patient's right to left."""
    return np.ascontiguousarray(plane[::-1, ::-1].T)


def _ring(
    draw: ImageDraw.ImageDraw,
    ring: Ring,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float],
    corner: tuple[int, int],
) -> None:
    x = corner[0] + (shape[0] - 0.5 - ring.right) * spacing_mm[0] * PIXELS_PER_MM
    y = corner[1] + (shape[1] - 0.5 - ring.anterior) * spacing_mm[1] * PIXELS_PER_MM
    radius = ring.radius_mm * PIXELS_PER_MM
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=RING_COLOUR, width=2)
    at = (x + 0.75 * radius, y - 0.75 * radius)
    draw.text(at, str(ring.number), RING_COLOUR, font(15), anchor="lb", stroke_width=2, stroke_fill=(0, 0, 0))


def _scale(canvas: Image.Image, overlay: Overlay, top: int) -> None:
    """The colours from nothing to ``overlay.top``, as they are where the image below is dark."""
    draw = ImageDraw.Draw(canvas)
    ramp = np.tile(np.linspace(0, 1, canvas.width - 60, dtype=np.float32), (10, 1))
    canvas.paste(Image.fromarray(heat_colours(ramp)), (30, top + 8))
    for share, anchor in ((0.0, "lm"), (1.0, "rm")):
        at = (30 + share * (canvas.width - 60), top + 29)
        draw.text(at, f"{share * overlay.top:.3g}", _SOFT, font(15), anchor=anchor)
    draw.text((canvas.width / 2, top + 29), overlay.unit, _SOFT, font(15), anchor="mm")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
