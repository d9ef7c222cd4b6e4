"""What a translation gives back: the volume on the first source's grid, its maps, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib import provenance
from MRTranslateLib.attention.attention_map import AttentionMap
from MRTranslateLib.attention.report import HardRegion
from MRTranslateLib.inference.explain import Explained
from MRTranslateLib.inference.lay_out import Laid
from MRTranslateLib.inference.network import Translated
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.read import Inputs
from MRTranslateLib.inference.request import Request
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS
from MRTranslateLib.provenance import AttentionRecord, FileRecord, OutputRecord, Provenance, UncertaintyRecord
from MRTranslateLib.uncertainty.uncertainty_map import UncertaintyMap
from MRTranslateLib.volume import Volume, from_canonical


@dataclass(frozen=True, eq=False)
class TranslationResult:
    """A synthetic contrast.

    Attributes:
        volume: int16 on the first source's grid; 1000 is the 99.5th percentile of the target contrast's brain, 0 is
            background and everything outside the brain mask.
        brain_mask: bool, same grid.
        warnings: What to know before trusting it, a sentence each.
        provenance: How to make it again.
        path: Where it was written, None if only in memory; the sidecar lies beside it.
        attention: float32 on the same grid, 0..1, 0 outside the brain, high where the translation is hard to believe;
            ``provenance.attention`` says what a value means and measures the regions. None if not asked for.
        uncertainty: int16 on the same grid and in the same units as ``volume``, half the width of the 90 % interval
            around it, 0 outside the brain; ``provenance.uncertainty`` says what that is worth. None if not asked for.
    """

    volume: Volume
    brain_mask: Volume
    warnings: tuple[str, ...]
    provenance: Provenance
    path: Path | None
    attention: Volume | None = None
    uncertainty: Volume | None = None

    @property
    def hard_regions(self) -> tuple[HardRegion, ...]:
        """Where the attention map is highest, the largest first; empty without a map."""
        record = self.provenance.attention
        return () if record is None else record.report.hard_regions


def make_result(
    request: Request,
    inputs: Inputs,
    laid: Laid,
    translated: Translated,
    explained: Explained,
    seconds: dict[str, float],
) -> TranslationResult:
    """Bring everything back to the first source's own axes; ``seconds`` are those of the stages."""
    first, outputs = inputs.first, request.outputs
    volume = _on_output_grid(translated.slices, laid.prepared, first)
    warnings = (*laid.warnings, *explained.warnings)
    attention, uncertainty = explained.attention, explained.uncertainty
    lesion = None if laid.lesion is None else laid.lesion.record
    unit = f"{SYNTHETIC_UNITS:g} is the 99.5th percentile of the brain in {request.target}; 0 is background"
    record = Provenance(
        schema_version=provenance.SCHEMA_VERSION,
        notice=provenance.NOTICE,
        program=provenance.program_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=request.target,
        model=provenance.ModelRecord.of(inputs.bundle, request.sources, request.target, asked_for=request.model),
        sources=laid.prepared.source_records,
        brain_mask=laid.prepared.brain_record,
        parameters=request.parameters,
        device=translated.device,
        libraries=provenance.library_versions(),
        platform=provenance.platform_description(),
        seed=0,
        seconds=seconds,
        warnings=warnings,
        fallbacks=(*translated.fallbacks, *explained.fallbacks),
        output=_output_record(volume, outputs.result, unit),
        attention=_attention_record(attention, inputs.bundle, lesion, outputs.attention),
        low_resolution=None if laid.low is None else laid.low.record(inputs.bundle),
        uncertainty=_uncertainty_record(uncertainty, lesion, outputs.uncertainty),
        checks=explained.checks,
        level=translated.level,
    )
    return TranslationResult(
        volume,
        Volume(from_canonical(laid.prepared.brain.volume.array, first), first.affine),
        warnings,
        record,
        outputs.result,
        None if attention is None else attention.volume,
        None if uncertainty is None else uncertainty.volume,
    )


def _on_output_grid(slices: NDArray[np.float32], prepared: Prepared, first: Volume) -> Volume:
    """Slices of the brain box on the first source's own axes, in the units of DESIGN section 3."""
    values = values_on_output_grid(slices, prepared, first)
    return values.with_array(np.round(values.array * SYNTHETIC_UNITS).astype(np.int16))


def _attention_record(
    made: AttentionMap | None, bundle: Bundle, lesion: FileRecord | None, path: Path | None
) -> AttentionRecord | None:
    if made is None:
        return None
    return AttentionRecord(
        weights_sha256=bundle.component_sha256("local_discriminator"),
        lesion_mask=lesion,
        output=_output_record(made.volume, path, made.report.statement),
        report=made.report,
    )


def _uncertainty_record(
    made: UncertaintyMap | None, lesion: FileRecord | None, path: Path | None
) -> UncertaintyRecord | None:
    if made is None:
        return None
    return UncertaintyRecord(
        lesion_mask=lesion,
        output=_output_record(made.volume, path, made.report.statement),
        report=made.report,
    )


def _output_record(volume: Volume, path: Path | None, unit: str) -> OutputRecord:
    return OutputRecord(
        path=None if path is None else str(path.absolute()),
        sha256=provenance.content_sha256(volume.array, volume.affine),
        shape=volume.shape,
        spacing_mm=volume.spacing_mm,
        unit=unit,
    )
