"""What the checks tell and what they cannot."""

from __future__ import annotations

STATEMENT = (
    "The synthetic image was compared with its sources for structures that no source shows and for structures of a "
    "source that it does not show; smaller ones than about 1 ml, and what no source shows because it cannot, are not "
    "found, so an empty list does not mean that the image is right."
)
