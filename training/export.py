"""A finished run as a bundle: averaged weights in fp16, and a card with what the library itself measured.

What ships follows from the stages that were run: the generator, refined by the student once that was trained, and the
local discriminator for the attention map once that was.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import Bundle, write_bundle
from MRTranslateLib.models.card import (
    SCHEMA_VERSION,
    ModelCard,
    Predecessor,
    Preprocessing,
    RouteQuality,
    System,
    TrainingData,
    ValueRanges,
)
from MRTranslateLib.models.components import (
    Components,
    LocalDiscriminatorCard,
    SpecialistCard,
    SuperResolutionCard,
    SuperResolutionQuality,
)
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.models.training_run import TrainingRun
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.networks.level_model import LevelModel
from MRTranslateLib.networks.levelled import LevelledParameters
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, bake_spectral_norm
from MRTranslateLib.networks.refined import RefinedGenerator, RefinedParameters
from MRTranslateLib.networks.super_resolution import SuperResolver
from MRTranslateLib.preprocessing.normalization import BRAIN_PERCENTILE, SYNTHETIC_UNITS
from MRTranslateLib.volume import Volume, from_slices, to_slices
from training.calibration import ATTENTION_COMMAND, ATTENTION_PROTOCOL, AttentionEvidence
from training.checkpoint import Checkpoint, load_weights
from training.config import (
    TRAINED_CONTRASTS,
    AttentionStageConfig,
    GeneratorStageConfig,
    RefineStageConfig,
    StageConfig,
    SuperResolutionStageConfig,
    TrainingConfig,
    needed_networks,
)
from training.data.cache import CachedScan
from training.engine import deliverable
from training.evaluation import Predict, Route, RouteScore
from training.networks.build import build_networks
from training.stages.super_resolution import THICK_SLICES_START
from training.super_resolution_quality import SUPER_RESOLUTION_COMMAND, SUPER_RESOLUTION_PROTOCOL
from training.uncertainty_calibration import UNCERTAINTY_COMMAND, UNCERTAINTY_PROTOCOL, UncertaintyEvidence

METRICS_PROTOCOL = (
    "People of the val split, native thick slices first registered and sampled on one 1 mm grid; whole volumes through "
    "the library's own pipeline; sources and reference divided by the 99.5th percentile of their brain and clipped to "
    "0..1; the prediction never fitted to the reference; PSNR with data range 1 over the voxels of the brain (any "
    "contrast above 1 % of its own range, holes filled; of native scans as the library extracts it) or of the drawn "
    "lesions; 3D Gaussian SSIM (sigma 1.5) averaged in the brain; mean over people. The baseline is a per-voxel "
    "gradient-boosted regression (intensity at three Gaussian scales, and height) trained on the same split, judged in "
    "the same way. Which weights ship, which routes a student or a specialist takes and when some runs stopped was "
    "chosen looking at these same people, so expect a little less on others."
)
LIMITS = (
    "Trained on 17 people with glioma or multiple sclerosis: expect less on other diseases, children and scanners.",
    "A lesion that no source shows cannot appear in the result, and a contrast-enhancing rim cannot be inferred: a "
    "synthetic T1wGd does not show whether a tumour enhances.",
    "How bright a FLAIR is as a whole differs between scanners; it is told from the T2w, a tenth off, and without T2w "
    "it is a guess.",
    "Small lesions, vessels and sulci come out smoother than they are.",
    "Only the brain is translated; skull, scalp and eyes are left out.",
    "PDw is not offered: nobody in the training data has it.",
)
TRAINING_DATA = (
    TrainingData(
        name="RSNA-ASNR-MICCAI-BraTS-2021 with TCGA-LGG and TCGA-GBM, The Cancer Imaging Archive",
        licence="CC BY 4.0 (BraTS-2021), CC BY 3.0 (TCGA-LGG, TCGA-GBM)",
        attribution="Baid et al. 2021; Menze et al., IEEE TMI 2015; Bakas et al., Scientific Data 2017",
        num_people=11,
    ),
    TrainingData(
        name="3D MR image database of multiple sclerosis patients, Laboratory of Imaging Technologies, Ljubljana",
        licence="CC BY",
        attribution="Lesjak et al., Neuroinformatics 2018",
        num_people=4,
    ),
    TrainingData(
        name="MSLesSeg, ICPR 2024 competition", licence="CC BY 4.0", attribution="Guarnera et al.", num_people=2
    ),
)


def all_routes() -> tuple[Route, ...]:
    """Every non-empty subset of the trained contrasts to every other one of them."""
    return tuple(
        (sources, target)
        for count in range(1, len(TRAINED_CONTRASTS))
        for sources in combinations(TRAINED_CONTRASTS, count)
        for target in TRAINED_CONTRASTS
        if target not in sources
    )


NETWORK_TITLES = {"unet25d": "2.5D U-Net"}
"""Architectures in words, for the card's title."""


