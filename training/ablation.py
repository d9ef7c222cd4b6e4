"""Ablations: the same training with one thing changed at a time, over seeds, on phantoms whose truth is known.

Every cell (variant, seed) is one run; its scores are kept as it finishes, so a stopped ablation goes on where it was.
Variants are listed one by one, or are all combinations of a grid's choices (METHODS 1.9).
Attackers are judged under perturbations that none of them trained with (METHODS 1.9, 9.2).
"""

from __future__ import annotations

import copy
import hashlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import json_text, write_text_atomic
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.robustness.perturbations.bank import perturb
from training.config import ConfigError, RefineStageConfig, StageConfig, TrainingConfig, config_from_mapping
from training.data.cache import CachedScan
from training.data.phantom_scans import phantom_scans
from training.data.views import scans_in_views
from training.engine import Run
from training.evaluation import Route, predict_slices, score_routes
from training.fitness import refuse_unfit

PERTURBATION_SEED = 77
CHOICE_SEPARATOR = "-"
"""Between the choices in the name of a grid's variant; no choice may hold it."""


class AblationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared.

    Attributes:
        template: A whole training configuration.
        variants: By name, what each changes in it; mappings are merged, stages are changed by their name (null leaves
            one out), everything else is replaced.
        grid: Axes of choices by name, each changing the template as a variant does, axis after axis; every combination
            is a variant named after its choices.
        seeds: Of the runs; each is also the first seed of its training phantoms.
        train_people: Phantoms to train on.
        test_people: Other phantoms, the same for all.
        spacing_mm: Of their voxels.
        route: Sources, then the target.
        unseen_perturbations: Of the bank, none of which an attacker may train with.
        unseen_level: Their level.
    """

    template: dict[str, Any]
    seeds: tuple[int, ...]
    train_people: int
    test_people: int
    spacing_mm: float
    route: tuple[Contrast, ...]
    unseen_perturbations: tuple[str, ...]
    unseen_level: float
    variants: dict[str, dict[str, Any]] = {}
    grid: dict[str, dict[str, dict[str, Any]]] = {}

    def __post_init__(self) -> None:
        if not self.seeds or not self.names:
            raise ValueError("an ablation needs seeds, and variants or a grid")
        if len(set(self.names)) < len(self.names):
            raise ValueError("variants and grid need different names")
        for choice in (choice for axis in self.grid.values() for choice in axis if CHOICE_SEPARATOR in choice):
            raise ValueError(f"choice {choice!r} of the grid must not hold {CHOICE_SEPARATOR!r}")

    @property
    def names(self) -> list[str]:
        """Of all variants, those of the grid last."""
        combined = product(*self.grid.values()) if self.grid else ()
        return [*self.variants, *(CHOICE_SEPARATOR.join(choices) for choices in combined)]

    def changes(self, variant: str) -> list[dict[str, Any]]:
        """What a variant does to the template, one after the other."""
        if variant in self.variants:
            return [self.variants[variant]]
        choices = variant.split(CHOICE_SEPARATOR)
        return [axis[choice] for axis, choice in zip(self.grid.values(), choices, strict=True)]


@dataclass(frozen=True)
class Cell:
    """Scores of one run on the test phantoms, PSNR in dB.

    Attributes:
        variant: Its name.
        seed: Of the run.
        brain: Inside the brain.
        lesion: Inside lesions; None where the phantoms have none.
        perturbed: Inside the brain, mean over the unseen perturbations.
        settings: Of :func:`cell_settings`, so that scores are not taken for those of another configuration.
    """

    variant: str
    seed: int
    brain: float
    lesion: float | None
    perturbed: float
    settings: str = ""


def read_ablation(path: Path) -> AblationConfig:
    """Read and check an ablation, every variant of it included.

    Raises:
        ConfigError: Naming file, variant and key.
    """
    try:
        config = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), AblationConfig, strict=True)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    for name in config.names:
        where = f"{path}, variant {name}"
        refuse_unfit(variant_config(config, name, config.seeds[0], where=str(path)), where=where)
    return config


def variant_config(config: AblationConfig, variant: str, seed: int, *, where: str) -> TrainingConfig:
    """The training configuration of one cell.

    Raises:
        ConfigError: Naming the variant and the key.
    """
    where, values = f"{where}, variant {variant}", copy.deepcopy(config.template)
    for changes in config.changes(variant):
        values = _merged(values, changes, where)
    return config_from_mapping(values | {"seed": seed}, where=where)


def shortened(config: TrainingConfig, num_steps: int) -> TrainingConfig:
    """The same with no stage longer than ``num_steps``, 2 or more: to see that all of it runs."""
    return msgspec.structs.replace(config, stages=tuple(_shortened_stage(stage, num_steps) for stage in config.stages))


def _shortened_stage(stage: StageConfig, num_steps: int) -> StageConfig:
    steps = min(stage.optimizer.num_steps, num_steps)
    warm_up = min(stage.optimizer.num_warmup_steps, steps - 1)
    changes: dict[str, Any] = {
        "optimizer": msgspec.structs.replace(stage.optimizer, num_steps=steps, num_warmup_steps=warm_up)
    }
    if isinstance(stage, RefineStageConfig):
        changes["teacher_steps"] = min(stage.teacher_steps, steps - 1)
    return msgspec.structs.replace(stage, **changes)


def run_ablation(
    config: AblationConfig, folder: Path, *, report: Callable[[Cell], None], num_steps: int | None = None
) -> list[Cell]:
    """Run every cell that has no scores yet in ``folder``; returns all cells in the order of the configuration.

    Args:
        config: What is compared.
        folder: Of the runs and their scores.
        report: Told each new cell.
        num_steps: For a trial: no stage is longer, and the first seed is the only one; its scores are kept apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    test = phantom_scans(config.test_people, spacing_mm=config.spacing_mm, first_seed=9000)
    train = cache(partial(_training_people, config))
    cells = []
    for variant in config.names:
        for seed in config.seeds if num_steps is None else config.seeds[:1]:
            name = f"{variant}-{seed}" if num_steps is None else f"{variant}-{seed}-trial-{num_steps}"
            path = folder / f"{name}.json"
            if not path.exists():
                generator = _trained(config, variant, seed, train(seed), folder / name, num_steps)
                cell = score_cell(config, variant, seed, generator, test)
                write_text_atomic(path, json_text(cell), overwrite=True)
                report(cell)
            cells.append(_read_cell(path, cell_settings(config, variant, seed)))
    return cells


