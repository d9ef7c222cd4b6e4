"""Reads a case list: one row a case, one column a contrast; as a spreadsheet saves it."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

from MRTranslateLib.batch.case import Case, check_case_ids
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import reason, shown

CASE_COLUMNS = ("case", "case_id", "participant_id")
OTHER_COLUMNS = ("brain_mask", "lesion_mask", "low_resolution")
SEPARATORS = ",;\t"
_NOTHING = ("", "n/a")  # the latter in BIDS tables


def read_case_list(path: Path) -> tuple[Case, ...]:
    """The cases of a list.

    The first line names the columns: ``case`` (or ``case_id``, ``participant_id``), contrasts, and if wanted
    ``brain_mask``, ``lesion_mask``, ``low_resolution``; others are ignored. A cell is a file or a DICOM folder,
    relative to the list's own folder, or empty. Commas, semicolons or tabs separate; UTF-8.

    Raises:
        InputError: If the file cannot be read or is no such list.
        UsageError: If a case's name cannot name a folder or comes twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the case list {shown(path)}: {reason(error)}") from error
    except UnicodeDecodeError:
        raise InputError(f"the case list {shown(path)} is not UTF-8: save it as CSV in UTF-8") from None
    heading = text.partition("\n")[0].rstrip("\r")
    separator = max(SEPARATORS, key=heading.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey="", strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"the case list {shown(path)} is no table ({error}): save it as CSV") from None
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if doubles := sorted({name for name in names if name and names.count(name) > 1}):
        raise InputError(f"the case list {shown(path)} has two columns named {doubles[0]}: keep one")
    columns = dict(zip(names, reader.fieldnames or (), strict=True)) if rows else {}
    named = next((name for name in CASE_COLUMNS if name in columns), None)
    contrasts = {contrast: columns[contrast.lower()] for contrast in Contrast if contrast.lower() in columns}
    if named is None or not contrasts:
        raise InputError(
            f"the case list {shown(path)} needs rows below a line with the columns case and one for each contrast "
            f"({', '.join(Contrast)}); its first line is {heading[:100]!r}"
        )
    cases = []
    for number, row in rows:
        if not any(cell for cell in row.values()):
            continue
        if "" in row:
            raise InputError(
                f"the case list {shown(path)}, line {number}: more cells than columns; quote commas in names"
            )
        others = {name: _file(row[columns[name]], path) for name in OTHER_COLUMNS if name in columns}
        found = {contrast: _file(row[column], path) for contrast, column in contrasts.items()}
        files = {contrast: (file,) for contrast, file in found.items() if file is not None}
        case_id = unicodedata.normalize("NFC", (row[columns[named]] or "").strip())
        cases.append(Case(case_id=case_id, files=files, **others))
    if not cases:
        raise UsageError(f"the case list {shown(path)} names no case: add a row for each")
    check_case_ids(cases, path)
    return tuple(cases)


def _file(cell: str | None, case_list: Path) -> Path | None:
    text = (cell or "").strip()
    return None if text in _NOTHING else case_list.parent / text