def stages_run(checkpoint: Checkpoint) -> tuple[StageConfig, ...]:
    """The stages that have made at least one step."""
    left, run = checkpoint.step, []
    for stage in checkpoint.config.stages:
        if left > 0:
            run.append(stage)
        left -= stage.optimizer.num_steps
    return tuple(run)


def systems_trained(stages: Sequence[StageConfig]) -> tuple[System, ...]:
    """``supervised``, which every generator is, and the systems whose mechanisms these stages used."""
    systems: dict[System, bool] = {
        "supervised": True,
        "A": any(isinstance(stage, RefineStageConfig) or _attacked(stage) for stage in stages),
        "B": any(
            isinstance(stage, AttentionStageConfig)
            or (isinstance(stage, GeneratorStageConfig) and stage.adversarial is not None)
            for stage in stages
        ),
        "C": any(
            isinstance(stage, SuperResolutionStageConfig)
            or (isinstance(stage, GeneratorStageConfig) and stage.label_correction is not None)
            for stage in stages
        ),
    }
    return tuple(name for name, used in systems.items() if used)


def _attacked(stage: StageConfig) -> bool:
    return isinstance(stage, GeneratorStageConfig) and stage.attack is not None


def shipped_generator(checkpoint: Checkpoint, *, with_student: bool = True) -> Generator:
    """The averaged generator of a run, refined by the averaged student if that was trained and wanted; on the CPU."""
    networks = build_networks(checkpoint.config)
    averaged = nn.ModuleDict({name: networks[name] for name in checkpoint.averaged})
    load_weights(averaged, checkpoint.averaged, where=f"the checkpoint of {checkpoint.config.name}")
    refined = with_student and any(isinstance(stage, RefineStageConfig) for stage in stages_run(checkpoint))
    return deliverable(checkpoint.config, averaged, with_student=refined)


def shipped_local_discriminator(checkpoint: Checkpoint) -> LocalDiscriminator | None:
    """The local discriminator of a run with plain weights; None if no stage has trained one."""
    parameters = checkpoint.config.networks.local_discriminator
    trained = any("local_discriminator" in needed_networks(stage) for stage in stages_run(checkpoint))
    if parameters is None or not trained:
        return None
    discriminator = LocalDiscriminator(parameters)
    _load(discriminator, "local_discriminator", checkpoint, checkpoint.networks)
    return bake_spectral_norm(discriminator)


def shipped_super_resolver(checkpoint: Checkpoint) -> SuperResolver | None:
    """The averaged super-resolution branch of a run; None if no stage has trained one."""
    parameters = checkpoint.config.networks.super_resolution
    if parameters is None or not _super_resolution_stages(checkpoint):
        return None
    resolver = SuperResolver(parameters)
    _load(resolver, "super_resolution", checkpoint, checkpoint.averaged)
    return resolver


def _super_resolution_stages(checkpoint: Checkpoint) -> list[SuperResolutionStageConfig]:
    return [stage for stage in stages_run(checkpoint) if isinstance(stage, SuperResolutionStageConfig)]


