"""The main job: source contrasts in, the missing contrast on the same grid out.

Data flows one way: read -> check -> register -> find the brain -> sample once on the working grid -> normalise ->
translate slices -> back to the first source's grid -> write.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib import provenance
from MRTranslateLib.attention.attention_map import AttentionMap
from MRTranslateLib.attention.report import HardRegion
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference.attention import LesionMask, attention_of, lesion_on_output_grid
from MRTranslateLib.inference.checks import findings_of
from MRTranslateLib.inference.device import Execution, Precision, choose_execution
from MRTranslateLib.inference.low_resolution import ROLE as LOW_RESOLUTION
from MRTranslateLib.inference.low_resolution import (
    AcquiredSlices,
    LowResolution,
    check_not_a_source,
    prepare_low_resolution,
)
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.outputs import Outputs, write_together
from MRTranslateLib.inference.prepare import Prepared, prepare
from MRTranslateLib.inference.report import report_images, report_text
from MRTranslateLib.inference.sources import Image, by_contrast, load_image
from MRTranslateLib.inference.uncertainty import acquired_calibration, not_calibrated, uncertainty_of
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.plausibility.report import ChecksRecord
from MRTranslateLib.preprocessing.guard import check_distinct, check_request
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS
from MRTranslateLib.progress import Progress, ProgressCallback
from MRTranslateLib.provenance import (
    AttentionRecord,
    LevelRecord,
    LowResolutionRecord,
    OutputRecord,
    Parameters,
    Provenance,
    UncertaintyRecord,
)
from MRTranslateLib.uncertainty.uncertainty_map import UncertaintyMap
from MRTranslateLib.volume import Volume, from_canonical

Registration = Literal["auto", "always", "never"]
SHARES = {
    "read": (0.0, 0.05),
    "prepare": (0.05, 0.45),
    "translate": (0.45, 0.92),
    "attention": (0.92, 0.94),
    "checks": (0.94, 0.95),
    "write": (0.95, 1.0),
}
"""Where each stage begins and ends in the progress of the whole run."""
BEFORE_UNCERTAINTY, BEFORE_WRITING = 0.2, 0.95
"""A run that is asked for an uncertainty map has come this far before and after its six or more further translations;
what comes before the first takes as much less of the progress."""


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


@dataclass
class _Run:
    """Progress and times of one translation."""

    progress: Progress
    with_uncertainty: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Time a stage and map its own progress 0..1 into that of the whole run."""
        begin, end = self._share(name)
        stage = self.progress.part(begin, end)
        stage.step(name, 0.0)
        started = time.perf_counter()
        yield stage
        self.seconds[name] = round(time.perf_counter() - started, 3)
        if self.progress.callback is not None:  # not a step: once the result is written it is too late to cancel
            self.progress.callback(name, end)

    def _share(self, name: str) -> tuple[float, float]:
        if name == "uncertainty":
            return BEFORE_UNCERTAINTY, BEFORE_WRITING
        begin, end = SHARES[name]
        if not self.with_uncertainty or begin >= BEFORE_WRITING:
            return begin, end
        return begin * BEFORE_UNCERTAINTY / BEFORE_WRITING, end * BEFORE_UNCERTAINTY / BEFORE_WRITING


