"""What a report on one translation says: the JSON file as it is, and the page in pictures and words."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from MRTranslateLib.models.card import RouteQuality
from MRTranslateLib.models.components import AttentionQuality, SuperResolutionQuality
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.models.uncertainty import UncertaintyQuality
from MRTranslateLib.provenance import FileRecord, Provenance

Kind = Literal["hallucination", "erasure", "hard region"]
KINDS: Final[dict[Kind, str]] = {
    "hallucination": "no counterpart in a source",
    "erasure": "missing from the result",
    "hard region": "among the hardest",
}
"""Kinds of places in words."""
Weight = Literal["caution", "unknown", "note"]
"""Of a sentence: do not trust this; this was not assessed; this is so."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed, immutable part of a report."""


class Statement(_Part, frozen=True, kw_only=True):
    """One sentence of the verdict and its weight."""

    weight: Weight
    text: str


class Region(_Part, frozen=True, kw_only=True):
    """One region of the brain.

    Attributes:
        name: As :func:`MRTranslateLib.attention.regions.attention_regions` names it.
        volume_ml: Size.
        attention: Mean of the attention map, 0..1; None without a map.
        half_width: Mean half-width of the uncertainty's interval, in the unit of the result (1000 is the 99.5th
            percentile of the brain); None without a map.
    """

    name: str
    volume_ml: float
    attention: float | None
    half_width: float | None


class Place(_Part, frozen=True, kw_only=True):
    """Somewhere to look at.

    Attributes:
        kind: ``hallucination`` or ``erasure`` as the checks found it, ``hard region`` of the attention map.
        position_mm: RAS+ mm in the first source's space.
        place: Which part of the brain, for example ``right anterior superior``.
        volume_ml: Size.
        text: What is there, for a reader.
    """

    kind: Kind
    position_mm: tuple[float, float, float]
    place: str
    volume_ml: float
    text: str


class ShownSlice(_Part, frozen=True, kw_only=True):
    """An axial slice that the page shows.

    Attributes:
        index: Counted from below in the canonical grid of the result.
        superior_mm: Where it lies at the brain's centre, along S.
        reason: Why this one.
    """

    index: int
    superior_mm: float
    reason: str


class ModelSummary(_Part, frozen=True, kw_only=True):
    """What the model's card says that matters here.

    Attributes:
        name: Of the model.
        version: Of the weights.
        title: One line.
        intended_use: What it is for.
        not_for: What it must not be used for.
        limits: Known weaknesses, a sentence each.
        makes_attention: Whether it has a local discriminator.
        quality: Of this route on people who were not trained on; None where not measured.
        attention_quality: Of the attention map on this route; None where not measured.
        uncertainty_quality: Of the uncertainty map on this route; None where not measured.
        super_resolution_quality: What an acquired low-resolution target most like that of this result gains on this
            route; None without one, or where nothing like it was measured.
        metrics_protocol: How ``quality`` was measured.
        robustness_limits: How far a perturbation may change a result.
    """

    name: str
    version: str
    title: str
    intended_use: str
    not_for: str
    limits: tuple[str, ...]
    makes_attention: bool
    quality: RouteQuality | None
    attention_quality: AttentionQuality | None
    uncertainty_quality: UncertaintyQuality | None
    super_resolution_quality: SuperResolutionQuality | None = None
    metrics_protocol: str
    robustness_limits: tuple[RobustnessLimit, ...]


class TranslationReport(_Part, frozen=True, kw_only=True):
    """Everything that the page says, the most important first.

    Attributes:
        notice: What everyone who opens the file must know.
        title: What was made from what.
        verdict: What may be believed and where not, in sentences.
        slices: Which slices the page shows.
        regions: The brain first.
        places: Findings of the checks, then hard regions.
        model: From its card.
        lesion_mask: That divided the regions; None without.
        provenance: How the result was made, with warnings and fallbacks.
        schema_version: Format of this report.
    """

    notice: str
    title: str
    verdict: tuple[Statement, ...]
    slices: tuple[ShownSlice, ...]
    regions: tuple[Region, ...]
    places: tuple[Place, ...]
    model: ModelSummary
    lesion_mask: FileRecord | None
    provenance: Provenance
    schema_version: Literal[1] = 1
