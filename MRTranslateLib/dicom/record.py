"""The provenance as it goes into DICOM: all of it but where files lay and what they were called.

Folders of a hospital are nobody's business, and files and folders are often named after the person: an archive that
takes the patient's name out of a header does not look for it in our text. The hashes still tell which files they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import msgspec

from MRTranslateLib.files import shown
from MRTranslateLib.provenance import Provenance

_PATH_KEYS = ("path", "folder")


def published_record(provenance: Provenance) -> str:
    """The sidecar's content without names of files, as JSON on one line of ASCII; still readable as a sidecar."""
    content = msgspec.to_builtins(provenance)
    names = sorted(set(_names(content)), key=len, reverse=True)
    return json.dumps(_without_names(content, names), separators=(",", ":"))


def _names(value: Any) -> Iterator[str]:
    """How texts of the record may spell its files: the whole path, and the ``(name)`` that follows a contrast."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _PATH_KEYS and isinstance(inner, str):
                name = PurePath(inner.replace("\\", "/")).name
                yield from (inner, shown(inner), f" ({name})", f" ({shown(name)})")
            else:
                yield from _names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _names(inner)


def _without_names(value: Any, names: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: None if key in _PATH_KEYS else _without_names(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_names(inner, names) for inner in value]
    if isinstance(value, str):
        for name in names:
            value = value.replace(name, "")
    return value
