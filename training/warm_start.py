"""A run that begins with what others have learned."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.generator import UNetGenerator
from training.config import ConfigError
from training.engine import Run
from training.mean_weights import learned, load_mean

NUM_BATCHES, BATCH_SIZE, FIRST_STEP = 40, 4, 1 << 24
"""Slices on which the mean of a correction is measured; drawn where no training step draws."""


def start_from(run: Run, *folders: Path, only: Collection[str] | None = None) -> None:
    """Give a new run the running means of others' weights, network by network; networks that none has stay as they are.

    A generator whose U-Net had no say in the level (``level_from_voxels``) and gets one now starts with corrections of
    mean zero: what their mean would have been was never trained.

    Args:
        run: Before its first step.
        folders: Of the other runs, or of model bundles, whose generator is taken; at least one.
        only: Names of the networks that are taken; None for all that both have.

    Raises:
        InputError: If it holds no readable checkpoint.
        ModelError: If it is a bundle that is damaged.
        ConfigError: If a network there has another architecture or size.
    """
    several = [learned(folder) for folder in folders]
    for name, network in run.networks.items():
        if only is None or name in only:
            load_mean(network, name, several)
    before = any(each.level_from_voxels for each in several)
    if before and not run.config.generator.parameters.get("level_from_voxels", False):
        _centre_corrections(run)
    for name, network in run.averaged.items():
        network.load_state_dict(run.networks[name].state_dict())


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
