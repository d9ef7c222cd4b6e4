"""A run that begins with what others have learned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from MRTranslateLib.models.bundle import CARD_NAME, load_tensors, open_bundle
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.networks.generator import UNetGenerator
from training.checkpoint import load_checkpoint, misfit
from training.config import ConfigError
from training.engine import Run

NUM_BATCHES, BATCH_SIZE, FIRST_STEP = 40, 4, 1 << 24
"""Slices on which the mean of a correction is measured; drawn where no training step draws."""


def start_from(run: Run, *folders: Path, only: Collection[str] | None = None) -> None:
    """Give a new run the running means of others' weights, network by network; networks that none has stay as they are.

    The weights of several runs that began with the same ones are averaged: often better than each, as an ensemble is,
    at the cost of one (M. Wortsman et al. Model soups. ICML 2022. arXiv:2203.05482).

    A generator whose U-Net had no say in the level (``level_from_voxels``) and gets one now starts with corrections of
    mean zero: what their mean would have been was never trained. Attention blocks that it gets in addition start as the
    identity, which they are before they have learned.

    Args:
        run: Before its first step.
        folders: Of the other runs, or of model bundles, whose generator is taken; at least one.
        only: Names of the networks that are taken; None for all that both have.

    Raises:
        InputError: If it holds no readable checkpoint.
        ModelError: If it is a bundle that is damaged.
        ConfigError: If a network there has another architecture or size.
    """
    found: dict[str, list[Mapping[str, Tensor]]] = {}
    before = False
    for folder in folders:
        saved = _learned(folder)
        before = before or saved.level_from_voxels
        for name, network in run.networks.items():
            weights = saved.networks.get(name)
            if weights is None or (only is not None and name not in only):
                continue
            weights = _identity_at_start(network, weights) | dict(weights)
            if why := misfit(network, weights):
                raise ConfigError(f"{folder}: its {name} has another architecture or size ({why}): start without it")
            found.setdefault(name, []).append(weights)
    for name, several in found.items():
        run.networks[name].load_state_dict({key: _mean([weights[key] for weights in several]) for key in several[0]})
    if before and not run.config.generator.parameters.get("level_from_voxels", False):
        _centre_corrections(run)
    for name, network in run.averaged.items():
        network.load_state_dict(run.networks[name].state_dict())


@dataclass(frozen=True)
class _Learned:
    """Weights by network, and whether the generator's U-Net had no say in the level."""

    networks: Mapping[str, Mapping[str, Tensor]]
    level_from_voxels: bool


def _learned(folder: Path) -> _Learned:
    if (folder / CARD_NAME).is_file():
        bundle = open_bundle(folder)
        prefix, parameters = _plain_generator(bundle.card)
        weights = {name: torch.from_numpy(values) for name, values in load_tensors(bundle).items()}
        inner = {name.removeprefix(prefix): values for name, values in weights.items() if name.startswith(prefix)}
        return _Learned({"generator": inner}, parameters.get("level_from_voxels", False))
    saved = load_checkpoint(folder)
    return _Learned(saved.networks | saved.averaged, saved.config.generator.parameters.get("level_from_voxels", False))


def _plain_generator(card: ModelCard) -> tuple[str, Mapping[str, Any]]:
    """What the names of a bundle's generator begin with, behind its student and levels, and its parameters."""
    prefix, name, parameters = "", card.architecture.name, card.architecture.parameters
    while "architecture" in parameters:
        prefix += "generator." if name == "refined" else ""
        name, parameters = parameters["architecture"], parameters["parameters"]
    return prefix, parameters


def _identity_at_start(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A U-Net's attention blocks as they are, where ``weights`` has none of them."""
    if not isinstance(network, UNetGenerator):
        return {}
    own = {name: values for name, values in network.state_dict().items() if name.startswith("network.context.")}
    return {} if own.keys() & weights.keys() else own


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[0]


@torch.no_grad()
def _centre_corrections(run: Run) -> None:
    generator = run.generator
    if not isinstance(generator, UNetGenerator):
        raise ConfigError("only unet25d knows level_from_voxels")
    last = generator.network.fuse.last
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(output.float())

    hook = last.register_forward_hook(keep)
    total, count = torch.zeros(5, device=run.device), torch.zeros(5, device=run.device)
    for index in range(NUM_BATCHES):
        run.step = FIRST_STEP + index
        batch, _ = run.draw(BATCH_SIZE)
        generator.train_pred(batch.slices, batch.target_code)
        counted = batch.target_code[:, :, None, None] * batch.brain
        total += (seen.pop() * counted).sum((0, 2, 3))
        count += counted.sum((0, 2, 3))
    hook.remove()
    run.step = 0
    if last.bias is not None:
        last.bias -= total / count.clamp(min=1)
