"""The MR contrasts we translate between, named as in DESIGN section 2 (BIDS suffixes)."""

from __future__ import annotations

from enum import StrEnum

from MRTranslateLib.errors import UsageError


class Contrast(StrEnum):
    """A brain-MRI contrast; the value is the name users type and the order is the network's channel order."""

    T1W = "T1w"
    T1W_GD = "T1wGd"
    T2W = "T2w"
    PDW = "PDw"
    FLAIR = "FLAIR"

    @property
    def bids_suffix(self) -> str:
        """End of a BIDS file name without extension: ``ce-gadolinium_T1w`` for T1wGd, else the name itself."""
        return "ce-gadolinium_T1w" if self is Contrast.T1W_GD else self.value

    @property
    def channel(self) -> int:
        """Channel index of this contrast in every network input, output and availability mask, 0..4."""
        return list(Contrast).index(self)


def parse_contrast(text: str) -> Contrast:
    """Read a contrast name, ignoring upper and lower case.

    Raises:
        UsageError: If ``text`` names no contrast; the message lists the known ones.

    Example:
        >>> parse_contrast("t1wgd")
        <Contrast.T1W_GD: 'T1wGd'>
    """
    for contrast in Contrast:
        if text.strip().lower() == contrast.value.lower():
            return contrast
    raise UsageError(f"unknown contrast {text!r}: use one of {', '.join(Contrast)}")
