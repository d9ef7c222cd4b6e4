"""What a session found, as plain values: for programs as JSON, for people by :mod:`MRTranslateLib.review.report`."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from MRTranslateLib import provenance
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.provenance import ModelRecord
from MRTranslateLib.review.bootstrap import CONFIDENCE, NUM_RESAMPLES, SEED, Estimate
from MRTranslateLib.review.order import Kind
from MRTranslateLib.review.questions import Question

SCHEMA_VERSION: Final = 1


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed, immutable part of a summary."""


class ReaderSummary(_Part, frozen=True, kw_only=True):
    """How far a reader came; median seconds per item, None without an answer."""

    reader: str
    num_answered: int
    num_items: int
    median_seconds: float | None


class Ratings(_Part, frozen=True, kw_only=True):
    """Ratings of all images of a kind, first showings: how many, mean, median, and how often 1, 2, ... was given."""

    num: int
    mean: float
    median: float
    counts: tuple[int, ...]


class RatingSummary(_Part, frozen=True, kw_only=True):
    """One question.

    Attributes:
        question: Its name.
        reader: Whose answers; None for those of all readers together.
        real: Ratings of real images, None if there are none.
        synthetic: Ratings of synthetic images, None if there are none.
        difference: Mean of synthetic minus real over cases of which both were rated (by all readers).
    """

    question: str
    reader: str | None
    real: Ratings | None
    synthetic: Ratings | None
    difference: Estimate


class DiscriminationSummary(_Part, frozen=True, kw_only=True):
    """How well a reader tells real from synthetic; ``reader`` None is the mean over readers on cases that all rated."""

    reader: str | None
    auc: Estimate
    accuracy: Estimate


class AgreementSummary(_Part, frozen=True, kw_only=True):
    """Agreement on one question.

    Attributes:
        question: Its name.
        first: A reader.
        second: Another reader; None for the same one's repeats.
        num_items: Rated by both, or twice.
        same: Share that got the same rating, None without items.
        kappa: Quadratically weighted.
    """

    question: str
    first: str
    second: str | None
    num_items: int
    same: float | None
    kappa: Estimate


class CommentSummary(_Part, frozen=True, kw_only=True):
    """A comment, and what it was on."""

    question: str
    reader: str
    case_id: str
    kind: Kind
    text: str


class Summary(_Part, frozen=True, kw_only=True):
    """Everything that a session found.

    Attributes:
        schema_version: Format of this record.
        notice: What everyone who opens the file must know.
        program: Name and version.
        created: UTC, ISO 8601.
        session_created: When the session was planned.
        target: Contrast that was judged.
        sources: It was made from.
        model: It was made by.
        seed: Of the session's chance.
        num_cases: That were shown.
        left_out: Why other cases were not, by case.
        questions: As they were asked.
        confidence: Of all intervals.
        num_resamples: Of the bootstrap.
        bootstrap_seed: Its seed.
        readers: All, those who have not begun too.
        ratings: By question, then by reader.
        discrimination: By reader; empty where that was not asked, or no real images were shown.
        agreement: By question: between readers, then within each.
        comments: All that are not empty.
        warnings: What makes the numbers mean less than they seem to, a sentence each.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    notice: str = provenance.NOTICE
    program: str
    created: str
    session_created: str
    target: Contrast
    sources: tuple[Contrast, ...]
    model: ModelRecord
    seed: int
    num_cases: int
    left_out: dict[str, str]
    questions: tuple[Question, ...]
    confidence: float = CONFIDENCE
    num_resamples: int = NUM_RESAMPLES
    bootstrap_seed: int = SEED
    readers: tuple[ReaderSummary, ...]
    ratings: tuple[RatingSummary, ...]
    discrimination: tuple[DiscriminationSummary, ...]
    agreement: tuple[AgreementSummary, ...]
    comments: tuple[CommentSummary, ...]
    warnings: tuple[str, ...]
