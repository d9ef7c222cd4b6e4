"""What an uncertainty map shows, for people to read in a terminal."""

from __future__ import annotations

import textwrap

from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.uncertainty.report import UncertaintyReport

WIDTH = 100
REGION_COLUMNS = ("region", "ml", "mean ±", "95th percentile ±")


def render_uncertainty(report: UncertaintyReport) -> str:
    """The report as plain text, without a newline at the end."""
    regions = [
        (region.name, f"{region.volume_ml:.1f}", f"{region.mean_half_width:.0f}", f"{region.percentile_95:.0f}")
        for region in report.regions
    ]
    noise = ", ".join(f"{contrast} {100 * sigma:.1f} %" for contrast, sigma in report.noise.items())
    how = f"{len(report.members)} further translations; noise of the sources as estimated: {noise} of bright tissue."
    return "\n\n".join(
        [
            textwrap.fill(report.summary, WIDTH),
            textwrap.fill(report.statement, WIDTH),
            textwrap.fill(how, WIDTH),
            render_table([REGION_COLUMNS, *regions], "lrrr"),
        ]
    )
