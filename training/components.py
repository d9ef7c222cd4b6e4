"""Every component of the three systems: where it comes from, when it is trained, whether it ships (METHODS 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from MRTranslateLib.networks.generator import architectures
from training.config import (
    AttentionStageConfig,
    GeneratorStageConfig,
    RefineStageConfig,
    StageConfig,
    TrainingConfig,
    VolumeRefineStageConfig,
)


@dataclass(frozen=True)
class Component:
    """One row of ``python -m training list``.

    Attributes:
        name: As in configurations.
        system: A, B or C; "any" for what serves all.
        trained_in: Kind of stage, and its switch.
        at_inference: Whether and when it is used on a patient's images.
        what: In a few words.
    """

    name: str
    system: str
    trained_in: str
    at_inference: str
    what: str


COMPONENTS = (
    Component("generator", "any", "generator", "always", f"one of {', '.join(architectures())}"),
    Component("label_correction", "C", "generator: label_correction", "no", "moves targets into the sources' frame"),
    Component(
        "patch_discriminator", "C", "generator: label_correction.adversarial", "no", "tells moved targets from unmoved"
    ),
    Component(
        "local_discriminator",
        "B",
        "generator: adversarial; attention",
        "attention map",
        "dense judgement of each place",
    ),
    Component("global_discriminator", "B", "generator: adversarial", "no", "one judgement of the slice"),
    Component("difficulty attention", "B", "generator: adversarial.attention", "attention map", "(1 - M)^2"),
    Component(
        "attacker worst_of_k", "A", "generator, refine: attack", "no", "worst of K physical perturbations, bandit"
    ),
    Component(
        "attacker score_search", "A", "generator, refine: attack", "robustness run", "NES or SPSA on a cosine field"
    ),
    Component(
        "attacker perturbation_generator", "A", "generator, refine: attack", "no", "against a substitute network"
    ),
    Component("teacher", "A", "refine", "no", "refines while it sees the target"),
    Component("student", "A", "refine", "always, where shipped", "refines behind the generator"),
    Component(
        "super_resolution", "C", "super_resolution", "with a low-resolution target", "ratios 2, 4, 8 and thick slices"
    ),
    Component("difference_projection", "C", "super_resolution", "no", "discriminator that knows the difference"),
    Component("volume_refiner", "any", "volume_refine", "no", "mends in 3-D what jumps from slice to slice"),
)


def component_table() -> str:
    """The components as text, one a line."""
    rows = [("component", "system", "trained in stage", "used at inference", "what it is")]
    rows += [(each.name, each.system, each.trained_in, each.at_inference, each.what) for each in COMPONENTS]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(lines)


def describe(config: TrainingConfig, networks: nn.ModuleDict) -> str:
    """What a run of this configuration would train: its networks with their size, stages with their switches."""
    lines = [f"{config.name}: {config.num_steps} steps, seed {config.seed}, {config.precision}"]
    for name, network in networks.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        lines.append(f"  network {name}: {count / 1e6:.2f} M parameters")
    for stage in config.stages:
        switches = ", ".join(_switches(stage)) or "supervised alone"
        optimizer = stage.optimizer
        lines.append(
            f"  stage {stage.name}: {optimizer.num_steps} steps of {optimizer.batch_size} slices, learning rate up to "
            f"{optimizer.peak_learning_rate:g}; {switches}"
        )
    return "\n".join(lines)


def _switches(stage: StageConfig) -> list[str]:
    if isinstance(stage, GeneratorStageConfig):
        names = ("label_correction", "adversarial", "attack")
        found = [name for name in names if getattr(stage, name) is not None]
        if stage.label_correction is not None and stage.label_correction.adversarial > 0:
            found.append("patch_discriminator")
        if stage.adversarial is not None:
            found.append(f"attention by {stage.adversarial.attention.form}")
        if stage.attack is not None:
            found.append(stage.attack.attacker)
        if stage.gauge is not None:
            found.append(f"gauge by {stage.gauge.form}")
        return found
    if isinstance(stage, RefineStageConfig):
        found = ["teacher frozen" if stage.teacher_frozen else f"teacher {stage.teacher}"]
        found += ["corrected target"] if stage.corrected_target else []
        return [*found, *([stage.attack.attacker] if stage.attack is not None else [])]
    if isinstance(stage, AttentionStageConfig):
        return ["local_discriminator alone"]
    if isinstance(stage, VolumeRefineStageConfig):
        return [f"blocks of {stage.num_slices} slices"]
    ratios = ", ".join(map(str, stage.ratios))
    thick = ", ".join(f"{size:g}" for size in stage.slice_thickness_mm)
    return [f"ratios {ratios or 'none'}", f"thick slices of {thick or 'no'} mm"]
