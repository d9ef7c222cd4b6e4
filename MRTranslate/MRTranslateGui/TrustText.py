"""Where not to trust a result, in plain sentences made of its record. Imports neither qt nor slicer's scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _

HALLUCINATION = "hallucination"
"""A structure of the synthetic image that no source shows; the other kind of finding is an erasure."""


def whereNotToTrust(record: Mapping[str, Any]) -> str:
    """The essence of everything that was measured, the gravest first.

    Args:
        record: The library's sidecar as JSON values; its parts ``checks``, ``attention`` and ``uncertainty`` may lack.
    """
    sentences = [*_ofChecks(record.get("checks")), *_ofMap(record.get("attention")), *_ofMap(record.get("uncertainty"))]
    if not sentences:
        return _("Nothing was measured of this result: tick a map or the check, then Apply.")
    return " ".join([*sentences, *_notAssessed(record)])


def whatItMeans(record: Mapping[str, Any]) -> str:
    """What the measures say and what they cannot, as HTML: tooltips wrap nothing else."""
    parts = [_reportOf(record.get(name)) for name in ("checks", "attention", "uncertainty")]
    return "".join(f"<p>{escape(part['statement'])}</p>" for part in parts if part.get("statement"))


def findingsOf(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What the checks found, the most conspicuous first."""
    return tuple((record.get("checks") or {}).get("findings", ()))


def hardSpotsOf(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The hardest regions of the attention map, the largest first."""
    spots = _reportOf(record.get("attention")).get("hard_regions", ())
    return sorted(spots, key=lambda spot: -float(spot["volume_ml"]))


def regionsOf(record: Mapping[str, Any], part: str) -> Sequence[Mapping[str, Any]]:
    """What ``attention`` or ``uncertainty`` measured region by region, the brain first."""
    return tuple(_reportOf(record.get(part)).get("regions", ()))


def _reportOf(part: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The words and numbers of a part: its ``report`` where it has one, else the part itself."""
    return {} if part is None else part.get("report", part)


def _ofMap(part: Mapping[str, Any] | None) -> list[str]:
    summary = _reportOf(part).get("summary")
    return [str(summary)] if summary else []


def _notAssessed(record: Mapping[str, Any]) -> list[str]:
    """Silence must not be taken for a good sign."""
    names = {
        "checks": _("hallucinated or vanished structures"),
        "attention": _("where errors are likely"),
        "uncertainty": _("how large they may be"),
    }
    lacking = [name for part, name in names.items() if record.get(part) is None]
    return [_("Not assessed: {what}.").format(what=", ".join(lacking))] if lacking else []


def _ofChecks(part: Mapping[str, Any] | None) -> list[str]:
    if part is None:
        return []
    findings = part["findings"]
    if not findings:
        return [_("The check found nothing, which does not mean that the image is right.")]
    invented = sum(finding["kind"] == HALLUCINATION for finding in findings)
    counts = []
    if invented:
        counts.append(_("{number} that may be invented").format(number=invented))
    if vanished := len(findings) - invented:
        counts.append(_("{number} that may have vanished").format(number=vanished))
    return [_("Structures to look at first: {counts}.").format(counts=", ".join(counts))]
