"""Random changes to a training batch: one geometry for all contrasts, one appearance for each source.

Chance is drawn from a generator that the caller seeds per step, on the CPU; the arithmetic runs where the batch lies,
and the noise, millions of numbers, is drawn there. Nothing here makes the host wait for a device: what decides shapes
is known on the host, and small tensors are sent without waiting.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional

from training.config import AugmentationConfig
from training.data.sampler import TrainingBatch

WARP_GRID = 6
BIAS_GRID = 4
"""Control points per side of the smooth warp and of the bias field."""


def augment(batch: TrainingBatch, config: AugmentationConfig, random: torch.Generator) -> tuple[TrainingBatch, Tensor]:
    """Change a batch.

    Returns:
        The batch with its geometry changed (its ``images`` are the clean truth), and the available source images
        ``(B, 5, N, H, W)`` with their appearance changed as well, zero where a contrast is not given.
    """
    batch = _mirror(batch, config.mirror_probability, random)
    batch = _deform(batch, config, random)
    rows, channels = batch.given.unbind(1)
    sources = torch.zeros_like(batch.images)
    sources[rows, channels] = _change_appearance(batch.images[rows, channels], config, random)
    return batch, sources


def _mirror(batch: TrainingBatch, probability: float, random: torch.Generator) -> TrainingBatch:
    flip = torch.rand(len(batch.height), generator=random) < probability

    def mirrored(images: Tensor) -> Tensor:
        shape = (-1,) + (1,) * (images.ndim - 1)
        return torch.where(_sent(flip, images).view(shape), images.flip(-1), images)

    return dataclasses.replace(
        batch, images=mirrored(batch.images), brain=mirrored(batch.brain), lesion=mirrored(batch.lesion)
    )


def _deform(batch: TrainingBatch, config: AugmentationConfig, random: torch.Generator) -> TrainingBatch:
    """Rotate, scale, shift and warp some slices; masks follow by nearest neighbour."""
    chosen = torch.rand(len(batch.height), generator=random) < config.geometry_probability
    if not chosen.any():
        return batch
    rows = _places(chosen, batch.images)
    grid = _sampling_grid(len(rows), batch.images, config, random)
    images, brain, lesion = batch.images.clone(), batch.brain.clone(), batch.lesion.clone()
    picked = images[rows]
    images[rows] = functional.grid_sample(picked.flatten(1, 2), grid, align_corners=True).view_as(picked)
    brain[rows] = functional.grid_sample(brain[rows], grid, mode="nearest", align_corners=True)
    lesion[rows] = functional.grid_sample(lesion[rows], grid, mode="nearest", align_corners=True)
    return dataclasses.replace(batch, images=images, brain=brain, lesion=lesion)


def _sampling_grid(count: int, images: Tensor, config: AugmentationConfig, random: torch.Generator) -> Tensor:
    """``(count, H, W, 2)`` as ``grid_sample`` wants it for slices like ``images``: x, y in -1..1."""
    size = (images.shape[-2], images.shape[-1])
    half = torch.tensor([size[1] - 1, size[0] - 1]) / 2  # x, y
    angle = _uniform((count,), math.radians(config.rotation_deg), random)
    scale = torch.exp(_uniform((count, 2), config.scale, random))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    # Rotate in voxels, not in the normalised coordinates of a slice that is not square.
    rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    linear = rotation * scale[:, None, :] * half / half[:, None]
    shift = _uniform((count, 2), config.shift_voxels, random) / half
    theta = torch.cat([linear, shift[:, :, None]], dim=2)
    grid = functional.affine_grid(_sent(theta, images), [count, 1, *size], align_corners=True)
    control = torch.randn(count, 2, WARP_GRID, WARP_GRID, generator=random) * config.warp_voxels
    warp = functional.interpolate(_sent(control, images), size=size, mode="bicubic", align_corners=True)
    return grid + warp.permute(0, 2, 3, 1) / _sent(half, images)


def _change_appearance(stacks: Tensor, config: AugmentationConfig, random: torch.Generator) -> Tensor:
    """Gamma, gain, bias field, blur and noise, drawn for each stack ``(P, N, H, W)``; zero background stays zero."""
    count, _, height, width = stacks.shape
    shape = (count, 1, 1, 1)

    def move(values: Tensor) -> Tensor:
        return _sent(values, stacks)

    gamma = torch.exp(_uniform(shape, config.gamma, random))
    gain = 1 + _uniform(shape, config.gain, random)
    field = _uniform((count, 1, BIAS_GRID, BIAS_GRID), config.bias_field, random)
    field = functional.interpolate(move(field), size=(height, width), mode="bicubic", align_corners=True)
    changed = stacks.clamp(min=1e-4) ** move(gamma) * (move(gain) * torch.exp(field))
    changed = _blur_some(changed, config.blur_probability, random)
    sigma = torch.rand(shape, generator=random) * config.noise * (torch.rand(shape, generator=random) < 0.5)
    return (changed + move(sigma) * _noise_like(stacks, random)).clamp(0, 1) * (stacks > 0)


def _noise_like(stacks: Tensor, random: torch.Generator) -> Tensor:
    """Normal noise drawn where the slices lie; on another device from the step's seed, so that it can be repeated."""
    if stacks.device.type == "cpu":
        return torch.randn(stacks.shape, generator=random)
    there = torch.Generator(stacks.device).manual_seed(random.initial_seed())
    return torch.randn(stacks.shape, generator=there, device=stacks.device)


def _blur_some(stacks: Tensor, probability: float, random: torch.Generator) -> Tensor:
    """Blur some stacks, half of them in plane, half through plane (as thick slices are)."""
    in_plane = torch.rand(len(stacks), generator=random) < probability / 2
    through_plane = torch.rand(len(stacks), generator=random) < probability / 2
    blurred = stacks.clone()
    if in_plane.any():
        rows = _places(in_plane, stacks)
        blurred[rows] = functional.avg_pool2d(stacks[rows], 3, stride=1, padding=1, count_include_pad=False)
    if through_plane.any():
        rows = _places(through_plane, stacks)
        picked = blurred[rows]
        thick = picked.flatten(2).transpose(1, 2)  # (picked, H*W, N)
        thick = functional.avg_pool1d(thick, 3, stride=1, padding=1, count_include_pad=False)
        blurred[rows] = thick.transpose(1, 2).reshape(picked.shape)
    return blurred


def _places(chosen: Tensor, like: Tensor) -> Tensor:
    """Where a mask of the host is true, for indexing a tensor of the device; by the mask itself the host would wait."""
    return _sent(chosen.nonzero()[:, 0], like)


def _sent(values: Tensor, like: Tensor) -> Tensor:
    """A small tensor of the host where another one lies, without waiting for the device."""
    return values.to(like.device, non_blocking=True)


def _uniform(shape: tuple[int, ...], bound: float, random: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=random) * 2 - 1) * bound
