"""The first stage: the U-Net's voxel path learns from single voxels of everybody, mixed.

Slices of four people are a poor batch for a perceptron: their voxels are alike and each person pulls the level its way.
Thousands of voxels from all people at once teach it in minutes what a boosted regression knows.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, UNetGenerator
from MRTranslateLib.networks.unet import ConditionalUNet
from training.config import ConfigError, TrainingConfig
from training.data.cache import CachedScan
from training.data.sampler import SliceSampler

logger = logging.getLogger(__name__)
NUM_CONTRASTS = len(Contrast)
LOG_EVERY_STEPS = 1000


@dataclass(frozen=True)
class VoxelTable:
    """Voxels of all scans.

    Attributes:
        views: ``(V, 24)`` float16, what the voxel path reads, with every acquired contrast given.
        truth: ``(V, 5)`` float16, 0..1.
        acquired: ``(V, 5)`` float16, 1 where the person has the contrast.
        height: ``(V,)`` float16.
    """

    views: Tensor
    truth: Tensor
    acquired: Tensor
    height: Tensor


def train_voxel_path(generator: Generator, sampler: SliceSampler, config: TrainingConfig) -> None:
    """Train the voxel path in place, with random subsets of each person's contrasts as sources.

    Raises:
        ConfigError: If the generator has no such path.
    """
    if not isinstance(generator, UNetGenerator):
        raise ConfigError(f"{config.generator.architecture} has no voxel path: set voxel_stage.num_steps to 0")
    stage, network = config.voxel_stage, generator.network
    device = next(network.parameters()).device
    rng = np.random.default_rng((config.seed, 1 << 20))
    table = _voxel_table(network, sampler, config, rng)
    parameters = [*network.voxel.parameters(), *network.embed.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=stage.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    total = 0.0
    for step in range(stage.num_steps):
        optimizer.param_groups[0]["lr"] = stage.learning_rate * 0.5 * (1 + math.cos(math.pi * step / stage.num_steps))
        rows = torch.from_numpy(rng.integers(len(table.height), size=stage.batch_voxels))
        views, truth, acquired, height = (values[rows].float().to(device) for values in vars(table).values())
        availability = _draw_sources(acquired, config, rng).to(device)
        given = torch.cat([availability, torch.ones_like(availability[:, :1])], dim=1).repeat(1, views.shape[1] // 6)
        predicted = network.predict_voxels(views * given, availability, height)
        wanted = acquired - availability
        error = (predicted - truth) * wanted
        weights = config.losses
        loss = (weights.absolute_error * error.abs() + weights.squared_error * error.square()).sum() / wanted.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item()
        if (step + 1) % LOG_EVERY_STEPS == 0:
            logger.info("voxel stage: step %d, loss %.4f", step + 1, total / LOG_EVERY_STEPS)
            total = 0.0


def freeze_voxel_path(generator: Generator) -> None:
    """Keep what the voxel path learned: later stages see a few people at a time and would bend it towards them."""
    if isinstance(generator, UNetGenerator):
        for module in (generator.network.voxel, generator.network.embed):
            module.requires_grad_(False)


def _voxel_table(
    network: ConditionalUNet, sampler: SliceSampler, config: TrainingConfig, rng: np.random.Generator
) -> VoxelTable:
    columns: list[tuple[Tensor, ...]] = []
    for scan in sampler.scans:
        chosen = _draw_voxels(scan, config, rng)
        slices, starts = np.unique(chosen[:, 0], return_index=True)
        bounds = [*starts[1:].tolist(), len(chosen)]
        lowest, highest = slices[0], slices[-1]
        acquired = torch.zeros(1, NUM_CONTRASTS)
        acquired[0, [contrast.channel for contrast in scan.images]] = 1
        for middle, start, stop in zip(slices, starts, bounds, strict=True):
            stack = torch.from_numpy(sampler.stack(scan, int(middle)))[None]
            with torch.no_grad():
                views = network.voxel_views(stack, acquired)[0]
            rows, cols = torch.from_numpy(chosen[start:stop, 1]), torch.from_numpy(chosen[start:stop, 2])
            count = stop - start
            columns.append(
                (
                    views[:, rows, cols].T.half(),
                    stack[0, :, stack.shape[2] // 2, rows, cols].T.half(),
                    acquired.expand(count, -1).half(),
                    torch.full((count,), float((middle - lowest) / max(highest - lowest, 1))).half(),
                )
            )
    return VoxelTable(*(torch.cat(column) for column in zip(*columns, strict=True)))


def _draw_voxels(scan: CachedScan, config: TrainingConfig, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(V, 3)`` slice, row and column of brain voxels, in the order of slices.

    Evenly: with 30 % of the voxels from lesions every dark or bright spot was taken for a lesion a little, which
    raised the level of FLAIR and cost 0.2 dB in the brain on validation people.
    """
    drawn = rng.choice(np.flatnonzero(scan.brain), size=config.voxel_stage.voxels_per_scan)
    return np.stack(np.unravel_index(np.sort(drawn), scan.brain.shape), axis=1)


def _draw_sources(acquired: Tensor, config: TrainingConfig, rng: np.random.Generator) -> Tensor:
    """A random proper, non-empty subset of each row's contrasts, ``(V, 5)``."""
    available = acquired.sum(dim=1)
    weights = np.array(config.data.source_count_weights)
    counts = torch.from_numpy(1 + rng.choice(len(weights), size=len(acquired), p=weights / weights.sum()))
    counts = torch.minimum(counts, (available - 1).long())
    order = torch.from_numpy(rng.random(acquired.shape, dtype=np.float32)) - 2 * acquired  # acquired ones first
    ranks = order.argsort(dim=1).argsort(dim=1)
    return (ranks < counts[:, None]).float()
