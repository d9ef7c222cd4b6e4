"""What readers' programs read of a session: the form, and for each reader the order of items; nothing says what one is.

A session's folder holds ``session.json``, a volume for each item in ``images`` and the source that is shown beside it
in ``sources`` (both uncompressed NIfTI named by the item), ``answers``, and ``key.json``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from MRTranslateLib.batch.case import Case, check_case_ids
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import reason, shown
from MRTranslateLib.review.questions import Question, check_form

SESSION_FILE = "session.json"
IMAGES_FOLDER, SOURCES_FOLDER = "images", "sources"
SCHEMA_VERSION: Final = 1
_ITEM = re.compile(r"[0-9a-f]{8}")


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blinded part of a session.

    Attributes:
        schema_version: Format of this record.
        program: Name and version of the program that planned it.
        created: UTC, ISO 8601.
        target: Contrast that every item shows.
        source: Contrast that is shown beside it, always acquired.
        questions: Asked of every item.
        orders: For each reader the names of all items as they are shown, one after the other.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    program: str
    created: str
    target: Contrast
    source: Contrast
    questions: tuple[Question, ...]
    orders: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        check_form(self.questions)
        try:
            check_readers(tuple(self.orders))
        except UsageError as error:
            raise ValueError(str(error)) from None
        items = {tuple(sorted(order)) for order in self.orders.values()}
        if len(items) != 1 or len(set(self.items)) != len(self.items) or not self.items:
            raise ValueError("its readers do not see the same items")
        if strange := next((item for item in self.items if not _ITEM.fullmatch(item)), None):
            raise ValueError(f"{strange[:60]!r} cannot name an item")

    @property
    def items(self) -> tuple[str, ...]:
        """Names of all items, in the order of the alphabet."""
        return tuple(sorted(next(iter(self.orders.values()))))

    def order_of(self, reader: str) -> tuple[str, ...]:
        """The items of a reader.

        Raises:
            UsageError: If there is no such reader, naming those that there are.
        """
        if reader not in self.orders:
            raise UsageError(f"no reader of this session is named {reader[:120]!r}: choose {' or '.join(self.orders)}")
        return self.orders[reader]


def image_path(folder: Path, item: str) -> Path:
    """The volume of an item: int16, 1000 is the 99.5th percentile of the brain, 0 outside."""
    return folder / IMAGES_FOLDER / f"{item}.nii"


def source_path(folder: Path, item: str) -> Path:
    """The acquired source of the same person and on the same grid, in the same form."""
    return folder / SOURCES_FOLDER / f"{item}.nii"


def check_readers(readers: Sequence[str]) -> None:
    """Refuse names that cannot name a folder everywhere (as for case ids), or that two readers share.

    Raises:
        UsageError: Naming the reader, or if there is none.
    """
    if not readers:
        raise UsageError("no reader is named: give at least one, for example --readers anna,bert")
    for number, reader in enumerate(readers):
        try:
            check_case_ids([Case(case_id=reader)], Path())
        except UsageError:
            raise UsageError(
                f"{reader[:120]!r} cannot name a reader: use up to 100 letters, digits, _ . + or -, beginning with a "
                "letter or digit"
            ) from None
        if reader.lower() in (other.lower() for other in readers[:number]):
            raise UsageError(f"two readers are named {reader}: give each a name of its own")


def read_session(folder: Path) -> Session:
    """The blinded part of the session in a folder.

    Raises:
        InputError: If it cannot be read or is damaged.
    """
    path = folder / SESSION_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Session)
    except OSError as error:
        raise InputError(
            f"cannot read {shown(path)} ({reason(error)}): give the folder of a session, as mrtranslate review plan "
            "made it"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{shown(path)} is no session of this version ({error}): copy it again from where it was planned"
        ) from None