def translate(
    sources: Mapping[Contrast, Image] | Mapping[str, Image],
    target: Contrast | str,
    *,
    output: str | PathLike[str] | None = None,
    brain_mask: Image | None = None,
    attention: bool | str | PathLike[str] = False,
    lesion_mask: Image | None = None,
    uncertainty: bool | str | PathLike[str] = False,
    low_resolution: Image | None = None,
    checks: bool = False,
    report: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    threads: int | None = None,
    registration: Registration = "auto",
    bias_correction: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | Progress | None = None,
    store: ModelStore | None = None,
) -> TranslationResult:
    """Translate acquired contrasts to a missing one.

    Args:
        sources: One image per acquired contrast, at least one; the first one's grid is the result's.
        target: The contrast to make; not among the sources.
        output: File to write (``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``), with a sidecar ``.json`` beside it; None
            keeps the result in memory.
        brain_mask: Nonzero is brain; None takes the zero background of a stripped source or extracts the brain.
        attention: Make an attention map too; a path also writes it, with the same sidecar beside it.
        lesion_mask: Integer labels, 0 is no lesion, on any grid in the first source's space: the regions in which the
            attention map or the uncertainty map is measured. Without it they are octants of the brain.
        uncertainty: Make an uncertainty map too: half the width of the interval that holds 90 % of the errors; takes
            six further translations, and one per source where several are given. A path also writes it, with the same
            sidecar beside it. Not calibrated, and said so, where the model's card has no calibration for the target;
            refused where it has none for the low-resolution target that is given.
        low_resolution: The target as it was acquired at low resolution (thick slices, large pixels), on any grid in the
            first source's space: the result then shows what it shows, at the first source's resolution. Registered
            unless ``registration`` is ``never``.
        checks: Look for structures of the result that no source shows and for structures of a source that it does not
            show; ``provenance.checks`` lists them. A low-resolution target counts as a source.
        report: File to write a report to: a self-contained page (``.html``) or the same as ``.json``. It says what may
            be believed and where not, by the checks, which it always runs, by the maps that were asked for, and by the
            model's card; a lesion mask divides its regions.
        model: Name of an installed model or folder of a bundle; None for the shipped one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, or ``bf16`` by autocast: faster where the processor has it, differs by about 1 %.
        threads: CPU threads of the network; None for physical cores minus one.
        registration: Rigid registration of the sources onto the first: ``auto`` for those on another grid.
        bias_correction: Run N4 on each source first.
        overwrite: Replace an existing output.
        progress: Told of stages and fractions; a :class:`Progress` can also cancel.
        store: Where to look for models; None for the usual folders.

    Returns:
        The result; the same input on the same device and number of threads gives the same bits.

    Raises:
        UsageError: If the request makes no sense, an output exists, or would take the place of what the run reads.
        InputError: If an image cannot be read or is unsuitable.
        ModelError: If the model is missing, damaged, or does not offer the route, the attention map or the use of a
            low-resolution target, or an uncertainty map with it.
        CancelledError: If the caller stopped the run; nothing is written then.
    """
    run = _Run(progress if isinstance(progress, Progress) else Progress(progress), bool(uncertainty))
    wanted, given = parse_contrast(str(target)), by_contrast(sources)
    check_request(given, wanted, registration)
    if lesion_mask is not None and not attention and not uncertainty and report is None:
        raise UsageError("a lesion mask says in which regions to measure the attention map: ask for the map too")
    outputs = Outputs.of(output=output, attention=attention, uncertainty=uncertainty, report=report)
    inputs = {contrast.value: image for contrast, image in given.items()}
    masks = {"brain mask": brain_mask, "lesion mask": lesion_mask, LOW_RESOLUTION: low_resolution}
    outputs.check({**inputs, **masks}, model, overwrite=overwrite)
    execution = choose_execution(device, precision, threads)
    with run.stage("read"):
        images = {contrast: load_image(image, contrast.value) for contrast, image in given.items()}
        mask = None if brain_mask is None else load_image(brain_mask, "brain mask", labels=True)
        check_distinct({contrast: image.record.sha256 for contrast, image in images.items()})
        bundle = (store or ModelStore()).find(model)
        bundle.card.require_route(images, wanted)
        if attention:
            bundle.card.require_attention()
        acquired = None if low_resolution is None else load_image(low_resolution, LOW_RESOLUTION)
        if acquired is not None:
            bundle.card.require_super_resolution()
            if uncertainty:
                bundle.card.require_low_resolution_uncertainty(wanted)
            check_not_a_source(acquired, images)
        drawn = None if lesion_mask is None else load_image(lesion_mask, "lesion mask", labels=True)
        first = next(iter(images.values())).volume
    with run.stage("prepare") as stage:
        prepared = prepare(
            images,
            mask,
            preprocessing=bundle.card.preprocessing,
            registration=registration,
            bias_correction=bias_correction,
            progress=stage,
        )
        low = None
        if acquired is not None:
            low = prepare_low_resolution(
                acquired,
                next(iter(images.values())),
                prepared,
                component=bundle.card.require_super_resolution(),
                target=wanted,
                registration=registration,
                progress=stage,
            )
            if uncertainty:
                acquired_calibration(bundle.card, wanted, low, prepared)  # refused before the work
        lesion = None if drawn is None else lesion_on_output_grid(drawn, first, prepared)
        warnings = (*prepared.warnings, *(() if low is None else low.warnings))
        warnings = (*warnings, *(() if lesion is None else lesion.warnings))
    with run.stage("translate") as stage:
        values, device_used, fallbacks, level = _run_network(bundle, prepared, wanted, low, execution, stage)
    made: AttentionMap | None = None
    if attention:
        with run.stage("attention") as stage:
            made, given_up = attention_of(
                values,
                bundle=bundle,
                prepared=prepared,
                target=wanted,
                first=first,
                lesion=lesion,
                execution=execution,
                progress=stage,
            )
            fallbacks = (*fallbacks, *given_up)
    checked: ChecksRecord | None = None
    seen: AcquiredSlices | None = None
    if checks or outputs.report is not None:
        with run.stage("checks"):
            seen = None if low is None else _acquired(low, prepared)
            checked = findings_of(values, prepared=prepared, target=wanted, acquired=seen)
    doubt: UncertaintyMap | None = None
    if uncertainty:
        with run.stage("uncertainty") as stage:
            doubt, given_up = uncertainty_of(
                values,
                bundle=bundle,
                prepared=prepared,
                target=wanted,
                first=first,
                lesion=lesion,
                execution=execution,
                progress=stage,
                low=low,
            )
            fallbacks = (*fallbacks, *given_up)
            if not doubt.report.calibrated:
                warnings = (*warnings, not_calibrated(bundle.card.name, wanted))
    with run.stage("write") as stage:
        volume = _on_output_grid(values, prepared, first)
        brain = Volume(from_canonical(prepared.brain.volume.array, first), first.affine)
        record = _provenance(
            target=wanted,
            bundle=bundle,
            model=model,
            prepared=prepared,
            parameters=Parameters(
                registration=registration,
                bias_correction=bias_correction,
                device=device,
                precision=precision,
                threads=execution.threads,
            ),
            device=device_used,
            fallbacks=fallbacks,
            warnings=warnings,
            volume=volume,
            path=outputs.result,
            seconds=run.seconds,
            attention=None if made is None else _attention_record(made, bundle, lesion, outputs.attention),
            uncertainty=None if doubt is None else _uncertainty_record(doubt, lesion, outputs.uncertainty),
            low_resolution=None if low is None else low.record(bundle),
            checks=checked,
            level=level,
        )
        label = provenance.label(wanted)
        files = {} if outputs.result is None else {outputs.result: (volume, label)}
        if made is not None and outputs.attention is not None:
            files[outputs.attention] = made.volume, f"attention map of {label}"
        if doubt is not None and outputs.uncertainty is not None:
            files[outputs.uncertainty] = doubt.volume, f"uncertainty map of {label}"
        texts = {}
        if outputs.report is not None:
            stage.step("report", 0.1)
            shown = report_images(
                prepared,
                first,
                volume,
                attention=None if made is None else made.volume,
                half_width=None if doubt is None else doubt.volume,
                lesion=None if lesion is None else lesion.labels,
                acquired=seen,
            )
            drawn_in = None if lesion is None else lesion.record
            texts[outputs.report] = report_text(outputs.report, record, bundle.card, shown, lesion_mask=drawn_in)
        stage.step("write", 0.5)
        write_together(files, texts, record, overwrite=overwrite)
    return TranslationResult(
        volume,
        brain,
        warnings,
        record,
        outputs.result,
        None if made is None else made.volume,
        None if doubt is None else doubt.volume,
    )