def _load(network: nn.Module, name: str, checkpoint: Checkpoint, weights: Mapping[str, dict[str, Any]]) -> None:
    load_weights(nn.ModuleDict({name: network}), weights, where=f"the checkpoint of {checkpoint.config.name}")


def export_bundle(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    version: str,
    command: str,
    hardware: str,
    quality: Sequence[RouteQuality] = (),
    attention: AttentionEvidence | None = None,
    uncertainty: UncertaintyEvidence | None = None,
    limits: Sequence[RobustnessLimit] = (),
    super_resolution: Sequence[SuperResolutionQuality] = (),
    predecessor: Predecessor | None = None,
    refined_routes: Sequence[Route] | None = None,
    levels: Sequence[LevelModel] = (),
    replace: bool = False,
) -> Bundle:
    """Write what a run delivers as a bundle named like ``folder``; see :func:`write_bundle` for errors.

    Args:
        checkpoint: What is exported.
        folder: Of the bundle; its last part is the model's name.
        version: ``major.minor.patch``.
        command: That trained it.
        hardware: In words, that it was trained on.
        quality: Measured rows of the card.
        attention: Calibration and measured rows of the attention map; None leaves it uncalibrated.
        uncertainty: Calibrations and measured rows of the uncertainty map; None leaves it uncalibrated.
        limits: How far a perturbation may change a result, as :func:`training.limits.derive_limits` derives it.
        super_resolution: Measured rows of the super-resolution branch.
        predecessor: The model that this one replaces, and how good it was.
        refined_routes: Which routes the student refines, as :func:`routes_not_worse` finds them; None for all.
        levels: How bright targets are, as :func:`training.levels.fit_level` finds it.
        replace: Take the place of an existing bundle.
    """
    config = checkpoint.config
    if "axial" not in config.data.views:
        learned = ", ".join(config.data.views)
        raise UsageError(f"a bundle translates axial slices, this run learned {learned} ones alone")
    generator, discriminator = shipped_generator(checkpoint), shipped_local_discriminator(checkpoint)
    resolver = shipped_super_resolver(checkpoint)
    if attention is not None and discriminator is None:
        raise ValueError("attention was measured, but this run has trained no local discriminator")
    architecture = with_levels(_architecture(generator, config, refined_routes), levels)
    card = ModelCard(
        schema_version=SCHEMA_VERSION,
        name=folder.name,
        version=version,
        title=title_of(architecture),
        systems_trained=systems_trained(stages_run(checkpoint)),
        architecture=architecture,
        sources=TRAINED_CONTRASTS,
        targets=TRAINED_CONTRASTS,
        quality=tuple(quality),
        intended_use="Research on contrast translation of adult brain-MRI with glioma or multiple sclerosis.",
        not_for="Diagnosis, treatment planning, or any decision about a patient.",
        limits=LIMITS,
        preprocessing=Preprocessing(
            percentile=BRAIN_PERCENTILE,
            in_plane_spacing_mm=(0.85, 1.2),
            slice_spacing_mm=(0.85, 1.2),
            neighbour_spacing_mm=1.0,
        ),
        value_ranges=ValueRanges(network_input=(0.0, 1.0), network_output=(0.0, 1.0), written_unit=SYNTHETIC_UNITS),
        training_data=TRAINING_DATA,
        training_run=training_run_of(checkpoint, command=command, hardware=hardware),
        metrics_protocol=METRICS_PROTOCOL,
        metrics_command="python -m training evaluate --model NAME --data FOLDER",
        files={},
        components=_components(checkpoint, discriminator, attention, resolver),
        predecessor=predecessor,
        attention_quality=() if attention is None else attention.quality,
        attention_protocol="" if attention is None else ATTENTION_PROTOCOL,
        attention_command="" if attention is None else ATTENTION_COMMAND,
        robustness_limits=tuple(limits),
        uncertainty_calibrations=() if uncertainty is None else uncertainty.calibrations,
        uncertainty_quality=() if uncertainty is None else uncertainty.quality,
        uncertainty_protocol="" if uncertainty is None else UNCERTAINTY_PROTOCOL,
        uncertainty_command="" if uncertainty is None else UNCERTAINTY_COMMAND,
        low_resolution_uncertainty=() if uncertainty is None else uncertainty.low_resolution,
        super_resolution_quality=tuple(super_resolution),
        super_resolution_protocol=SUPER_RESOLUTION_PROTOCOL if super_resolution else "",
        super_resolution_command=SUPER_RESOLUTION_COMMAND if super_resolution else "",
    )
    shipped = {"local_discriminator": discriminator, "super_resolution": resolver}
    components = {name: arrays_of(network) for name, network in shipped.items() if network is not None}
    return write_bundle(folder, card, arrays_of(generator), components=components, replace=replace)


