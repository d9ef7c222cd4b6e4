"""Ablations: the same training with one thing changed at a time, over seeds, on phantoms whose truth is known.

Every cell (variant, seed) is one run; its scores are kept as it finishes, so a stopped ablation goes on where it was.
Attackers are judged under perturbations that none of them trained with (METHODS 1.9, 9.2).
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.files import json_text, write_text_atomic
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.robustness.perturbations.bank import perturb
from training.config import ConfigError, TrainingConfig, config_from_mapping
from training.data.cache import CachedScan
from training.data.phantom_scans import phantom_scans
from training.engine import Run
from training.evaluation import Route, predict_slices, score_routes

PERTURBATION_SEED = 77


class AblationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared.

    Attributes:
        template: A whole training configuration.
        variants: By name, what each changes in it; mappings are merged, everything else is replaced.
        seeds: Of the runs; each is also the first seed of its training phantoms.
        train_people: Phantoms to train on.
        test_people: Other phantoms, the same for all.
        spacing_mm: Of their voxels.
        route: Sources, then the target.
        unseen_perturbations: Of the bank, none of which an attacker may train with.
        unseen_level: Their level.
    """

    template: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    seeds: tuple[int, ...]
    train_people: int
    test_people: int
    spacing_mm: float
    route: tuple[Contrast, ...]
    unseen_perturbations: tuple[str, ...]
    unseen_level: float


@dataclass(frozen=True)
class Cell:
    """Scores of one run on the test phantoms, PSNR in dB.

    Attributes:
        variant: Its name.
        seed: Of the run.
        brain: Inside the brain.
        lesion: Inside lesions.
        perturbed: Inside the brain, mean over the unseen perturbations.
    """

    variant: str
    seed: int
    brain: float
    lesion: float
    perturbed: float


def read_ablation(path: Path) -> AblationConfig:
    """Read and check an ablation, every variant of it included.

    Raises:
        ConfigError: Naming file, variant and key.
    """
    try:
        config = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), AblationConfig, strict=True)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    for name in config.variants:
        variant_config(config, name, config.seeds[0], where=str(path))
    return config


def variant_config(config: AblationConfig, variant: str, seed: int, *, where: str) -> TrainingConfig:
    """The training configuration of one cell."""
    values = _merged(config.template, config.variants[variant]) | {"seed": seed}
    return config_from_mapping(values, where=f"{where}, variant {variant}")


def run_ablation(config: AblationConfig, folder: Path, *, report: Callable[[Cell], None]) -> list[Cell]:
    """Run every cell that has no scores yet in ``folder``; returns all cells in the order of the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    test = phantom_scans(config.test_people, spacing_mm=config.spacing_mm, first_seed=9000)
    cells = []
    for variant in config.variants:
        for seed in config.seeds:
            path = folder / f"{variant}-{seed}.json"
            if not path.exists():
                cell = _run_cell(config, variant, seed, test, folder / f"{variant}-{seed}")
                write_text_atomic(path, json_text(cell), overwrite=True)
                report(cell)
            cells.append(msgspec.json.decode(path.read_bytes(), type=Cell))
    return cells


def _run_cell(config: AblationConfig, variant: str, seed: int, test: list[CachedScan], folder: Path) -> Cell:
    train = phantom_scans(config.train_people, spacing_mm=config.spacing_mm, first_seed=100 * seed)
    settings = variant_config(config, variant, seed, where="ablation")
    run = Run(settings, train, folder, data_fingerprint="0" * 16, device="cpu")
    if (folder / "checkpoint.pt").exists():
        run.resume()
    run.fit()
    return score_cell(config, variant, seed, run.result, test)


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
    lesion = float("nan") if clean.lesion_psnr is None else clean.lesion_psnr
    return Cell(variant, seed, clean.brain_psnr, lesion, statistics.fmean(perturbed))


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
        shown = [f"{statistics.fmean(column):.2f} ± {_spread(column):.2f}" for column in columns]
        lines.append(f"| {variant} | {len(mine)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _merged(template: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(template))
    for key, value in changes.items():
        both_mappings = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both_mappings else copy.deepcopy(value)
    return merged
