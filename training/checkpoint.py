"""Checkpoints of a run: everything that a resumed run needs to equal an uninterrupted one, and how it was made."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec
import torch
from torch import nn

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import atomic_file
from training.config import TrainingConfig, config_from_mapping

FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """State after ``step`` optimizer steps.

    Attributes:
        step: Finished steps, over all stages.
        networks: Weights of all networks of the run, by name; ``generator`` is always there.
        averaged: Exponential moving averages of the weights of those that ship; what is exported.
        stage: State of the running stage: its optimizers and meters.
        seconds: Time spent so far, over all sessions of the run.
        config: What the run was started with.
        commit: Commit of the code that wrote it, ``unknown`` outside a checkout.
        data_fingerprint: See :func:`training.data.cache.fingerprint`.
    """

    step: int
    networks: dict[str, dict[str, Any]]
    averaged: dict[str, dict[str, Any]]
    stage: dict[str, Any]
    seconds: float
    config: TrainingConfig
    commit: str
    data_fingerprint: str


def save_checkpoint(checkpoint: Checkpoint, run: Path) -> None:
    """Write ``checkpoint.pt`` into the run's folder; the former one stays until the new one is complete."""
    values = {**vars(checkpoint), "config": msgspec.to_builtins(checkpoint.config)}
    with atomic_file(run / FILE_NAME, overwrite=True) as temporary:
        torch.save(values, temporary)


def load_checkpoint(run: Path) -> Checkpoint:
    """Read the checkpoint of a run; ``weights_only``, so that no code in it is ever executed.

    Raises:
        InputError: If there is none or it cannot be read.
    """
    path = run / FILE_NAME
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; give the folder of a run that has saved one")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        config = config_from_mapping(values.pop("config"), where=str(path))
        return Checkpoint(config=config, **values)
    except (RuntimeError, EOFError, OSError, TypeError, KeyError, ValueError, UnpicklingError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a checkpoint of this program, or damaged ({why}); start the run again") from None


def load_or_reason(network: nn.Module, weights: Mapping[str, Any] | None) -> str | None:
    """Load weights into a network; what keeps them from fitting, or None where they fit."""
    if weights is None:
        return "there are no weights of it"
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        return str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
    return None


def load_weights(networks: nn.ModuleDict, weights: Mapping[str, Mapping[str, Any]], *, where: str) -> None:
    """Load the weights of several networks.

    Raises:
        InputError: Naming ``where`` and the first network that has another architecture or size than this version
            builds from the checkpoint's configuration.
    """
    for name, network in networks.items():
        if why := load_or_reason(network, weights.get(name)):
            raise InputError(
                f"{where}: its {name} has another architecture or size than its configuration says in this version "
                f"({why[:200]}); use the version that wrote it, or start the run again"
            )


def current_commit() -> str:
    """Commit of the checkout that holds this file, with ``+`` for uncommitted changes; ``unknown`` elsewhere."""
    folder = Path(__file__).parent
    try:
        commit = _git("rev-parse", "--short=12", "HEAD", folder=folder)
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no", folder=folder) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str, folder: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
