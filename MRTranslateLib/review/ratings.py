"""Unblinded: what each reader said of each case's real and synthetic image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.review.answers import Answer
from MRTranslateLib.review.key import Key
from MRTranslateLib.review.order import Kind, Showing


@dataclass(frozen=True)
class ReaderAnswers:
    """The answers of one reader.

    Attributes:
        reader: Who.
        first: To the first showing of each case and kind.
        again: To the repeats, where the first showing was answered too.
        answers: All, in the order in which they were given.
    """

    reader: str
    first: Mapping[Showing, Answer]
    again: Mapping[Showing, Answer]
    answers: tuple[Answer, ...]


def unblind(reader: str, answers: Mapping[str, Answer], key: Key) -> ReaderAnswers:
    """Say of each answer what it was on.

    Args:
        reader: Who.
        answers: By item, in the reader's order: of an item and its repeat the first counts, since the second is not
            independent of it.
        key: Of the session.
    """
    first: dict[Showing, Answer] = {}
    again: dict[Showing, Answer] = {}
    for item, answer in answers.items():
        what = key.items[item]
        (again if (what.case_id, what.kind) in first else first)[what.case_id, what.kind] = answer
    return ReaderAnswers(reader, first, again, tuple(answers.values()))


def ratings_of(reader: ReaderAnswers, question: str, kind: Kind) -> dict[str, int]:
    """What a reader gave each case's image of a kind, at the first showing."""
    return {
        case_id: int(answer.values[question])
        for (case_id, shown_kind), answer in reader.first.items()
        if shown_kind == kind
    }


@dataclass(frozen=True)
class PairedRatings:
    """A reader's ratings of cases of which real and synthetic image were both rated, shapes ``(num_cases,)``."""

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]


def paired(readers: Sequence[ReaderAnswers], question: str) -> tuple[PairedRatings, ...]:
    """For each reader the ratings of those cases, in one order, that all of them rated in both kinds."""
    real = [ratings_of(reader, question, "real") for reader in readers]
    synthetic = [ratings_of(reader, question, "synthetic") for reader in readers]
    case_ids = sorted(set.intersection(*map(set, real + synthetic)))
    return tuple(
        PairedRatings(
            np.array([mine[case_id] for case_id in case_ids], np.float64),
            np.array([theirs[case_id] for case_id in case_ids], np.float64),
        )
        for mine, theirs in zip(real, synthetic, strict=True)
    )


@dataclass(frozen=True)
class RatedTwice:
    """Two ratings of each of some items.

    Attributes:
        first: Shape ``(num_items,)``.
        second: Of the same items.
        case: Index of each item's case, ``0..num_cases - 1``.
        num_cases: To how many cases they belong.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    case: NDArray[np.intp]
    num_cases: int


def rated_twice(first: Mapping[Showing, Answer], second: Mapping[Showing, Answer], question: str) -> RatedTwice:
    """The items that both have answers to."""
    both = sorted(set(first) & set(second))
    case_ids = sorted({case_id for case_id, _ in both})
    return RatedTwice(
        np.array([int(first[showing].values[question]) for showing in both], np.float64),
        np.array([int(second[showing].values[question]) for showing in both], np.float64),
        np.array([case_ids.index(case_id) for case_id, _ in both], np.intp),
        len(case_ids),
    )
