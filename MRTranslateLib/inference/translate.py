"""The main job: source contrasts in, the missing contrast on the same grid out.

Data flows one way: read -> lay out (register, find the brain, sample once, normalise) -> translate slices -> explain ->
back to the first source's grid -> write.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from MRTranslateLib import provenance
from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.inference.device import Precision
from MRTranslateLib.inference.explain import Explained, explain
from MRTranslateLib.inference.lay_out import Laid, lay_out
from MRTranslateLib.inference.network import run_network
from MRTranslateLib.inference.outputs import Outputs, write_together
from MRTranslateLib.inference.read import Inputs, read_inputs
from MRTranslateLib.inference.report import report_images, report_text
from MRTranslateLib.inference.request import Registration, Request
from MRTranslateLib.inference.result import TranslationResult, make_result
from MRTranslateLib.inference.sources import Image, by_contrast
from MRTranslateLib.inference.stages import Stages
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.progress import Progress, ProgressCallback


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
    stages = Stages(progress if isinstance(progress, Progress) else Progress(progress), bool(uncertainty))
    wanted, given = parse_contrast(str(target)), by_contrast(sources)
    outputs = Outputs.of(output=output, attention=attention, uncertainty=uncertainty, report=report)
    request = Request(
        sources=given,
        target=wanted,
        outputs=outputs,
        brain_mask=brain_mask,
        lesion_mask=lesion_mask,
        low_resolution=low_resolution,
        attention=bool(attention),
        uncertainty=bool(uncertainty),
        checks=checks or outputs.report is not None,
        model=model,
        registration=registration,
        bias_correction=bias_correction,
        device=device,
        precision=precision,
        threads=threads,
        overwrite=overwrite,
    )
    request.check()
    with stages.stage("read"):
        inputs = read_inputs(request, store)
    with stages.stage("prepare") as stage:
        laid = lay_out(request, inputs, stage)
    with stages.stage("translate") as stage:
        translated = run_network(request, inputs.bundle, laid, stage)
    explained = explain(request, inputs, laid, translated, stages)
    with stages.stage("write") as stage:
        result = make_result(request, inputs, laid, translated, explained, stages.seconds)
        _write(request, inputs, laid, explained, result, stage)
    return result


def _write(
    request: Request, inputs: Inputs, laid: Laid, explained: Explained, result: TranslationResult, progress: Progress
) -> None:
    """All files of a run, together or not at all."""
    outputs, label = request.outputs, provenance.label(request.target)
    files = {} if outputs.result is None else {outputs.result: (result.volume, label)}
    if result.attention is not None and outputs.attention is not None:
        files[outputs.attention] = result.attention, f"attention map of {label}"
    if result.uncertainty is not None and outputs.uncertainty is not None:
        files[outputs.uncertainty] = result.uncertainty, f"uncertainty map of {label}"
    texts = {}
    if outputs.report is not None:
        progress.step("report", 0.1)
        images = report_images(
            laid.prepared,
            inputs.first,
            result.volume,
            attention=result.attention,
            half_width=result.uncertainty,
            lesion=None if laid.lesion is None else laid.lesion.labels,
            acquired=explained.acquired,
        )
        drawn_in = None if laid.lesion is None else laid.lesion.record
        card = inputs.bundle.card
        texts[outputs.report] = report_text(outputs.report, result.provenance, card, images, lesion_mask=drawn_in)
    progress.step("write", 0.5)
    write_together(files, texts, result.provenance, overwrite=request.overwrite)
