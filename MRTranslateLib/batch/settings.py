"""What a batch makes of every case, the same for all of them; kept in the folder of its results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from MRTranslateLib import provenance
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.files import json_text, reason, refuse_unfit_output, shown, write_text_atomic
from MRTranslateLib.provenance import ModelRecord

SETTINGS_FILE = "batch.json"
SCHEMA_VERSION: Final = 1


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides how a result looks; device and threads are in each result's sidecar.

    Attributes:
        schema_version: Format of this record.
        notice: What everyone who opens the file must know.
        sources: In order: the first one's grid is the result's.
        target: Contrast to make.
        model: Weights.
        registration: As for ``translate``, and so are the others.
        bias_correction: N4.
        precision: Of the network.
        attention: Whether an attention map is made beside each result.
        uncertainty: Whether an uncertainty map is.
        checks: Whether results are checked against their sources.
        report: Whether a page is written beside each result.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    notice: str = provenance.NOTICE
    sources: tuple[Contrast, ...]
    target: Contrast
    model: ModelRecord
    registration: Literal["auto", "always", "never"]
    bias_correction: bool
    precision: Literal["fp32", "bf16"]
    attention: bool
    uncertainty: bool
    checks: bool
    report: bool

    @property
    def sha256(self) -> str:
        """Of all that decides how a result looks."""
        return hashlib.sha256(msgspec.json.encode(_deciding(self), order="sorted")).hexdigest()

    def differences(self, other: BatchSettings) -> tuple[str, ...]:
        """Names of the fields that differ, with both values."""
        mine, theirs = _deciding(self), _deciding(other)
        return tuple(f"{name} ({theirs[name]}, here {mine[name]})" for name in mine if mine[name] != theirs[name])


def claim_folder(folder: Path, settings: BatchSettings, *, written: Sequence[str], overwrite: bool) -> None:
    """Make a folder that of a batch, or find that it is already.

    Args:
        folder: Exists.
        settings: Of this batch.
        written: Names of files that every run writes there again.
        overwrite: Whether it may be that of another batch so far; its results stay until they are made anew.

    Raises:
        UsageError: If the folder cannot be read, or holds results of other settings, or files of
            others of these names, without ``overwrite``.
    """
    path = folder / SETTINGS_FILE
    try:
        former = path.read_bytes()
    except FileNotFoundError:
        former = None
    except OSError as error:
        raise UsageError(f"cannot use the folder {shown(folder)}: {reason(error)}; choose another") from None
    if former is None and not overwrite:
        for name in written:
            refuse_unfit_output(folder / name)
    if former is not None:
        try:
            differing = settings.differences(msgspec.json.decode(former, type=BatchSettings))
        except (msgspec.DecodeError, UnicodeDecodeError):
            differing = (f"its {SETTINGS_FILE}, which is none of this version",)
        if not differing:
            return
        if not overwrite:
            raise UsageError(
                f"{shown(folder)} holds a batch that differs in {', '.join(differing)}: choose another folder, or "
                "allow overwriting (--overwrite)"
            )
    write_text_atomic(path, json_text(settings), overwrite=True)


def _deciding(settings: BatchSettings) -> dict[str, object]:
    """As plain values, without where the model lay."""
    model = msgspec.structs.replace(settings.model, folder=None)
    plain: dict[str, object] = msgspec.to_builtins(msgspec.structs.replace(settings, model=model))
    return {name: value for name, value in plain.items() if name not in ("schema_version", "notice")}
