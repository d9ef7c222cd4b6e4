"""All that a card says a bundle is worth beside the quality of its routes, measured at once on the val split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.components import SuperResolutionQuality
from MRTranslateLib.models.limits import RobustnessLimit
from training.calibration import AttentionEvidence, judge_attention
from training.data.cache import CachedScan
from training.evaluation import Route
from training.limits import derive_limits
from training.low_resolution_uncertainty import judge_every_uncertainty
from training.super_resolution_quality import judge_super_resolution
from training.uncertainty_calibration import UncertaintyEvidence


@dataclass(frozen=True)
class Measures:
    """What was measured of a bundle.

    Attributes:
        attention: None for one without a local discriminator.
        uncertainty: Of its intervals.
        limits: Of robustness.
        super_resolution: Empty for one without the branch.
    """

    attention: AttentionEvidence | None
    uncertainty: UncertaintyEvidence
    limits: tuple[RobustnessLimit, ...]
    super_resolution: tuple[SuperResolutionQuality, ...]

    def on_card(self, bundle: Bundle) -> dict[str, Any]:
        """The fields of the bundle's card that hold them; how they were measured must stand there already."""
        components = bundle.card.components
        fields: dict[str, Any] = {
            "robustness_limits": self.limits,
            "uncertainty_calibrations": self.uncertainty.calibrations,
            "uncertainty_quality": self.uncertainty.quality,
            "low_resolution_uncertainty": self.uncertainty.low_resolution,
            "super_resolution_quality": self.super_resolution,
        }
        if self.attention is not None and components.local_discriminator is not None:
            judge = msgspec.structs.replace(components.local_discriminator, calibration=self.attention.calibration)
            fields["components"] = msgspec.structs.replace(components, local_discriminator=judge)
            fields["attention_quality"] = self.attention.quality
        return fields


def measure(bundle: Bundle, val: Sequence[CachedScan], routes: Sequence[Route], *, threads: int) -> Measures:
    """Measure a bundle on the people of the val split; super-resolution on routes of its own."""
    components, attention = bundle.card.components, None
    if components.local_discriminator is not None:
        attention = judge_attention(bundle, val, routes, threads=threads)
    limits = derive_limits(bundle, val, routes, threads=threads)
    uncertainty = judge_every_uncertainty(bundle, val, routes, threads=threads)
    gains: tuple[SuperResolutionQuality, ...] = ()
    if components.super_resolution is not None:
        gains = judge_super_resolution(bundle, val, threads=threads)
    return Measures(attention, uncertainty, limits, gains)
