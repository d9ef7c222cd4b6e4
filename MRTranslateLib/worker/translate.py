"""Job ``translate``: the main job, from files to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from MRTranslateLib.progress import Progress


class TranslateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As :func:`MRTranslateLib.translate` takes them, with paths for images.

    Attributes:
        sources: File per contrast, in order: the first one's grid is the result's.
        target: Contrast to make.
        output: File to write, in the client's folder; ``.nii`` is not compressed and quickest.
        brain_mask: File, None to find the brain.
        attention: File to write the attention map to, None for none; refused by models that make none.
        lesion_mask: File of integer labels, for the regions of the attention and the uncertainty map.
        uncertainty: File to write the uncertainty map to, None for none; refused with a low-resolution target by models
            that were not calibrated for it.
        low_resolution: File of the target as it was acquired at low resolution, None for none; refused by models
            without a super-resolution branch.
        checks: Compare the result with its sources and the low-resolution target.
        report: File to write a report to, ``.html`` or ``.json``, None for none; includes the checks.
        model: Name or folder, None for the shipped one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: Of the network.
        threads: CPU threads, None for physical cores minus one.
        registration: Which sources to register onto the first.
        bias_correction: Run N4 first.
        overwrite: Whether files of these names may be replaced.
    """

    sources: dict[str, str]
    target: str
    output: str
    brain_mask: str | None = None
    attention: str | None = None
    lesion_mask: str | None = None
    uncertainty: str | None = None
    low_resolution: str | None = None
    checks: bool = False
    report: str | None = None
    model: str | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    registration: Literal["auto", "always", "never"] = "auto"
    bias_correction: bool = False
    overwrite: bool = False


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        output: The synthetic volume.
        sidecar: Its provenance, a JSON file, with the regions and hardest spots of the attention map.
        attention: The attention map, None where none was asked for.
        uncertainty: The uncertainty map, likewise.
        report: The report, likewise.
        warnings: What to know before trusting it, a sentence each.
        fallbacks: What could not be done as asked, in words.
        seconds: The library's own time per stage.
    """

    output: str
    sidecar: str
    attention: str | None
    uncertainty: str | None
    report: str | None
    warnings: tuple[str, ...]
    fallbacks: tuple[str, ...]
    seconds: dict[str, float]


def run_translate(parameters: TranslateParameters, progress: Progress) -> Translation:
    """Translate.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.inference.translate.translate`.
    """
    # SimpleITK and torch come with the first job that needs them: the worker answers before.
    from MRTranslateLib.inference.translate import translate
    from MRTranslateLib.provenance import sidecar_path

    output = Path(parameters.output)
    result = translate(
        parameters.sources,
        parameters.target,
        output=output,
        brain_mask=parameters.brain_mask,
        attention=False if parameters.attention is None else parameters.attention,
        lesion_mask=parameters.lesion_mask,
        uncertainty=False if parameters.uncertainty is None else parameters.uncertainty,
        low_resolution=parameters.low_resolution,
        checks=parameters.checks,
        report=parameters.report,
        model=parameters.model,
        device=parameters.device,
        precision=parameters.precision,
        threads=parameters.threads,
        registration=parameters.registration,
        bias_correction=parameters.bias_correction,
        overwrite=parameters.overwrite,
        progress=progress,
    )
    return Translation(
        output=str(output),
        sidecar=str(sidecar_path(output)),
        attention=parameters.attention,
        uncertainty=parameters.uncertainty,
        report=parameters.report,
        warnings=result.warnings,
        fallbacks=result.provenance.fallbacks,
        seconds=result.provenance.seconds,
    )
