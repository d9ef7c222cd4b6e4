"""What readers are asked: a closed form of a few questions."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import msgspec

from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import full_extension, reason, shown

MAX_QUESTIONS = 20
MAX_LABELS = 10
MAX_COMMENT = 4000
"""Characters."""
LABEL_SEPARATOR = "|"
"""Between the labels of one cell of a CSV file."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class _Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A question has a name (lower-case letters, digits, ``_``) for files and tables, and a text for readers."""

    name: str
    text: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:60]!r} cannot name a question: use lower-case letters, digits and _")
        if not self.text.strip():
            raise ValueError(f"the question {self.name} has no text")


class Rating(_Question, frozen=True, kw_only=True, tag="rating"):
    """A rating 1, 2, ...; ``labels`` say what each point means, the first that of 1."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= len(self.labels) <= MAX_LABELS or not all(label.strip() for label in self.labels):
            raise ValueError(f"the question {self.name} needs 2 to {MAX_LABELS} labels, one for each point")

    @property
    def num_points(self) -> int:
        """The highest rating."""
        return len(self.labels)

    def problem(self, value: object) -> str:
        """Why ``value`` is no answer, empty if it is one."""
        if type(value) is int and 1 <= value <= self.num_points:
            return ""
        return f"{self.name} is {str(value)[:40]!r}: give a whole number from 1 to {self.num_points}"


class RealOrSynthetic(Rating, frozen=True, kw_only=True, tag="real_or_synthetic"):
    """A rating of confidence from surely real to surely synthetic; an even number of points, so that there is a middle.

    Graded confidence gives a ROC curve from few items, where yes and no give one point of it (Metz, Seminars in Nuclear
    Medicine 1978; 8: 283-298).
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_points % 2:
            raise ValueError(
                f"the question {self.name} has {self.num_points} labels where an even number is needed: as many for "
                "real as for synthetic"
            )


class Comment(_Question, frozen=True, kw_only=True, tag="comment"):
    """Free text, which may be empty or left out."""

    num_points: ClassVar[int] = 0

    def problem(self, value: object) -> str:
        """Why ``value`` is no answer, empty if it is one."""
        if isinstance(value, str) and len(value) <= MAX_COMMENT:
            return ""
        return f"{self.name} is no text of up to {MAX_COMMENT} characters: shorten it"


Question: TypeAlias = Rating | RealOrSynthetic | Comment
Value: TypeAlias = int | str

DEFAULT_QUESTIONS: tuple[Question, ...] = (
    Rating(
        name="quality",
        text="How good is the image quality?",
        labels=("not usable", "poor", "fair", "good", "excellent"),
    ),
    RealOrSynthetic(
        name="real_or_synthetic",
        text="Was this image acquired or computed?",
        labels=(
            "surely real",
            "probably real",
            "rather real",
            "rather synthetic",
            "probably synthetic",
            "surely synthetic",
        ),
    ),
    Rating(
        name="lesions",
        text="Is the image sufficient for finding lesions?",
        labels=("not at all", "hardly", "partly", "mostly", "fully"),
    ),
    Comment(name="comment", text="What else did you notice?"),
)
"""Asked unless other questions are given."""


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file.

    ``.json``: a list of objects with ``kind`` (``rating``, ``real_or_synthetic``, ``comment``), ``name``, ``text`` and,
    but for comments, ``labels``. ``.csv``: a row a question and a column for each of these; labels are separated by
    ``|``.

    Raises:
        UsageError: If the extension is another.
        InputError: If the file cannot be read or holds no valid form.
    """
    extension = full_extension(path)
    if extension not in (".json", ".csv"):
        raise UsageError(f"{shown(path)} has the extension {extension!r}: give the questions as .json or .csv")
    try:
        content = path.read_bytes()
        rows = msgspec.json.decode(content) if extension == ".json" else _csv_rows(content.decode("utf-8-sig"))
        questions = msgspec.convert(rows, type=tuple[Question, ...])
        check_form(questions)
    except OSError as error:
        raise InputError(f"cannot read the questions {shown(path)}: {reason(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise InputError(f"{shown(path)} holds no valid questions ({error}): correct it") from None
    return questions


def check_form(questions: Sequence[Question]) -> None:
    """Refuse a form that could not be asked or reported.

    Raises:
        ValueError: If there are none or too many questions, two of one name, or two on real or synthetic.
    """
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        raise ValueError(f"there are {len(questions)} questions where 1 to {MAX_QUESTIONS} make sense")
    names = [question.name for question in questions]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two questions are named {double}")
    if sum(isinstance(question, RealOrSynthetic) for question in questions) > 1:
        raise ValueError("more than one question is of the kind real_or_synthetic")


def checked_values(questions: Sequence[Question], values: Mapping[str, Value]) -> dict[str, Value]:
    """The answers to all questions, in their order; a comment that was left out is empty.

    Raises:
        ValueError: If one is missing, not among the questions, or none that its question takes.
    """
    names = [question.name for question in questions]
    if unknown := [name for name in values if name not in names]:
        raise ValueError(f"there is no question {str(unknown[0])[:60]!r}: answer {', '.join(names)}")
    answers: dict[str, Value] = {}
    for question in questions:
        if question.name not in values and not isinstance(question, Comment):
            raise ValueError(f"{question.name} is not answered: give a whole number from 1 to {question.num_points}")
        value = values.get(question.name, "")
        if problem := question.problem(value):
            raise ValueError(problem)
        answers[question.name] = value
    return answers


def _csv_rows(text: str) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(text.splitlines(), restkey="(a cell too many)", strict=True))
    told = [{(name or "").strip(): cell for name, cell in row.items() if cell and str(cell).strip()} for row in rows]
    for row in told:
        if "labels" in row:
            row["labels"] = [label.strip() for label in row["labels"].split(LABEL_SEPARATOR)]
    return [row for row in told if row]
