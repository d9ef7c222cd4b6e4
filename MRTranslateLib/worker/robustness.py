"""Job ``robustness``: how a translation changes when its sources are worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from MRTranslateLib.progress import Progress
from MRTranslateLib.robustness.catalogue import DEFAULT_PERTURBATIONS, LEVELS
from MRTranslateLib.robustness.plan import DEFAULT_SEED, RobustnessPlan, Track


class RobustnessParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As :func:`MRTranslateLib.robustness.run.robustness_run` takes them, with paths for images.

    Attributes:
        sources: File per contrast, in order.
        target: Contrast to make.
        output: Folder of the run; continued where it holds cells of the same case.
        perturbations: Keys of the bank.
        levels: 1..5, ascending.
        tracks: Scales of intensities.
        seed: Of all chance.
        reference: The real target contrast, if known.
        lesion_mask: Labels, if known.
        brain_mask: File, None to find the brain.
        adversarial: Also search for a worst case.
        keep_volumes: Write each cell's synthetic volume, for a sequence browser.
        model: Name or folder, None for the shipped one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: Of the network.
        threads: CPU threads, None for physical cores minus one.
        registration: Which sources to register onto the first.
        bias_correction: Run N4 first.
        overwrite: Forget a run of another case in that folder.
    """

    sources: dict[str, str]
    target: str
    output: str
    perturbations: tuple[str, ...] = DEFAULT_PERTURBATIONS
    levels: tuple[int, ...] = LEVELS
    tracks: tuple[Track, ...] = ("clean",)
    seed: Annotated[int, msgspec.Meta(ge=0)] = DEFAULT_SEED
    reference: str | None = None
    lesion_mask: str | None = None
    brain_mask: str | None = None
    adversarial: bool = False
    keep_volumes: bool = False
    model: str | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    registration: Literal["auto", "always", "never"] = "auto"
    bias_correction: bool = False
    overwrite: bool = False


class RobustnessOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        json: The report for programs.
        html: The report for people.
        within_limits: The verdict; None where the model states no limits.
        verdict: The same in sentences.
        volumes: Synthetic volume per cell, by its name; empty unless they were to be kept.
        num_resumed: Cells that an earlier run had finished.
    """

    json: str
    html: str
    within_limits: bool | None
    verdict: tuple[str, ...]
    volumes: dict[str, str]
    num_resumed: int


def run_robustness(parameters: RobustnessParameters, progress: Progress) -> RobustnessOutcome:
    """Run and report.

    Raises:
        MRTranslateError: As :func:`MRTranslateLib.robustness.run.robustness_run`.
    """
    # torch comes with the first job that needs it: the worker answers before.
    from MRTranslateLib.robustness.adversarial import AdversarialSettings
    from MRTranslateLib.robustness.cell import UNPERTURBED, cell_path
    from MRTranslateLib.robustness.run import robustness_run

    plan = RobustnessPlan(
        perturbations=parameters.perturbations,
        levels=parameters.levels,
        tracks=parameters.tracks,
        seed=parameters.seed,
    )
    result = robustness_run(
        parameters.sources,
        parameters.target,
        output=Path(parameters.output),
        plan=plan,
        reference=parameters.reference,
        lesion_mask=parameters.lesion_mask,
        brain_mask=parameters.brain_mask,
        adversarial=AdversarialSettings() if parameters.adversarial else None,
        keep_volumes=parameters.keep_volumes,
        model=parameters.model,
        device=parameters.device,
        precision=parameters.precision,
        threads=parameters.threads,
        registration=parameters.registration,
        bias_correction=parameters.bias_correction,
        overwrite=parameters.overwrite,
        progress=progress,
    )
    keys = (UNPERTURBED, *plan.cells()) if parameters.keep_volumes else ()
    return RobustnessOutcome(
        json=str(result.json_path),
        html=str(result.html_path),
        within_limits=result.report.verdict.within_limits,
        verdict=result.report.verdict.sentences,
        volumes={key.name: str(cell_path(result.folder, key, ".nii.gz")) for key in keys},
        num_resumed=result.num_resumed,
    )
