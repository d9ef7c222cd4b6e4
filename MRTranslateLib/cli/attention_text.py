"""What an attention map shows, for people to read in a terminal."""

from __future__ import annotations

import textwrap

from MRTranslateLib.attention.report import AttentionReport
from MRTranslateLib.cli.tables import render_table

WIDTH = 100
REGION_COLUMNS = ("region", "ml", "mean", "95th percentile")
SPOT_COLUMNS = ("hard region", "ml", "mean", "highest", "R mm", "A mm", "S mm")


def render_attention(report: AttentionReport) -> str:
    """The report as plain text, without a newline at the end."""
    regions = [
        (region.name, f"{region.volume_ml:.1f}", f"{region.mean:.3f}", f"{region.percentile_95:.3f}")
        for region in report.regions
    ]
    parts = [
        textwrap.fill(report.summary, WIDTH),
        textwrap.fill(report.statement, WIDTH),
        render_table([REGION_COLUMNS, *regions], "lrrr"),
    ]
    if report.hard_regions:
        spots = [
            (
                str(number),
                f"{spot.volume_ml:.1f}",
                f"{spot.mean:.3f}",
                f"{spot.maximum:.3f}",
                *(f"{value:.0f}" for value in spot.position_mm),
            )
            for number, spot in enumerate(report.hard_regions, start=1)
        ]
        parts.append(render_table([SPOT_COLUMNS, *spots], "lrrrrrr"))
    return "\n\n".join(parts)
