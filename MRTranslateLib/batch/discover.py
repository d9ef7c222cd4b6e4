"""Finds the cases of a folder by the names of its files: BIDS, BraTS, or a folder a case."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from MRTranslateLib.batch.case import Case, check_case_ids
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import full_extension, reason, shown
from MRTranslateLib.io import READERS

ENDINGS = {
    Contrast.T1W: ("t1w", "t1", "t1n"),
    Contrast.T1W_GD: ("t1wgd", "t1gd", "t1ce", "t1c"),
    Contrast.T2W: ("t2w", "t2"),
    Contrast.PDW: ("pdw", "pd"),
    Contrast.FLAIR: ("flair", "t2f"),
}
"""Last word of a file's name: the contrast itself, or as the BraTS challenges name it. A bolder guess would be wrong
too often for a run that nobody watches: other names go into a case list."""
NAMING = "name files like sub-01_T1w.nii.gz or sub-01/t1.nii.gz, or give a case list (.csv)"
_NAME = re.compile(r"(?:(?P<prefix>.+)[_.-])?(?P<ending>[a-z0-9]+)", re.IGNORECASE)
_AGENT = re.compile(r"(?:^|_)ce-[a-z0-9]+", re.IGNORECASE)  # BIDS entity of a contrast agent
_VARIANT = re.compile(r"(?:^|_)(?:acq|rec|run|dir|part)-[a-z0-9]+", re.IGNORECASE)  # same person, same session
_DERIVED = re.compile(r"(?:^|_)desc-", re.IGNORECASE)  # BIDS: made, not acquired; so are our own results
_EXTENSIONS = frozenset(READERS) - {".img"}  # which comes with a .hdr
_FOREIGN = re.compile(r"[^\w.+-]+")  # what no case is named with: spaces, brackets
_TRANSPARENT = ("anat",)
_LEFT_OUT = ("derivatives", "sourcedata", "code")


def find_cases(folder: Path) -> tuple[Case, ...]:
    """The cases of a folder, by name.

    A file belongs to a case by its folder and by what its name has before the contrast; BIDS' ``anat`` folders and its
    ``acq-``, ``rec-``, ``run-``, ``dir-``, ``part-`` do not count, so that several T1w of a session meet in one case.
    A file that is named by its contrast alone is of the case that its folder names. ``derivatives``, hidden folders and
    derived files (``desc-``) are not looked at; links to folders are not followed.

    Args:
        folder: Searched with all below.

    Raises:
        InputError: If the folder cannot be read.
        UsageError: If it holds no case, or one whose name cannot name a folder.
    """
    groups: dict[tuple[str, str], dict[Contrast, list[Path]]] = {}
    for path in _images(folder):
        named = contrast_and_prefix(path)
        if named is None:
            continue
        contrast, prefix = named
        home = path.parent.parent if path.parent.name in _TRANSPARENT and path.parent != folder else path.parent
        key = ("_".join(home.relative_to(folder).parts), prefix)
        groups.setdefault(key, {}).setdefault(contrast, []).append(path)
    if not groups:
        raise UsageError(f"{shown(folder)} holds no scan whose name says its contrast: {NAMING}")
    cases = [
        Case(case_id=case_id, files={contrast: tuple(sorted(paths)) for contrast, paths in groups[key].items()})
        for key, case_id in _case_ids(list(groups), folder).items()
    ]
    cases.sort(key=lambda case: case.case_id)
    check_case_ids(cases, folder)
    return tuple(cases)


def contrast_and_prefix(path: Path) -> tuple[Contrast, str] | None:
    """What a file's name says: its contrast, and what stands before it; None where it says none, or is a derived image.

    Example:
        >>> contrast_and_prefix(Path("sub-01_acq-mprage_ce-gadolinium_T1w.nii.gz"))
        (<Contrast.T1W_GD: 'T1wGd'>, 'sub-01')
        >>> contrast_and_prefix(Path("BraTS-GLI-00005-000-t2f.nii.gz"))
        (<Contrast.FLAIR: 'FLAIR'>, 'BraTS-GLI-00005-000')
    """
    extension = full_extension(path)
    stem = path.name[: len(path.name) - len(extension)]
    match = _NAME.fullmatch(stem)
    if extension not in _EXTENSIONS or match is None or _DERIVED.search(stem):
        return None
    ending = match["ending"].lower()
    contrast = next((contrast for contrast, endings in ENDINGS.items() if ending in endings), None)
    if contrast is None:
        return None
    prefix = match["prefix"] or ""
    if _AGENT.search(prefix):
        if contrast is not Contrast.T1W:  # a FLAIR after contrast agent is none of our contrasts
            return None
        contrast, prefix = Contrast.T1W_GD, _AGENT.sub("", prefix)
    return contrast, _VARIANT.sub("", prefix).strip("_")


def _case_ids(keys: list[tuple[str, str]], folder: Path) -> dict[tuple[str, str], str]:
    """A name for each (folder, prefix): the prefix where it is the only one of its kind, else with the folder's.

    Spaces and other signs that make trouble in names become ``-``.
    """
    prefixes = [prefix.lower() for _home, prefix in keys]
    ids = {}
    for home, prefix in keys:
        is_enough = prefix and prefixes.count(prefix.lower()) == 1
        name = prefix if is_enough else "_".join(part for part in (home, prefix) if part) or folder.resolve().name
        ids[home, prefix] = _FOREIGN.sub("-", unicodedata.normalize("NFC", name)).strip(".-") or "case"
    return ids


def _images(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise InputError(f"cannot read the folder {shown(error.filename)}: {reason(error)}") from error

    for here, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _LEFT_OUT)
        yield from (Path(here) / name for name in sorted(names) if not name.startswith("."))
