"""What each item of a session is. Whoever reads this file is no longer blinded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final, Literal

import msgspec

from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown
from MRTranslateLib.provenance import FileRecord
from MRTranslateLib.review.order import Kind

KEY_FILE = "key.json"
SCHEMA_VERSION: Final = 1
NOTICE: Final = (
    "This file says which item is real and which is synthetic: keep it from readers until all have finished. It is "
    "needed again, in this folder, to summarize."
)


class KeyItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one item is; two items of one case and kind are the first showing and its repeat."""

    case_id: str
    kind: Kind


class ShownFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the images of a case came from; no real target where the session shows none."""

    source: FileRecord
    synthetic: FileRecord
    real: FileRecord | None


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blind side of a session, and how it was drawn.

    Attributes:
        schema_version: Format of this record.
        notice: What everyone who opens the file must know.
        program: Name and version of the program that planned it.
        created: UTC, ISO 8601.
        seed: Of repeats and orders.
        repeat: Share of the items that was to be shown twice, 0..1.
        num_between: How many others lie at least between an item and its repeat.
        batch: What made the synthetic images.
        items: By the name of the item.
        files: By case.
        left_out: Why a case is not shown, by case.
        warnings: What may have told readers more than it should, a sentence each.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    notice: str = NOTICE
    program: str
    created: str
    seed: int
    repeat: float
    num_between: int
    batch: BatchSettings
    items: dict[str, KeyItem]
    files: dict[str, ShownFiles]
    left_out: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def shows_real(self) -> bool:
        """Whether real targets are among the items."""
        return any(item.kind == "real" for item in self.items.values())


def read_key(folder: Path, items: Collection[str]) -> Key:
    """The key of the session in a folder.

    Args:
        folder: Of the session.
        items: Names of all its items.

    Raises:
        InputError: If it is not there, damaged, or that of another session.
    """
    path = folder / KEY_FILE
    try:
        key = msgspec.json.decode(path.read_bytes(), type=Key)
    except FileNotFoundError:
        raise InputError(f"{shown(path)} is not there: put the session's key back to unblind it") from None
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {reason(error)}; check its permissions") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{shown(path)} is no key of this version ({error}): copy it again from where it was kept"
        ) from None
    if key.items.keys() != set(items):
        raise InputError(f"{shown(path)} is the key of another session: put this session's own key there")
    return key
