"""Answers on disk: a small file for each, in a folder for each reader, which is never written again.

One file an answer and not one file a reader: a crash or a full disk can cost the answer that was being written and no
other, nothing that was given is ever opened for writing, and a share needs no more than to rename a file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import json_text, reason, shown, write_text_atomic
from MRTranslateLib.review.questions import Value, checked_values
from MRTranslateLib.review.session import Session

ANSWERS_FOLDER = "answers"
SCHEMA_VERSION: Final = 1


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reader said of an item.

    Attributes:
        schema_version: Format of this record.
        reader: Who.
        item: Of what.
        values: By the name of the question.
        seconds: From showing the item to the answer.
        answered: UTC, ISO 8601.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    reader: str
    item: str
    values: dict[str, Value]
    seconds: float
    answered: str


def reader_folder(folder: Path, reader: str) -> Path:
    """Where the answers of a reader lie in the folder of a session."""
    return folder / ANSWERS_FOLDER / reader


def answer_path(folder: Path, reader: str, item: str) -> Path:
    """The file of an answer."""
    return reader_folder(folder, reader) / f"{item}.json"


def read_answers(folder: Path, session: Session, reader: str) -> dict[str, Answer]:
    """The answers that a reader has given, in the reader's order.

    Raises:
        UsageError: If there is no such reader.
        InputError: If a file cannot be read or is no answer of this session.
    """
    answers = {}
    for item in session.order_of(reader):
        path = answer_path(folder, reader, item)
        try:
            answer = msgspec.json.decode(path.read_bytes(), type=Answer)
            checked_values(session.questions, answer.values)
            if (answer.reader, answer.item) != (reader, item):
                raise ValueError(f"it is that of {answer.reader[:120]} on {answer.item[:120]}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"cannot read {shown(path)}: {reason(error)}; check its permissions") from None
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            remedy = f"restore it from a copy, or remove it, and {reader} is asked again"
            raise InputError(f"{shown(path)} is no answer of this session ({error}): {remedy}") from None
        answers[item] = answer
    return answers


def write_answer(folder: Path, answer: Answer) -> None:
    """Write an answer, which appears complete or not at all.

    Raises:
        UsageError: If there is one already, which is kept, or the folder takes no files.
        MRTranslateError: If the disk is full.
    """
    path = answer_path(folder, answer.reader, answer.item)
    if path.exists():
        raise UsageError(f"{shown(path)} is there already and is kept: open the session again to go on after it")
    write_text_atomic(path, json_text(answer))


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
