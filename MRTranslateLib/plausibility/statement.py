"""What the checks tell and what they cannot."""

from __future__ import annotations

STATEMENT = (
    "The synthetic image was compared with its sources and with the other half of the brain, for structures of 1 ml "
    "and more that no source shows and for lesions of a source that it does not show. A finding is a place to look at, "
    "not a diagnosis: fluid spaces that differ between the sides and lesions that only the target can show are listed, "
    "too. Not found are smaller structures, thin or faint ones along the surface of the brain, what lies at the same "
    "place on both sides, erased lesions in the middle, lesions that look like the tissue opposite (mostly where T1w "
    "is the only source), and what a real scan would show and no source does; an empty list does not mean that the "
    "image is right."
)
