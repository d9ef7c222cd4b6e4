"""A short run of every component on phantoms: its loss falls, and what ships can be exported and loaded again."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.models.bundle import open_bundle
from training.checkpoint import load_checkpoint
from training.config import config_from_mapping
from training.data.cache import CachedScan
from training.data.phantom_scans import phantom_scans
from training.data.views import scans_in_views
from training.engine import Run
from training.export import export_bundle

NUM_PEOPLE, SPACING_MM, FIRST_SEED = 4, 3.0, 500
TEMPLATE = Path(__file__).parent / "configs" / "smoke" / "template.yaml"
FALL = 0.98
"""The mean of a loss over the last quarter must be below this share of that over the first."""


class SmokeError(MRTranslateError):
    """A component does not learn, or cannot be exported."""


@dataclass(frozen=True)
class SmokeCase:
    """One component and how it is tried.

    Attributes:
        name: Of the component.
        changes: To the template: ``generator`` and ``stage`` replace those of the template, key by key.
        watched: Column of the stage's table that must fall.
        num_steps: Of a full smoke run; a shortened one takes a quarter.
    """

    name: str
    changes: Mapping[str, Any]
    watched: str
    num_steps: int


@dataclass(frozen=True)
class SmokeResult:
    """What came of it: the mean of the watched loss over the first and the last quarter of the steps, and seconds."""

    name: str
    first: float
    last: float
    seconds: float


def smoke_cases() -> tuple[SmokeCase, ...]:
    """Every generator of the zoo and every component of A, B and C; from ``configs/smoke/cases.yaml``."""
    values = yaml.safe_load((TEMPLATE.parent / "cases.yaml").read_text(encoding="utf-8"))
    return tuple(SmokeCase(name, case["changes"], case["watched"], case["num_steps"]) for name, case in values.items())


def run_smoke(
    folder: Path, *, names: tuple[str, ...], share_of_steps: float, report: Callable[[SmokeResult], None]
) -> None:
    """Try components one after the other.

    Args:
        folder: An empty one for the runs.
        names: Which; all if empty.
        share_of_steps: 1, or less for a shortened run.
        report: Told each result.

    Raises:
        SmokeError: Naming the first component whose loss does not fall or that cannot be exported and loaded.
    """
    cases = smoke_cases()
    if unknown := sorted(set(names) - {case.name for case in cases}):
        raise SmokeError(f"unknown component {', '.join(unknown)}: use {', '.join(case.name for case in cases)}")
    scans = phantom_scans(NUM_PEOPLE, spacing_mm=SPACING_MM, first_seed=FIRST_SEED)
    for case in cases:
        if not names or case.name in names:
            report(_try(case, scans, folder / case.name, share_of_steps))


def _try(case: SmokeCase, scans: list[CachedScan], folder: Path, share_of_steps: float) -> SmokeResult:
    values = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    changes = copy.deepcopy(dict(case.changes))
    stages = changes.pop("stages", None)
    values |= changes
    if stages is not None:
        optimizer = values["stages"][0]["optimizer"]
        values["stages"] = [stage | {"optimizer": optimizer | stage.get("optimizer", {})} for stage in stages]
    last = values["stages"][-1]
    last["optimizer"] = last["optimizer"] | {"num_steps": max(8, round(case.num_steps * share_of_steps))}
    config = config_from_mapping(values, where=case.name)
    seen = scans_in_views(scans, config.data.views)
    run = Run(config, seen, folder, data_fingerprint="0" * 16, device="cpu")
    run.fit()
    result = SmokeResult(case.name, *_quarters(folder / f"{last['name']}.csv", case.watched), run.seconds)
    if not result.last < FALL * result.first:
        raise SmokeError(f"{case.name}: {case.watched} did not fall: {result.first:.4f} to {result.last:.4f}")
    _export(folder, case.name)
    return result


def _quarters(path: Path, column: str) -> tuple[float, float]:
    with path.open(encoding="utf-8", newline="") as file:
        values = [float(row[column]) for row in csv.DictReader(file) if row[column]]
    quarter = max(1, len(values) // 4)
    return float(np.mean(values[:quarter])), float(np.mean(values[-quarter:]))


def _export(folder: Path, name: str) -> None:
    """Through checkpoint and bundle back to a generator."""
    bundle = folder / "models" / name.replace("_", "-")
    try:
        export_bundle(load_checkpoint(folder), bundle, version="0.0.1", command="smoke", hardware="none")
        load_generator(open_bundle(bundle))
    except MRTranslateError as error:
        raise SmokeError(f"{name}: what was trained cannot be exported and loaded: {error}") from None