def _run_network(
    bundle: Bundle,
    prepared: Prepared,
    target: Contrast,
    low: LowResolution | None,
    execution: Execution,
    progress: Progress,
) -> tuple[NDArray[np.float32], str, tuple[str, ...], LevelRecord | None]:
    """The translated slices ``(S, H, W)`` of the brain box, the device's name, fallbacks, what changed the level."""
    # torch is imported here and not above: import MRTranslateLib must not bring it.
    from MRTranslateLib.inference.load import device_name, load_generator, load_super_resolver
    from MRTranslateLib.inference.slices import SliceJob, translate_slices
    from MRTranslateLib.inference.super_resolution import super_resolve

    generator = load_generator(bundle)
    if low is not None:
        resolver, component = load_super_resolver(bundle), bundle.card.require_super_resolution()
        result = super_resolve(generator, resolver, component, prepared, low, execution, progress)
    else:
        result = translate_slices(generator, SliceJob.of(prepared, target), execution, progress)
    level = None
    if result.curve is not None:
        curve = result.curve
        level = LevelRecord(source=curve.source, median=round(curve.median, 4), level=round(curve.level, 4))
    return result.slices, device_name(result.device), result.fallbacks, level


def _acquired(low: LowResolution, prepared: Prepared) -> AcquiredSlices:
    from MRTranslateLib.inference.super_resolution import acquired_slices  # brings torch

    return acquired_slices(low, prepared)


