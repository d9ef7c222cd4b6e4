"""What is known of each case from run to run: one small file a case, written whole, so that a power cut costs none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.outcome import CaseFailure, CaseOutcome
from MRTranslateLib.batch.stamp import FileStamp, stamp
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import json_text, reason, shown, write_text_atomic

RECORDS_FOLDER = "records"
SCHEMA_VERSION: Final = 1


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a case stands.

    Attributes:
        schema_version: Format of this record.
        case_id: Whose.
        state: ``running`` until its end is known: whoever finds that after a power cut knows that it was begun.
        settings_sha256: Of the batch's settings.
        inputs: What it was made from, by role.
        outputs: Size in bytes by name, relative to the batch's folder.
        owns_outputs: Whether files under the names of its outputs are its own: there were none when it was begun, or
            they might be replaced.
        num_begun: How often it was begun without an end by a run that would die with it.
        program: Name and version of the program.
        outcome: Of a case that is done.
        failure: Of one that failed.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    case_id: str
    state: Literal["running", "done", "failed"]
    settings_sha256: str
    inputs: dict[str, FileStamp]
    outputs: dict[str, int] = msgspec.field(default_factory=dict)
    owns_outputs: bool = False
    num_begun: int = 0
    program: str
    outcome: CaseOutcome | None = None
    failure: CaseFailure | None = None

    def gone_outputs(self, folder: Path) -> list[str]:
        """Its outputs that are no longer there."""
        return [name for name in self.outputs if size_of(folder / name) is None]

    def altered_outputs(self, folder: Path) -> list[str]:
        """Its outputs that are there and of another size than when they were made."""
        sizes = {name: size_of(folder / name) for name in self.outputs}
        return [name for name, size in self.outputs.items() if sizes[name] not in (None, size)]

    def changed_input(self, files: Mapping[str, Path]) -> str | None:
        """The first role whose file is not what it was, None if all are.

        Raises:
            InputError: If a file cannot be read.
        """
        for role in (*files, *self.inputs):
            if role not in files or role not in self.inputs or not self.inputs[role].still_holds(files[role]):
                return role
        return None


def input_files(case: Case, sources: tuple[Contrast, ...]) -> dict[str, Path]:
    """The files that a result is made from, by role; the reference is none of them."""
    files = {contrast.value: path for contrast in sources if (path := case.only(contrast)) is not None}
    others = {
        "brain mask": case.brain_mask,
        "lesion mask": case.lesion_mask,
        "low-resolution target": case.low_resolution,
    }
    return files | {role: path for role, path in others.items() if path is not None}


def stamps(files: Mapping[str, Path]) -> dict[str, FileStamp]:
    """A stamp for each.

    Raises:
        InputError: If one cannot be read.
    """
    return {role: stamp(path) for role, path in files.items()}


def size_of(path: Path) -> int | None:
    """Bytes of a file, None if it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def record_path(folder: Path, case_id: str) -> Path:
    """Where a case's record lies in the folder of a batch."""
    return folder / RECORDS_FOLDER / f"{case_id}.json"


def read_record(folder: Path, case_id: str) -> CaseRecord | None:
    """The record of a case, None if it was never begun.

    Raises:
        InputError: If it cannot be read or is none of this version.
    """
    path = record_path(folder, case_id)
    try:
        return msgspec.json.decode(path.read_bytes(), type=CaseRecord)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {reason(error)}; check its permissions") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{shown(path)} is no record of this version ({error}): remove it to begin the case anew"
        ) from None


def write_record(folder: Path, record: CaseRecord) -> None:
    """Write a record whole, over a former one.

    Raises:
        MRTranslateError: If the disk is full or the folder takes no files.
    """
    write_text_atomic(record_path(folder, record.case_id), json_text(record), overwrite=True)
