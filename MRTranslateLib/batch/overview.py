"""The overview of a batch: what has no result and why, then a picture of each result, to see what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.batch.table import CaseRow
from MRTranslateLib.page import facts, page, paragraph, section, table

OVERVIEW_FILE = "cases.html"
LOWEST_SHOWN = 5
"""Cases that are listed as the worst, by PSNR in the brain."""


def overview_html(settings: BatchSettings, rows: Sequence[CaseRow]) -> str:
    """The page; pictures are the files beside the results, loaded as they come into view.

    Args:
        settings: Of the batch.
        rows: All its cases.
    """
    counts = Counter(row.state for row in rows)
    others = "".join(f", {counts[state]} {state}" for state in ("failed", "incomplete", "pending") if counts[state])
    route = f"{' + '.join(settings.sources)} > {settings.target}"
    parts = [paragraph(f"{counts['done']} of {len(rows)} cases have a result{others}.", "verdict")]
    if without := [row for row in rows if row.state != "done"]:
        reasons = [(f"{row.case_id} ({row.state})", row.reason or "its turn has not come") for row in without]
        parts.append(section("Cases without a result", facts(reasons)))
    parts.extend(_scores(rows))
    parts.append(section("Results", *(_case(row) for row in rows if row.state == "done")))
    return page(f"Batch: {route}", f"{settings.model.name} {settings.model.version}", parts)


def _scores(rows: Sequence[CaseRow]) -> Iterator[str]:
    """The worst cases first: where a look is worth most."""
    measured = [
        (row.outcome.scores.brain.psnr, row.outcome.scores.brain.ssim, row.case_id)
        for row in rows
        if row.outcome is not None and row.outcome.scores is not None and row.outcome.scores.brain.psnr is not None
    ]
    if measured:
        lowest = [(name, f"{psnr:.1f}", f"{ssim:.2f}") for psnr, ssim, name in sorted(measured)[:LOWEST_SHOWN]]
        title = f"Lowest of {len(measured)} cases with a real target"
        yield section(title, table(("case", "PSNR in the brain, dB", "SSIM"), lowest))


def _case(row: CaseRow) -> str:
    """A result with its picture and what was warned of."""
    outcome = row.outcome
    if outcome is None:
        return ""
    psnr = None if outcome.scores is None else outcome.scores.brain.psnr
    words = [] if psnr is None else [f"{psnr:.1f} dB"]
    words += [] if outcome.not_measured is None else [f"not measured: {outcome.not_measured}"]
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in outcome.warnings)
    folded = f'<ul class="soft">{warnings}</ul>' if warnings else ""
    picture = ""
    if outcome.preview is not None:
        description = f"one slice of {row.case_id}: source, synthetic and, where there is one, real"
        picture = f'<img loading="lazy" alt="{escape(description)}" src="{quote(outcome.preview)}">'
    title = escape(" ".join((row.case_id, *words)))
    link = f' <a href="{quote(row.report)}">report</a>' if row.report else ""
    return (
        f'<figure id="{escape(row.case_id)}"><figcaption><b>{title}</b>{link}</figcaption>'
        f'<div class="scroll">{picture}</div>{folded}</figure>'
    )
