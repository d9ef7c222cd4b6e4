"""The open data's BIDS layout: who has which contrasts, on which split; sessions of one person stay together."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import InputError

COLUMNS = {"participant_id", "session", "split", "contrasts", "one_grid", "skull_stripped"}
"""What is read of participants.tsv."""


@dataclass(frozen=True)
class Scan:
    """One scan of one person.

    Attributes:
        participant: BIDS label, e.g. ``sub-gli01``.
        session: BIDS label, e.g. ``ses-1``, or ``n/a``.
        split: ``train`` or ``val``.
        one_grid: Whether all contrasts share one grid.
        skull_stripped: Whether the background is zero.
        files: Path of each contrast.
        lesion_mask: Path of the lesion labels, None where there is none.
    """

    participant: str
    session: str
    split: str
    one_grid: bool
    skull_stripped: bool
    files: dict[Contrast, Path]
    lesion_mask: Path | None

    @property
    def case_id(self) -> str:
        """Participant and, where there are several, session."""
        return self.participant if self.session == "n/a" else f"{self.participant}_{self.session}"


def read_scans(root: Path) -> tuple[Scan, ...]:
    """All scans of ``participants.tsv``.

    Raises:
        InputError: If the table or an image it names is missing, or a person stands in two splits.
    """
    table = root / "participants.tsv"
    if not table.is_file():
        raise InputError(f"{table}: no such file; give the folder that holds participants.tsv")
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    if not rows or (missing := COLUMNS - rows[0].keys()):
        raise InputError(f"{table}: lacks {', '.join(sorted(missing)) if rows else 'rows'}; see the data's README")
    scans = tuple(_read_scan(root, row) for row in rows)
    splits: dict[str, str] = {}
    for scan in scans:
        if splits.setdefault(scan.participant, scan.split) != scan.split:
            raise InputError(f"{table}: {scan.participant} stands in two splits; a person belongs to one")
    return scans


def _read_scan(root: Path, row: dict[str, str]) -> Scan:
    participant, session = row["participant_id"], row["session"]
    parts = [participant] if session == "n/a" else [participant, session]
    stem = "_".join(parts)
    anat = root.joinpath(*parts, "anat")
    files = {
        contrast: anat / f"{stem}_{contrast.bids_suffix}.nii.gz"
        for contrast in map(parse_contrast, row["contrasts"].split("+"))
    }
    for path in files.values():
        if not path.is_file():
            raise InputError(f"{path}: named by participants.tsv but missing; fetch the data again")
    mask = root.joinpath("derivatives", "masks", *parts, "anat", f"{stem}_label-lesion_dseg.nii.gz")
    return Scan(
        participant,
        session,
        row["split"],
        row["one_grid"] == "true",
        row["skull_stripped"] != "no (defaced)",
        files,
        mask if mask.is_file() else None,
    )
