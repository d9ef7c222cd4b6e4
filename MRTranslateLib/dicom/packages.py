"""The packages that only DICOM needs; who never exports does without them."""

from __future__ import annotations

import re
from importlib import metadata

from MRTranslateLib.errors import MRTranslateError

_LEAST = {"pydicom": (3, 0), "highdicom": (0, 27)}
"""pydicom 2, which Slicer 5.10 brings, writes files in another way."""


def require_package(name: str) -> None:
    """Refuse to begin without a package.

    Args:
        name: ``pydicom``, or ``highdicom`` for parametric maps.

    Raises:
        MRTranslateError: If it is not installed or too old, with the remedy.
    """
    remedy = "install what DICOM needs (pip install 'pydicom>=3' 'highdicom>=0.27')"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        raise MRTranslateError(f"the Python package {name} is missing: {remedy}") from None
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < _LEAST[name]:
        raise MRTranslateError(f"the Python package {name} {version} is too old: {remedy}")
