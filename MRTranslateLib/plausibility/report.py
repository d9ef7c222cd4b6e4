"""What is said about a synthetic image that does not go with its sources; kept in the provenance."""

from __future__ import annotations

from typing import Literal

import msgspec

from MRTranslateLib.contrast import Contrast

Kind = Literal["hallucination", "erasure"]
Sign = Literal["bright", "dark"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place to look at before the synthetic image is believed; a suspicion, not a diagnosis.

    Attributes:
        kind: ``hallucination``: a structure of the synthetic image without counterpart in any source; ``erasure``: a
            structure of a source that the synthetic image does not show.
        center_ras_mm: Centre of mass, RAS+ mm in the first source's space.
        volume_ml: Size.
        contrast: The source in which a vanished structure is seen best; None for a hallucination.
        sign: Whether the structure is brighter or darker than its surroundings, in the synthetic image or, when it
            vanished, in ``contrast``.
        score: How far the structure stands out, in multiples of what is needed to be listed: at least 1.
        sentence: All of this for a reader, with what to do.
    """

    kind: Kind
    center_ras_mm: tuple[float, float, float]
    volume_ml: float
    contrast: Contrast | None
    sign: Sign
    score: float
    sentence: str


class ChecksRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checks of one synthetic image.

    Attributes:
        findings: The most conspicuous first; empty when nothing was found.
        statement: What was checked, how well that works, and what cannot be found.
    """

    findings: tuple[Finding, ...]
    statement: str
