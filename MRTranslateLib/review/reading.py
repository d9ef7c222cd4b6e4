"""A reader at work: the next item, the answer to it, and nothing of what it is. All that a reader's program needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO

from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.file_lock import try_lock
from MRTranslateLib.files import reason, shown
from MRTranslateLib.review.answers import Answer, now, read_answers, reader_folder, write_answer
from MRTranslateLib.review.questions import Value, checked_values
from MRTranslateLib.review.session import Session, image_path, read_session, source_path

LOCK_FILE = ".mrtranslate-review-lock"


@dataclass(frozen=True)
class ShownItem:
    """What a reader sees.

    Attributes:
        name: Of the item.
        number: 1 for the reader's first.
        image: The volume to judge; int16, 0 outside the brain, 1000 is the brain's 99.5th percentile: show 0 to 1000.
        source: An acquired contrast of the same person on the same grid, in the same units.
    """

    name: str
    number: int
    image: Path
    source: Path


class Reading:
    """A session as one reader sees it; made by :func:`open_reading`, closed by :meth:`close` or at the end of ``with``.

    Attributes:
        reader: Who reads.
        questions: To be asked of each item.
        target: Contrast of the images to judge.
        source: Contrast that is shown beside them.
        num_items: How many there are, repeats included.
    """

    def __init__(self, folder: Path, session: Session, reader: str, lock: IO[bytes]) -> None:
        """Use :func:`open_reading`.

        Raises:
            InputError: If an earlier answer is damaged.
        """
        self.reader, self.questions, self.target, self.source = (
            reader,
            session.questions,
            session.target,
            session.source,
        )
        self._folder, self._order, self._lock = folder, session.order_of(reader), lock
        self._answered = set(read_answers(folder, session, reader))
        self.num_items = len(self._order)

    @property
    def num_answered(self) -> int:
        """How many items have their answer."""
        return len(self._answered)

    def next_item(self) -> ShownItem | None:
        """The first item without an answer, None if all have one.

        Raises:
            InputError: If a volume of it is gone.
        """
        for number, name in enumerate(self._order, start=1):
            if name not in self._answered:
                shown_item = ShownItem(name, number, image_path(self._folder, name), source_path(self._folder, name))
                for path in (shown_item.image, shown_item.source):
                    if not path.is_file():
                        raise InputError(f"{shown(path)} is gone: copy it again from where the session was planned")
                return shown_item
        return None

    def record(self, item: str, values: Mapping[str, Value], *, seconds: float) -> None:
        """Keep the answer to the next item for good.

        Args:
            item: Its name.
            values: By the name of the question: 1 and up for ratings, text for comments, which may be left out.
            seconds: From showing the item to the answer.

        Raises:
            UsageError: If the item is answered already or is not the next one, an answer is missing or none that its
                question takes, or the folder takes no files.
            MRTranslateError: If the disk is full; the item is then still the next one.
        """
        if self._lock.closed:
            raise ValueError("the session is closed")
        if item in self._answered:
            raise UsageError(f"{self.reader} has answered item {item} already, and an answer is not changed")
        due = next((name for name in self._order if name not in self._answered), None)
        if item != due:
            raise UsageError(f"item {item[:120]} is not the one to answer: that is {due or 'none, all are answered'}")
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds are finite and not negative, got {seconds}")
        try:
            checked = checked_values(self.questions, values)
        except ValueError as error:
            raise UsageError(str(error)) from None
        write_answer(
            self._folder,
            Answer(reader=self.reader, item=item, values=checked, seconds=round(seconds, 1), answered=now()),
        )
        self._answered.add(item)

    def close(self) -> None:
        """Let another program read as this reader."""
        self._lock.close()

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_reading(folder: str | PathLike[str], reader: str) -> Reading:
    """Open a session, where it was left.

    Args:
        folder: Of the session.
        reader: One of those that it was planned for.

    Raises:
        UsageError: If there is no such reader (naming those that there are), another program is reading as this one,
            or the folder takes no files.
        InputError: If the session or an earlier answer is damaged.
    """
    place = Path(folder)
    session = read_session(place)
    session.order_of(reader)
    lock = _locked(place, reader)
    try:
        return Reading(place, session, reader, lock)
    except BaseException:
        lock.close()
        raise


def _locked(folder: Path, reader: str) -> IO[bytes]:
    """Keep a second program of the same reader out; the system itself ends the lock of a process that dies."""
    home = reader_folder(folder, reader)
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / LOCK_FILE).open("ab")
    except OSError as error:
        raise UsageError(
            f"the folder {shown(home)} takes no files ({reason(error)}): {reader} needs the permission to write there"
        ) from error
    if not try_lock(file):  # on a share without locks two may read; no answer is written twice
        file.close()
        raise UsageError(f"another program is reading as {reader}: close it first, or choose another reader")
    return file