def _on_output_grid(slices: NDArray[np.float32], prepared: Prepared, first: Volume) -> Volume:
    """Slices of the brain box back onto the first source's own axes, in the units of DESIGN section 3."""
    values = values_on_output_grid(slices, prepared, first)
    return values.with_array(np.round(values.array * SYNTHETIC_UNITS).astype(np.int16))


def _provenance(
    *,
    target: Contrast,
    bundle: Bundle,
    model: str | PathLike[str] | None,
    prepared: Prepared,
    parameters: Parameters,
    device: str,
    fallbacks: tuple[str, ...],
    warnings: tuple[str, ...],
    volume: Volume,
    path: Path | None,
    seconds: dict[str, float],
    attention: AttentionRecord | None,
    uncertainty: UncertaintyRecord | None,
    low_resolution: LowResolutionRecord | None,
    checks: ChecksRecord | None,
    level: LevelRecord | None,
) -> Provenance:
    return Provenance(
        schema_version=provenance.SCHEMA_VERSION,
        notice=provenance.NOTICE,
        program=provenance.program_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        model=provenance.ModelRecord.of(bundle, prepared.slices, target, asked_for=model),
        sources=prepared.source_records,
        brain_mask=prepared.brain_record,
        parameters=parameters,
        device=device,
        libraries=provenance.library_versions(),
        platform=provenance.platform_description(),
        seed=0,
        seconds=seconds,
        warnings=warnings,
        fallbacks=fallbacks,
        output=_output_record(
            volume, path, f"{SYNTHETIC_UNITS:g} is the 99.5th percentile of the brain in {target}; 0 is background"
        ),
        attention=attention,
        uncertainty=uncertainty,
        low_resolution=low_resolution,
        checks=checks,
        level=level,
    )


def _attention_record(
    made: AttentionMap, bundle: Bundle, lesion: LesionMask | None, path: Path | None
) -> AttentionRecord:
    return AttentionRecord(
        weights_sha256=bundle.component_sha256("local_discriminator"),
        lesion_mask=None if lesion is None else lesion.record,
        output=_output_record(made.volume, path, made.report.statement),
        report=made.report,
    )


def _uncertainty_record(made: UncertaintyMap, lesion: LesionMask | None, path: Path | None) -> UncertaintyRecord:
    return UncertaintyRecord(
        lesion_mask=None if lesion is None else lesion.record,
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
