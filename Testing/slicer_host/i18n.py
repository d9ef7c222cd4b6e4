"""``slicer.i18n``: translation of user texts; the host speaks English."""

from __future__ import annotations


def tr(text: str) -> str:
    """The text in the user's language."""
    return text


def translate(context: str, text: str) -> str:
    """The text in the user's language; ``context`` tells where it is used."""
    return text


def getContext(source_file: str) -> str:
    """Name of the translation context of a file: its name without the ending."""
    return source_file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
