"""The frame of our HTML reports: one file, nothing fetched, readable on a phone, on a desk and on paper."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

FOOT = "SYNTHETIC images are computed, not acquired. Research use only, not for diagnostic use."
_STYLE = """
:root { --ink: #1d2228; --soft: #5b6570; --line: #d8dde3; --paper: #fff; --tint: #f4f6f8; --warn: #8a4b00; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 70ch; }
.soft { color: var(--soft); }
.notice { background: #fff3df; color: var(--warn); padding: .5rem .8rem; border-radius: 4px; font-weight: 600; }
.verdict { border-left: 6px solid #7a8590; background: var(--tint); padding: .6rem 1rem; border-radius: 0 4px 4px 0; }
.verdict.good { border-color: #2b7a3f; } .verdict.caution { border-color: #c05a00; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
figure { margin: .6rem 0; } img { min-width: 540px; max-width: 100%; height: auto; border-radius: 4px; display: block; }
figcaption { font-size: .88rem; color: var(--soft); margin-top: .2rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 200px), 1fr)); gap: .4rem; }
.tiles img { min-width: 0; width: 100%; align-self: start; }
.verdict ul { margin: .2rem 0; padding-left: 1.2rem; } .verdict li { margin: .3rem 0; max-width: 75ch; }
.verdict .caution { border: 0; } .verdict .caution::marker { content: "\u25b2 "; color: #c05a00; }
.verdict .unknown::marker { content: "? "; color: #5b6570; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 1rem; }
.charts figcaption { color: var(--ink); font-weight: 600; margin: 0 0 .2rem; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: #5b6570; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; list-style: none; font-size: .92rem; }
.legend svg { width: 34px; height: 12px; display: inline-block; vertical-align: middle; margin-right: .3rem; }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, 12rem) 1fr; gap: .2rem 1rem; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 480px) { body { font-size: 15px; } th, td { padding: .3rem .4rem; } }
@media (max-width: 480px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { details > * { display: block; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


def page(title: str, subtitle: str, parts: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: Plain text.
        subtitle: Plain text, below it.
        parts: HTML of the sections, in order.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(subtitle)}</p>\n<p class="notice">{escape(FOOT)}</p>\n'
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading (plain text) and what is below it (HTML)."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(parts) + "</section>"


def paragraph(text: str, style: str = "") -> str:
    """Plain text as a paragraph."""
    return f'<p class="{style}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def folded(title: str, *parts: str, is_open: bool = False) -> str:
    """HTML behind a line (plain text) that opens it."""
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], shades: Iterable[Sequence[float]] = ()) -> str:
    """A table of plain texts that scrolls sideways where it is too wide.

    Args:
        header: Column names.
        rows: Texts; the first column stays in view.
        shades: For each row the strength, 0..1, of a warm background of each cell; rows without any may be left out.
    """
    strengths = list(shades)
    body = []
    for number, row in enumerate(rows):
        shade = strengths[number] if number < len(strengths) else ()
        body.append("<tr>" + "".join(_cell(text, shade[at] if at < len(shade) else 0) for at, text in enumerate(row)))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    rest = "</tr>".join(body)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rest}</tr></tbody></table></div>'


def picture(png: bytes, description: str, caption: str) -> str:
    """A PNG inside the page; ``description`` is for those who cannot see it."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><div class="scroll"><img alt="{escape(description)}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def tiles(pictures: Iterable[tuple[bytes, str]]) -> str:
    """PNGs of one size side by side, two a row on a phone; each with a description for those who cannot see it."""
    images = (
        f'<img alt="{escape(description)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for png, description in pictures
    )
    return f'<div class="tiles">{"".join(images)}</div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, plain text."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def _cell(text: str, strength: float) -> str:
    if strength <= 0:
        return f"<td>{escape(text)}</td>"
    return f'<td style="background:rgba(214,96,40,{0.65 * min(strength, 1):.2f})">{escape(text)}</td>'
