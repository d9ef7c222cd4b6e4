"""What the checks of a translation against its sources found, for people to read in a terminal."""

from __future__ import annotations

import textwrap

from MRTranslateLib.plausibility.report import ChecksRecord

WIDTH = 100


def render_checks(record: ChecksRecord) -> str:
    """The findings and what they are worth as plain text, without a newline at the end."""
    found = [
        textwrap.fill(finding.sentence, WIDTH, initial_indent=f"{number:3d}. ", subsequent_indent="     ")
        for number, finding in enumerate(record.findings, start=1)
    ]
    return "\n".join([*(found or ["Nothing is listed."]), textwrap.fill(record.statement, WIDTH)])
