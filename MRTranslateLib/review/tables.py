"""The numbers of a summary as rows of text, for the terminal and for the page."""

from __future__ import annotations

from typing import TypeAlias

from MRTranslateLib.review.bootstrap import Estimate
from MRTranslateLib.review.content import AgreementSummary, Ratings, Summary
from MRTranslateLib.review.questions import Rating

Row: TypeAlias = tuple[str, ...]
ALL_READERS = "all readers"


def readers_table(summary: Summary) -> list[Row]:
    """Header and a row for each reader."""
    rows = [
        (
            each.reader,
            f"{each.num_answered} of {each.num_items}",
            "-" if each.median_seconds is None else f"{each.median_seconds:.0f}",
        )
        for each in summary.readers
    ]
    return [("reader", "answered", "median seconds"), *rows]


def discrimination_table(summary: Summary) -> list[Row]:
    """Header and a row for each reader and for their mean."""
    rows = [
        (
            each.reader or ALL_READERS,
            estimate_text(each.auc),
            estimate_text(each.accuracy),
            str(each.auc.num),
        )
        for each in summary.discrimination
    ]
    return [("reader", "AUC", "accuracy", "cases"), *rows]


def ratings_table(summary: Summary, question: str) -> list[Row]:
    """Header and a row for each reader and for all together."""
    rows = [
        (
            each.reader or ALL_READERS,
            _ratings_text(each.real),
            _ratings_text(each.synthetic),
            estimate_text(each.difference, sign="+"),
            str(each.difference.num),
        )
        for each in summary.ratings
        if each.question == question
    ]
    return [("reader", "real", "synthetic", "synthetic - real", "cases"), *rows]


def distribution_table(summary: Summary, question: Rating) -> tuple[list[Row], list[tuple[float, ...]]]:
    """How often each rating was given by all readers: header and a row for each kind, and each cell's share, 0..1."""
    rows: list[Row] = [("", *(f"{point} {label}" for point, label in enumerate(question.labels, start=1)))]
    shares: list[tuple[float, ...]] = []
    last = [each for each in summary.ratings if each.question == question.name][-1]
    for kind, ratings in (("real", last.real), ("synthetic", last.synthetic)):
        if ratings is not None:
            rows.append((kind, *map(str, ratings.counts)))
            shares.append((0.0, *(count / ratings.num for count in ratings.counts)))
    return rows, shares


def agreement_table(summary: Summary, question: str) -> list[Row]:
    """Header and a row for each pair of readers and for the repeats of each reader."""
    rows = [
        (_whose(each), str(each.num_items), "-" if each.same is None else f"{each.same:.0%}", estimate_text(each.kappa))
        for each in summary.agreement
        if each.question == question
    ]
    return [("", "items", "same rating", "kappa"), *rows]


def estimate_text(estimate: Estimate, *, sign: str = "") -> str:
    """``0.71 (0.60 to 0.81)``."""
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.2f}"
    return f"{estimate.value:{sign}.2f} ({estimate.low:{sign}.2f} to {estimate.high:{sign}.2f})"


def _ratings_text(ratings: Ratings | None) -> str:
    return "-" if ratings is None else f"{ratings.mean:.2f} / {ratings.median:g}"


def _whose(agreement: AgreementSummary) -> str:
    if agreement.second is None:
        return f"{agreement.first}, first showing and repeat"
    return f"{agreement.first} and {agreement.second}"
