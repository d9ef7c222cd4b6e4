"""Change against level as small drawings (SVG), one per perturbation, all on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 300, 170
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 8, 30
TOP_LEVEL = 5
COLOURS = ("#1d2228", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7f7f")
"""After Okabe and Ito, whose colours the colour-blind can tell apart; markers differ too."""
MARKERS = ("circle", "square", "diamond")
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        points: Change in percent per level.
        style: Which colour and marker.
        is_dashed: Drawn dashed.
        limit: Percent at which a thin line stands; None for none.
    """

    points: Mapping[int, float]
    style: int
    is_dashed: bool = False
    limit: float | None = None


def chart(title: str, lines: Sequence[Line], top: float) -> str:
    """A drawing with its title as HTML; every curve starts from nothing at level 0.

    Args:
        title: Plain text.
        lines: Curves.
        top: Percent at the top of the scale, as :func:`nice_top` gives it.
    """
    parts = [_axes(top)]
    for line in lines:
        colour = COLOURS[line.style % len(COLOURS)]
        if line.limit is not None and line.limit <= top:
            y = _y(line.limit, top)
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{colour}" stroke-dasharray="2 3"/>'
            )
        points = {0: 0.0, **line.points}
        path = " ".join(f"{_x(level)},{_y(value, top)}" for level, value in sorted(points.items()))
        dash = ' stroke-dasharray="6 3"' if line.is_dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        parts += [_marker(line.style, _x(level), _y(value, top)) for level, value in line.points.items()]
    described = "; ".join(
        ", ".join(f"level {level}: {value:.1f} %" for level, value in sorted(line.points.items())) for line in lines
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}: {described}")}">'
        + "".join(parts)
        + "</svg></figure>"
    )


def legend(names: Sequence[str]) -> str:
    """What each style stands for, as an HTML list."""
    entries = "".join(
        f'<li><svg viewBox="0 0 34 12" aria-hidden="true"><line x1="0" x2="34" y1="6" y2="6" stroke="'
        f'{COLOURS[style % len(COLOURS)]}" stroke-width="2"/>{_marker(style, 17, 6)}</svg>{escape(name)}</li>'
        for style, name in enumerate(names)
    )
    return f'<ul class="legend">{entries}</ul>'


def nice_top(largest: float) -> float:
    """The smallest round number of percent (1, 2, 3, 4, 5, 6, 8, 10, 20, ...) that is not below ``largest``."""
    if largest <= 1:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(largest))
    return next(step * decade for step in _STEPS if step * decade >= largest - 1e-9)


def _axes(top: float) -> str:
    ticks = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d8dde3"/>'
        f'<text x="{LEFT - 5}" y="{y + 4}" text-anchor="end">{value:g} %</text>'
        for value, y in ((share * top, _y(share * top, top)) for share in (0.0, 0.5, 1.0))
    )
    levels = "".join(
        f'<text x="{_x(level)}" y="{HEIGHT - 14}" text-anchor="middle">{level}</text>' for level in range(TOP_LEVEL + 1)
    )
    middle = (LEFT + WIDTH - RIGHT) / 2
    return f'{ticks}{levels}<text x="{middle}" y="{HEIGHT - 1}" text-anchor="middle">level</text>'


def _marker(style: int, x: float, y: float) -> str:
    colour, shape = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
    turn = f' transform="rotate(45 {x} {y})"' if shape == "diamond" else ""
    return f'<rect x="{x - 2.7:.1f}" y="{y - 2.7:.1f}" width="5.4" height="5.4" fill="{colour}"{turn}/>'


def _x(level: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * level / TOP_LEVEL, 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / top, 1), 1)