def training_run_of(checkpoint: Checkpoint, *, command: str, hardware: str) -> TrainingRun:
    """How a checkpoint came about, for a card; ``command`` and ``hardware`` in words."""
    config = checkpoint.config
    return TrainingRun(
        config=yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False),
        command=command,
        commit=checkpoint.commit,
        seed=config.seed,
        num_steps=checkpoint.step,
        hours=round(checkpoint.seconds / 3600, 2),
        hardware=hardware,
        torch_version=str(torch.__version__),
        data_fingerprint=checkpoint.data_fingerprint,
    )


def title_of(architecture: Architecture, specialist: SpecialistCard | None = None) -> str:
    """A card's title: what the model does, and by which networks."""
    networks = [NETWORK_TITLES.get(architecture.names[0], architecture.names[0])]
    if "refined" in architecture.names:
        routes = dict(architecture.layers)["refined"].get("routes")
        networks.append("refined by a student" if routes is None else f"refined by a student on {_routes(routes)}")
    if specialist is not None:
        networks.append(f"a specialist on {_routes(specialist.routes)}")
    return f"Any subset of T1w, T1wGd, T2w, FLAIR of the brain to the missing one of them ({', '.join(networks)})"


def without_refined(architecture: Architecture, routes: Collection[Route]) -> Architecture:
    """A generator's architecture whose student leaves some routes alone that it refined; every other part the same."""
    if dict(architecture.layers).get("refined", {}).get("routes") is None:
        return architecture
    gone = {(frozenset(sources), target) for sources, target in routes}
    result = copy.deepcopy(architecture)
    refined = dict(result.layers)["refined"]
    refined["routes"] = [
        route for route in refined["routes"] if (frozenset(route["sources"]), route["target"]) not in gone
    ]
    return result


def _routes(routes: Collection[Any]) -> str:
    return "1 route" if len(routes) == 1 else f"{len(routes)} routes"


def _architecture(generator: Generator, config: TrainingConfig, refined: Sequence[Route] | None) -> Architecture:
    inner = config.generator
    if not isinstance(generator, RefinedGenerator) or config.networks.student is None:
        return Architecture(name=inner.architecture, parameters=inner.parameters)
    parameters = RefinedParameters(
        architecture=inner.architecture,
        parameters=inner.parameters,
        student=config.networks.student,
        routes=None
        if refined is None
        else tuple(CardRoute(sources=sources, target=target) for sources, target in refined),
    )
    return Architecture(name="refined", parameters=msgspec.to_builtins(parameters))


def with_levels(architecture: Architecture, levels: Sequence[LevelModel]) -> Architecture:
    """A generator's architecture with level models, in place of those it has; none leaves it as it is."""
    if not levels:
        return architecture
    if architecture.name == "levelled":
        inner = architecture.parameters
        architecture = Architecture(name=inner["architecture"], parameters=inner["parameters"])
    parameters = LevelledParameters(
        architecture=architecture.name, parameters=architecture.parameters, levels=tuple(levels)
    )
    return Architecture(name="levelled", parameters=msgspec.to_builtins(parameters))


def has_student(card: ModelCard) -> bool:
    """Whether a student refines the generator of a bundle."""
    return "refined" in card.architecture.names


