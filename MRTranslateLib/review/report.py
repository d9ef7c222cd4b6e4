"""A session's summary as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from MRTranslateLib.page import facts, page, paragraph, section, table
from MRTranslateLib.review.content import Summary
from MRTranslateLib.review.questions import Rating
from MRTranslateLib.review.tables import (
    Row,
    agreement_table,
    discrimination_table,
    distribution_table,
    ratings_table,
    readers_table,
)
from MRTranslateLib.review.wording import AGREEMENT_EXPLAINED, AUC_EXPLAINED, RATINGS_EXPLAINED, findings


def render_html(summary: Summary) -> str:
    """The page."""
    route = f"{' + '.join(summary.sources)} to SYNTHETIC {summary.target}"
    parts = [_findings(summary), section("Readers", _table(readers_table(summary)))]
    if summary.discrimination:
        shown = _table(discrimination_table(summary))
        parts.append(section("Real or synthetic", shown, paragraph(AUC_EXPLAINED, "soft")))
    parts += [_ratings(summary), _agreement(summary), _comments(summary), _provenance(summary)]
    model = f"model {summary.model.name} {summary.model.version}"
    return page(f"Reading session: {route}", f"{model}, {summary.created}", parts)


def _findings(summary: Summary) -> str:
    told = "".join(f"<li>{escape(text)}</li>" for text in findings(summary))
    doubts = "".join(f'<li class="caution">{escape(text)}</li>' for text in summary.warnings)
    style = "caution" if summary.warnings else ""
    return f'<div class="verdict {style}"><ul>{told}{doubts}</ul></div>'


def _ratings(summary: Summary) -> str:
    parts = []
    for question in summary.questions:
        if isinstance(question, Rating):
            rows, shares = distribution_table(summary, question)
            parts += [
                f"<h3>{escape(question.text)}</h3>",
                _table(ratings_table(summary, question.name)),
                table(rows[0], rows[1:], shares),
            ]
    return section("Ratings", *parts, paragraph(RATINGS_EXPLAINED, "soft"))


def _agreement(summary: Summary) -> str:
    parts = []
    for question in summary.questions:
        if isinstance(question, Rating):
            parts += [f"<h3>{escape(question.text)}</h3>", _table(agreement_table(summary, question.name))]
    return section("Agreement", *parts, paragraph(AGREEMENT_EXPLAINED, "soft"))


def _comments(summary: Summary) -> str:
    if not summary.comments:
        return section("Comments", paragraph("None."))
    told = "".join(
        f"<li>{escape(f'{each.case_id}, {each.kind}, {each.reader}: {each.text}')}</li>" for each in summary.comments
    )
    return section("Comments", f"<ul>{told}</ul>")


def _provenance(summary: Summary) -> str:
    pairs = [
        ("program", summary.program),
        ("session", f"planned {summary.session_created}, seed {summary.seed}"),
        ("cases", str(summary.num_cases)),
        *((f"left out: {case_id}", why) for case_id, why in summary.left_out.items()),
        ("model", f"{summary.model.name} {summary.model.version}"),
        ("weights, SHA-256", summary.model.used_sha256),
        (
            "intervals",
            f"{summary.confidence:.0%}, percentile bootstrap over cases, {summary.num_resamples} resamples, seed "
            f"{summary.bootstrap_seed}",
        ),
        ("notice", summary.notice),
    ]
    return section("How this was made", facts(pairs))


def _table(rows: Sequence[Row]) -> str:
    return table(rows[0], rows[1:])
