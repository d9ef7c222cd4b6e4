"""Whether a configuration's parts fit each other, beyond what one section can know: asked before anything is trained.

A misfit would else show at the first step of its stage, or at export, after hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from MRTranslateLib.errors import ModelError
from MRTranslateLib.models.components import MAX_COMPONENT_BYTES
from MRTranslateLib.networks.generator import Generator
from training.config import ConfigError, SuperResolutionStageConfig, TrainingConfig
from training.networks.build import build_networks
from training.networks.difference_projection import MIN_SIZE_VOXELS

BYTES_PER_WEIGHT = 2
"""Bundles hold float16."""
COMPONENTS = ("local_discriminator", "super_resolution")
"""Networks that ship as a file of their own beside the generator's."""


def refuse_unfit(config: TrainingConfig, *, where: str) -> nn.ModuleDict:
    """Build the networks of a configuration and see whether slices, stages and bundles can hold them.

    Args:
        config: Its values are right one by one.
        where: Opens every error message.

    Returns:
        The untrained networks.

    Raises:
        ConfigError: One sentence with ``where``, the key and what would fit.
    """
    try:
        networks = build_networks(config)
    except ModelError as error:
        raise ConfigError(f"{where}: generator: {error}") from None
    except ValueError as error:  # the parameters of a discriminator
        raise ConfigError(f"{where}: networks: {error}") from None
    for problem in (*_wrong_sizes(config, networks), *_wrong_ratios(config), *_too_large(networks)):
        raise ConfigError(f"{where}: {problem}")
    return networks


def _wrong_sizes(config: TrainingConfig, networks: nn.ModuleDict) -> Iterator[str]:
    """Slices that the generator or the branch cannot divide, or that are too small for a network's poolings."""
    crop, sizes = config.data.crop_voxels, config.networks
    generator = networks["generator"]
    if not isinstance(generator, Generator):
        raise TypeError("the network named generator is none")
    multiples = {f"generator.architecture {config.generator.architecture}": generator.size_multiple}
    if sizes.super_resolution is not None:
        multiples["networks.super_resolution"] = sizes.super_resolution.size_multiple
    for name, multiple in multiples.items():
        if any(length % multiple for length in crop):
            fitting = " x ".join(str(max(multiple, round(length / multiple) * multiple)) for length in crop)
            yield (
                f"data.crop_voxels {crop[0]} x {crop[1]} must be multiples of {multiple} for {name}: take {fitting}, "
                "for example"
            )
    bodies = {
        "label_correction": sizes.label_correction,
        "teacher": None if sizes.teacher is None else sizes.teacher.registration,
        "student": None if sizes.student is None else sizes.student.registration,
    }
    smallest = {name: body.min_size for name, body in bodies.items() if body is not None}
    if sizes.difference_projection is not None:
        smallest["difference_projection"] = MIN_SIZE_VOXELS
    for name, size in smallest.items():
        if min(crop) < size:
            yield (
                f"data.crop_voxels {crop[0]} x {crop[1]} must be {size} or more for networks.{name}: take larger "
                "slices or fewer levels"
            )


def _wrong_ratios(config: TrainingConfig) -> Iterator[str]:
    """Degradations of a stage that its branch has no entrance for; thick slices enter at ratio 1."""
    branch = config.networks.super_resolution
    for stage in config.stages:
        if not isinstance(stage, SuperResolutionStageConfig) or branch is None:
            continue
        wanted = {*stage.ratios, *([1] if stage.slice_thickness_mm else [])}
        if missing := sorted(wanted - set(branch.ratios)):
            yield (
                f"stage {stage.name} needs ratio {', '.join(map(str, missing))} in networks.super_resolution.ratios, "
                f"which has {', '.join(map(str, branch.ratios))} (thick slices need 1)"
            )
        for ratio in stage.ratios:
            if any(length % ratio for length in config.data.crop_voxels):
                yield f"stage {stage.name}: data.crop_voxels must be multiples of its ratio {ratio}"


def _too_large(networks: nn.ModuleDict) -> Iterator[str]:
    """Components that no bundle may hold."""
    for name in COMPONENTS:
        if name not in networks:
            continue
        count = sum(values.numel() for values in networks[name].state_dict().values())
        if count * BYTES_PER_WEIGHT > MAX_COMPONENT_BYTES:
            most = MAX_COMPONENT_BYTES / BYTES_PER_WEIGHT / 1e6
            yield (
                f"networks.{name} has {count / 1e6:.2f} M weights, {count * BYTES_PER_WEIGHT / 2**20:.1f} MiB in a "
                f"bundle, where a component may have {MAX_COMPONENT_BYTES >> 20} MiB: choose smaller widths, below "
                f"{math.floor(most * 10) / 10:g} M weights"
            )
