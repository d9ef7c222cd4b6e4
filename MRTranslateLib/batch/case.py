"""A case of a batch: which files it has, and whether that is enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.files import shown

_CASE_ID = re.compile(r"\w[\w.+-]{0,99}(?<!\.)")
_MAX_BYTES = 150
"""Of a name, with which those of its files stay below 255 bytes."""
_RESERVED = re.compile(
    r"(records|batch\.json|cases\.csv|cases\.html|(con|prn|aux|nul|com\d|lpt\d)(\..*)?)", re.IGNORECASE
)
"""Files and folders of a batch, and what Windows keeps for devices."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One examination of one person.

    Attributes:
        case_id: Names its results: letters, digits, ``_ . + -``.
        files: By contrast; several where a folder holds several and nothing says which one is meant.
        brain_mask: Nonzero is brain; None to find it.
        lesion_mask: Integer labels, 0 is no lesion; None if unknown.
        low_resolution: The target as it was acquired at low resolution; None where it was not.
    """

    case_id: str
    files: Mapping[Contrast, tuple[Path, ...]] = field(default_factory=dict)
    brain_mask: Path | None = None
    lesion_mask: Path | None = None
    low_resolution: Path | None = None

    def problem(self, sources: Sequence[Contrast]) -> str:
        """Why it cannot be translated from ``sources``, empty if it can."""
        missing = [contrast for contrast in sources if not self.files.get(contrast)]
        if missing:
            there = ", ".join(contrast for contrast in Contrast if self.files.get(contrast)) or "nothing"
            return f"no {' and no '.join(missing)} (there is {there})"
        for contrast in sources:
            if len(self.files[contrast]) > 1:
                names = " and ".join(shown(path.name) for path in self.files[contrast])
                return f"several {contrast}: {names}; name the one to use in a case list (.csv)"
        return ""

    def only(self, contrast: Contrast) -> Path | None:
        """The file of a contrast, None where there is none or several."""
        paths = self.files.get(contrast, ())
        return paths[0] if len(paths) == 1 else None


def check_case_ids(cases: Iterable[Case], where: Path) -> None:
    """Refuse names that cannot name a folder everywhere, or that two cases share.

    Args:
        cases: All of a batch.
        where: Where they were found, for the message.

    Raises:
        UsageError: Naming the case.
    """
    known: set[str] = set()
    for case in cases:
        if _RESERVED.fullmatch(case.case_id):
            raise UsageError(f"{shown(where)}: {case.case_id} cannot name a case, it is the name of something else")
        if not _CASE_ID.fullmatch(case.case_id) or len(case.case_id.encode()) > _MAX_BYTES:
            raise UsageError(
                f"{shown(where)}: {case.case_id[:120]!r} cannot name a case: use up to 100 letters, digits, "
                "_ . + or -, beginning with a letter or digit"
            )
        if case.case_id.lower() in known:  # one folder, where upper and lower case are the same
            raise UsageError(f"{shown(where)}: two cases are named {case.case_id}: give each a name of its own")
        known.add(case.case_id.lower())