def _components(
    checkpoint: Checkpoint,
    discriminator: LocalDiscriminator | None,
    attention: AttentionEvidence | None,
    resolver: SuperResolver | None,
) -> Components:
    judge, branch = None, None
    if discriminator is not None:
        judge = LocalDiscriminatorCard(
            parameters=msgspec.to_builtins(discriminator.settings),
            calibration=None if attention is None else attention.calibration,
        )
    if resolver is not None:
        branch = super_resolution_card(checkpoint, resolver)
    return Components(local_discriminator=judge, super_resolution=branch)


def super_resolution_card(
    checkpoint: Checkpoint, resolver: SuperResolver, training_run: TrainingRun | None = None
) -> SuperResolutionCard:
    """What a card says of a run's branch.

    Args:
        checkpoint: Of the run.
        resolver: Its branch.
        training_run: Of the branch, if another run trained the bundle's generator.
    """
    stages = _super_resolution_stages(checkpoint)
    return SuperResolutionCard(
        parameters=msgspec.to_builtins(resolver.size),
        in_plane_ratios=tuple(sorted({ratio for stage in stages for ratio in stage.ratios})),
        slice_thickness_mm=tuple(sorted({mm for stage in stages for mm in stage.slice_thickness_mm})),
        thick_slices_start=THICK_SLICES_START,
        training_run=training_run,
    )


def arrays_of(network: nn.Module) -> dict[str, NDArray[np.generic]]:
    """Its weights by name, as a bundle takes them."""
    return {name: values.detach().numpy() for name, values in network.state_dict().items()}


def library_predict(bundle: Bundle, *, threads: int) -> Predict:
    """The shipped way from sources to result, as :func:`training.evaluation.score_routes` wants it."""

    def predict(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        def volume(slices: NDArray[np.generic]) -> Volume:
            return Volume(np.ascontiguousarray(from_slices(slices)), np.eye(4))

        result = translate(
            {contrast: volume(scan.images[contrast]) for contrast in route[0]},
            route[1],
            brain_mask=volume(scan.brain.astype(np.uint8)),
            model=bundle.folder,
            device="cpu",
            threads=threads,
        )
        values = to_slices(result.volume.array)[indices].astype(np.float32) / np.float32(SYNTHETIC_UNITS)
        return values.clip(0, 1)

    return predict


def routes_not_worse(refined: Sequence[RouteScore], plain: Sequence[RouteScore]) -> tuple[Route, ...]:
    """The routes on which the student loses nothing: neither in the brain nor, where somebody has one, in lesions.

    Args:
        refined: Scores with the student.
        plain: Scores of the generator alone, of the same people.
    """
    before = {score.route: score for score in plain}
    return tuple(score.route for score in refined if _is_not_worse(score, before[score.route]))


def _is_not_worse(score: RouteScore, before: RouteScore) -> bool:
    if score.brain_psnr < before.brain_psnr:
        return False
    return score.lesion_psnr is None or before.lesion_psnr is None or score.lesion_psnr >= before.lesion_psnr


def quality_rows(scores: Sequence[RouteScore], baseline: Sequence[RouteScore]) -> tuple[RouteQuality, ...]:
    """Scores of whole volumes on the val split as rows of the card, beside the baseline's where it was measured."""
    bars = {score.route: score for score in baseline}
    rows = []
    for score in scores:
        bar = bars.get(score.route)
        if score.brain_ssim is None:
            raise ValueError("rows of a card are measured on whole volumes: score with every=1")
        rows.append(
            RouteQuality(
                sources=score.route[0],
                target=score.route[1],
                split="val",
                num_cases=score.num_cases,
                num_lesion_cases=score.num_lesion_cases,
                brain_psnr=round(score.brain_psnr, 2),
                brain_ssim=round(score.brain_ssim, 4),
                lesion_psnr=None if score.lesion_psnr is None else round(score.lesion_psnr, 2),
                baseline_brain_psnr=None if bar is None else round(bar.brain_psnr, 2),
                baseline_lesion_psnr=None if bar is None or bar.lesion_psnr is None else round(bar.lesion_psnr, 2),
            )
        )
    return tuple(rows)