def cell_settings(config: AblationConfig, variant: str, seed: int) -> str:
    """A hash of all that decides a cell's scores, 12 characters."""
    judged = (config.train_people, config.test_people, config.spacing_mm, config.route)
    perturbed = (config.unseen_perturbations, config.unseen_level)
    said = msgspec.json.encode([variant_config(config, variant, seed, where="ablation"), judged, perturbed])
    return hashlib.sha256(said).hexdigest()[:12]


def _read_cell(path: Path, settings: str) -> Cell:
    try:
        cell = msgspec.json.decode(path.read_bytes(), type=Cell)
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: no scores of this version ({error}); remove it, or give another folder") from None
    if cell.settings != settings:
        raise InputError(f"{path}: scores of another configuration; remove it, or give another folder")
    return cell


def _training_people(config: AblationConfig, seed: int) -> list[CachedScan]:
    return phantom_scans(config.train_people, spacing_mm=config.spacing_mm, first_seed=100 * seed)


def _trained(
    config: AblationConfig, variant: str, seed: int, train: list[CachedScan], folder: Path, num_steps: int | None
) -> Generator:
    settings = variant_config(config, variant, seed, where="ablation")
    if num_steps is not None:
        settings = shortened(settings, num_steps)
    seen = scans_in_views(train, settings.data.views)
    run = Run(settings, seen, folder, data_fingerprint="0" * 16, device="cpu")
    if (folder / "checkpoint.pt").exists():
        run.resume()
    run.fit()
    return run.result


def score_cell(
    config: AblationConfig, variant: str, seed: int, generator: Generator, test: Sequence[CachedScan]
) -> Cell:
    """Judge a generator on clean and on perturbed phantoms."""
    route: Route = (config.route[:-1], config.route[-1])

    def predict(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        return predict_slices(generator.eval(), scan, route, indices)

    (clean,) = score_routes(predict, test, [route])
    perturbed = []
    for name in config.unseen_perturbations:
        worse = [_perturbed(scan, route[0], name, config.unseen_level, config.spacing_mm) for scan in test]
        (score,) = score_routes(predict, worse, [route])
        perturbed.append(score.brain_psnr)
    settings = cell_settings(config, variant, seed)
    return Cell(variant, seed, clean.brain_psnr, clean.lesion_psnr, statistics.fmean(perturbed), settings)


def _perturbed(scan: CachedScan, sources: Sequence[Contrast], name: str, level: float, spacing_mm: float) -> CachedScan:
    images = dict(scan.images)
    brain = torch.from_numpy(scan.brain)
    for contrast in sources:
        volume = torch.from_numpy(scan.images[contrast].astype(np.float32) / 255)
        worse = perturb(volume, name, level, seed=PERTURBATION_SEED, voxel_size_mm=(spacing_mm,) * 3, brain=brain)
        images[contrast] = (worse.numpy() * 255).round().astype(np.uint8)
    return CachedScan(scan.case_id, images, scan.brain, scan.lesion, scan.has_lesion_mask)


def ablation_table(cells: Sequence[Cell]) -> str:
    """Mean and spread over seeds per variant, as a Markdown table."""
    lines = ["| variant | runs | brain dB | lesion dB | brain dB, unseen perturbations |", "|---|---|---|---|---|"]
    for variant in dict.fromkeys(cell.variant for cell in cells):
        mine = [cell for cell in cells if cell.variant == variant]
        columns = [[getattr(cell, name) for cell in mine] for name in ("brain", "lesion", "perturbed")]
        known = [[value for value in column if value is not None] for column in columns]
        shown = [f"{statistics.fmean(column):.2f} ± {_spread(column):.2f}" if column else "-" for column in known]
        lines.append(f"| {variant} | {len(mine)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _merged(template: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    merged = copy.deepcopy(dict(template))
    for key, value in changes.items():
        if isinstance(value, Mapping) and key == "stages" and isinstance(merged.get(key), list):
            merged[key] = _merged_stages(merged[key], value, where)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value, where)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _merged_stages(stages: list[Any], changes: Mapping[str, Any], where: str) -> list[Any]:
    """The stages that a mapping by name leaves, with its changes."""
    names = [stage.get("name") for stage in stages]
    if unknown := sorted(set(changes) - set(names)):
        raise ConfigError(f"{where}: no stage is named {', '.join(unknown)}: use {', '.join(map(str, names))}")
    merged = []
    for name, stage in zip(names, stages, strict=True):
        change = changes.get(name, {})
        if change is not None:
            merged.append(_merged(stage, change, where))
    return merged
