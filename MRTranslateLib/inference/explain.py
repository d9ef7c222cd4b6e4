"""Where a result may be believed: attention map, checks against the sources, uncertainty map, as far as asked for."""

from __future__ import annotations

from dataclasses import dataclass

from MRTranslateLib.attention.attention_map import AttentionMap
from MRTranslateLib.inference.attention import attention_of
from MRTranslateLib.inference.checks import findings_of
from MRTranslateLib.inference.lay_out import Laid
from MRTranslateLib.inference.low_resolution import AcquiredSlices, LowResolution
from MRTranslateLib.inference.network import Translated
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.read import Inputs
from MRTranslateLib.inference.request import Request
from MRTranslateLib.inference.stages import Stages
from MRTranslateLib.inference.uncertainty import not_calibrated, uncertainty_of
from MRTranslateLib.plausibility.report import ChecksRecord
from MRTranslateLib.uncertainty.uncertainty_map import UncertaintyMap


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """What was found.

    Attributes:
        attention: None unless asked for, and so the others.
        checks: What the sources do not explain.
        acquired: The acquired target where the network works, as the checks saw it.
        uncertainty: Half the width of the interval.
        fallbacks: What could not be done as asked, in words.
        warnings: What to know of the maps, a sentence each.
    """

    attention: AttentionMap | None
    checks: ChecksRecord | None
    acquired: AcquiredSlices | None
    uncertainty: UncertaintyMap | None
    fallbacks: tuple[str, ...]
    warnings: tuple[str, ...]


def explain(request: Request, inputs: Inputs, laid: Laid, translated: Translated, stages: Stages) -> Explained:
    """Make what was asked for, each in a stage of its own.

    Raises:
        ModelError: If the model's discriminator does not fit its card.
        CancelledError: If the caller asks to stop.
    """
    attention, checks, acquired, uncertainty = None, None, None, None
    fallbacks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if request.attention:
        with stages.stage("attention") as progress:
            attention, given_up = attention_of(
                translated.slices,
                bundle=inputs.bundle,
                prepared=laid.prepared,
                target=request.target,
                first=inputs.first,
                lesion=laid.lesion,
                execution=request.execution,
                progress=progress,
            )
        fallbacks += given_up
    if request.checks:
        with stages.stage("checks"):
            acquired = None if laid.low is None else _acquired(laid.low, laid.prepared)
            checks = findings_of(translated.slices, prepared=laid.prepared, target=request.target, acquired=acquired)
    if request.uncertainty:
        with stages.stage("uncertainty") as progress:
            uncertainty, given_up = uncertainty_of(
                translated.slices,
                bundle=inputs.bundle,
                prepared=laid.prepared,
                target=request.target,
                first=inputs.first,
                lesion=laid.lesion,
                execution=request.execution,
                progress=progress,
                low=laid.low,
            )
        fallbacks += given_up
        if not uncertainty.report.calibrated:
            warnings += (not_calibrated(inputs.bundle.card.name, request.target),)
    return Explained(
        attention=attention,
        checks=checks,
        acquired=acquired,
        uncertainty=uncertainty,
        fallbacks=fallbacks,
        warnings=warnings,
    )


def _acquired(low: LowResolution, prepared: Prepared) -> AcquiredSlices:
    from MRTranslateLib.inference.super_resolution import acquired_slices  # brings torch

    return acquired_slices(low, prepared)
