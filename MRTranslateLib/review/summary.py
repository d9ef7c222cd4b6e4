"""Unblinds a session and says what its readers found, with the field's usual statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib import provenance
from MRTranslateLib.errors import UsageError
from MRTranslateLib.files import shown
from MRTranslateLib.review.agreement import weighted_kappa
from MRTranslateLib.review.answers import Answer, now, read_answers
from MRTranslateLib.review.bootstrap import Weights, estimate, weighted_mean
from MRTranslateLib.review.content import (
    AgreementSummary,
    CommentSummary,
    DiscriminationSummary,
    Ratings,
    RatingSummary,
    ReaderSummary,
    Summary,
)
from MRTranslateLib.review.discrimination import accuracy, auc
from MRTranslateLib.review.key import Key, read_key
from MRTranslateLib.review.order import Kind, Showing
from MRTranslateLib.review.questions import Comment, Rating, RealOrSynthetic
from MRTranslateLib.review.ratings import PairedRatings, ReaderAnswers, paired, rated_twice, ratings_of, unblind
from MRTranslateLib.review.session import Session, read_session
from MRTranslateLib.review.tables import ALL_READERS

FEW_CASES = 10
"""Below this an interval over cases is too narrow to be believed."""
FEW_REPEATS = 10


def summarize(folder: str | PathLike[str]) -> Summary:
    """Unblind a session; readers who have not finished count with what they have answered.

    Raises:
        UsageError: If nobody has answered anything.
        InputError: If the session, its key or an answer is missing or damaged.
    """
    place = Path(folder)
    session = read_session(place)
    answers = {reader: read_answers(place, session, reader) for reader in session.orders}
    if not any(answers.values()):
        raise UsageError(f"nobody has answered anything in {shown(place)} yet: summarize when the readers have read")
    key = read_key(place, session.items)
    begun = [unblind(reader, given, key) for reader, given in answers.items() if given]
    questions = [question for question in session.questions if isinstance(question, Rating)]
    ratings = tuple(_ratings(begun, questions))
    agreement = tuple(_agreements(begun, questions))
    return Summary(
        program=provenance.program_version(),
        created=now(),
        session_created=session.created,
        target=session.target,
        sources=key.batch.sources,
        model=key.batch.model,
        seed=key.seed,
        num_cases=len(key.files),
        left_out=key.left_out,
        questions=session.questions,
        readers=tuple(_reader(reader, given, session) for reader, given in answers.items()),
        ratings=ratings,
        discrimination=tuple(_discriminations(begun, questions, key)),
        agreement=agreement,
        comments=tuple(_comments(begun, session, key)),
        warnings=tuple(_warnings(session, key, answers, begun, ratings, agreement)),
    )


def _reader(reader: str, answers: Mapping[str, Answer], session: Session) -> ReaderSummary:
    seconds = [answer.seconds for answer in answers.values()]
    return ReaderSummary(
        reader=reader,
        num_answered=len(answers),
        num_items=len(session.order_of(reader)),
        median_seconds=float(np.median(seconds)) if seconds else None,
    )


def _ratings(readers: Sequence[ReaderAnswers], questions: Sequence[Rating]) -> Iterator[RatingSummary]:
    for question in questions:
        for group in _groups(readers):
            pairs = paired(group, question.name)
            change = np.mean([pair.synthetic - pair.real for pair in pairs], axis=0)
            yield RatingSummary(
                question=question.name,
                reader=_name(group, readers),
                real=_distribution(group, question, "real"),
                synthetic=_distribution(group, question, "synthetic"),
                difference=estimate(partial(weighted_mean, change), change.size),
            )


def _distribution(readers: Sequence[ReaderAnswers], question: Rating, kind: Kind) -> Ratings | None:
    given = [rating for reader in readers for rating in ratings_of(reader, question.name, kind).values()]
    if not given:
        return None
    counts = np.bincount(given, minlength=question.num_points + 1)[1:]
    return Ratings(
        num=len(given), mean=float(np.mean(given)), median=float(np.median(given)), counts=tuple(counts.tolist())
    )


def _discriminations(
    readers: Sequence[ReaderAnswers], questions: Sequence[Rating], key: Key
) -> Iterator[DiscriminationSummary]:
    asked = next((question for question in questions if isinstance(question, RealOrSynthetic)), None)
    if asked is None or not key.shows_real:
        return
    for group in _groups(readers):
        pairs = paired(group, asked.name)
        yield DiscriminationSummary(
            reader=_name(group, readers),
            auc=estimate(partial(_mean_auc, pairs), pairs[0].real.size),
            accuracy=estimate(partial(_mean_accuracy, pairs, asked.num_points), pairs[0].real.size),
        )


def _mean_auc(pairs: Sequence[PairedRatings], weights: Weights) -> NDArray[np.float64]:
    return np.asarray(np.mean([auc(pair.real, pair.synthetic, weights) for pair in pairs], axis=0))


def _mean_accuracy(pairs: Sequence[PairedRatings], num_points: int, weights: Weights) -> NDArray[np.float64]:
    shares = [accuracy(pair.real, pair.synthetic, weights, num_points=num_points) for pair in pairs]
    return np.asarray(np.mean(shares, axis=0))


def _agreements(readers: Sequence[ReaderAnswers], questions: Sequence[Rating]) -> Iterator[AgreementSummary]:
    for question in questions:
        for number, reader in enumerate(readers):
            for other in readers[number + 1 :]:
                yield _agreement(question, (reader.reader, reader.first), (other.reader, other.first))
        for reader in readers:
            yield _agreement(question, (reader.reader, reader.first), (None, reader.again))


def _agreement(
    question: Rating,
    first: tuple[str, Mapping[Showing, Answer]],
    second: tuple[str | None, Mapping[Showing, Answer]],
) -> AgreementSummary:
    both = rated_twice(first[1], second[1], question.name)

    def kappa(weights: Weights) -> NDArray[np.float64]:
        return weighted_kappa(both.first, both.second, weights[..., both.case])

    return AgreementSummary(
        question=question.name,
        first=first[0],
        second=second[0],
        num_items=both.first.size,
        same=float((both.first == both.second).mean()) if both.first.size else None,
        kappa=estimate(kappa, both.num_cases),
    )


def _comments(readers: Sequence[ReaderAnswers], session: Session, key: Key) -> Iterator[CommentSummary]:
    names = [question.name for question in session.questions if isinstance(question, Comment)]
    for reader in readers:
        for answer in reader.answers:
            item = key.items[answer.item]
            for name in names:
                text = str(answer.values.get(name, "")).strip()
                if text:
                    yield CommentSummary(
                        question=name, reader=reader.reader, case_id=item.case_id, kind=item.kind, text=text
                    )


def _warnings(
    session: Session,
    key: Key,
    answers: Mapping[str, Mapping[str, Answer]],
    begun: Sequence[ReaderAnswers],
    ratings: Sequence[RatingSummary],
    agreement: Sequence[AgreementSummary],
) -> Iterator[str]:
    for reader, given in answers.items():
        if not given:
            yield f"{reader} has not begun and is left out"
        elif len(given) < len(session.order_of(reader)):
            num_items = len(session.order_of(reader))
            yield f"{reader} has answered {len(given)} of {num_items} items: the numbers may still change"
    rated = {each.reader or ALL_READERS: each.difference.num for each in ratings if key.shows_real}
    rated = rated or {"in all": len(key.files)}
    if few := [f"{who} {number}" for who, number in rated.items() if number < FEW_CASES]:
        yield (
            f"cases are few ({', '.join(few)}): intervals over fewer than {FEW_CASES} are too narrow, and a difference "
            "may be chance"
        )
    if len(begun) == 1:
        yield f"{begun[0].reader} is the only reader: nothing is known of how far readers agree"
    repeats = {each.first: each.num_items for each in agreement if each.second is None}
    if few := [f"{reader} {number}" for reader, number in repeats.items() if number < FEW_REPEATS]:
        yield f"repeats that were answered twice are too few to judge a reader by ({', '.join(few)})"
    if flat := sorted({each.question for each in agreement if each.num_items and each.kappa.value is None}):
        yield f"kappa says nothing where the same rating was given throughout ({', '.join(flat)})"
    yield from key.warnings


def _groups(readers: Sequence[ReaderAnswers]) -> list[Sequence[ReaderAnswers]]:
    """Each reader alone, then all where there are several."""
    return [*([reader] for reader in readers), *([readers] if len(readers) > 1 else [])]


def _name(group: Sequence[ReaderAnswers], readers: Sequence[ReaderAnswers]) -> str | None:
    return None if group is readers else group[0].reader
