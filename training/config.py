"""A training run as typed, closed values: unknown, missing and mistyped keys are refused by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError


class ConfigError(UsageError):
    """A configuration that must not start a run; the message names file and key."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: no field has a default, so a YAML file shows every value."""


class DataConfig(Section, frozen=True, kw_only=True):
    """Which people, and how slices are drawn from them.

    Attributes:
        realign: Participants whose contrasts are rigidly registered to their last listed contrast, FLAIR, on which
            lesions were drawn, while caching.
        crop_voxels: Height (anterior) and width (right) of training slices.
        lesion_fraction: Share of slices drawn among those that cut a lesion, where there is a mask.
        source_count_weights: Relative frequency of 1, 2 and 3 sources.
    """

    realign: tuple[str, ...]
    crop_voxels: tuple[int, int]
    lesion_fraction: float
    source_count_weights: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.crop_voxels) < 16:
            raise ValueError(f"crop_voxels must be at least 16, got {self.crop_voxels}")
        if not 0 <= self.lesion_fraction <= 1:
            raise ValueError(f"lesion_fraction must be in 0..1, got {self.lesion_fraction}")
        if min(self.source_count_weights) < 0 or sum(self.source_count_weights) <= 0:
            raise ValueError(f"source_count_weights must be positive, got {self.source_count_weights}")


class AugmentationConfig(Section, frozen=True, kw_only=True):
    """Random changes to training slices; geometry is the same for all contrasts, the rest is for sources only.

    Attributes:
        geometry_probability: Share of slices that are rotated, scaled, shifted and warped (all may be mirrored).
        rotation_deg: Largest rotation.
        scale: Largest relative change of size.
        shift_voxels: Largest shift.
        warp_voxels: Standard deviation of the smooth warp.
        gamma: Largest absolute log-gamma.
        gain: Largest relative change of brightness.
        bias_field: Largest log-amplitude of the smooth bias field.
        noise: Largest noise standard deviation, in units of the 99.5th percentile.
        blur_probability: Share of source contrasts that are blurred, in plane or through plane.
    """

    geometry_probability: float
    rotation_deg: float
    scale: float
    shift_voxels: float
    warp_voxels: float
    gamma: float
    gain: float
    bias_field: float
    noise: float
    blur_probability: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) <= 90:
                raise ValueError(f"{name} must be in 0..90, got {getattr(self, name)}")


class GeneratorConfig(Section, frozen=True, kw_only=True):
    """The generator: an architecture of ``MRTranslateLib.networks.generator`` and its parameters."""

    architecture: str
    parameters: dict[str, Any]


class LossConfig(Section, frozen=True, kw_only=True):
    """Weights of the supervised losses, averaged inside the brain.

    Attributes:
        absolute_error: Of the mean absolute error.
        squared_error: Of the mean squared error.
        structural_similarity: Of 1 - SSIM.
        lesion: How many times more a voxel of a drawn lesion counts in the first two.
        level: Share of a slice's mean error that counts in the first two. The level of a contrast depends on the
            scanner more than on anything the sources show; below 1 it drowns the structure less.
    """

    absolute_error: float
    squared_error: float
    structural_similarity: float
    lesion: float
    level: float


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """AdamW with linear warm-up and cosine decay to zero; for the steps after the voxel stage."""

    peak_learning_rate: float
    weight_decay: float
    num_warmup_steps: int
    num_steps: int
    batch_size: int
    gradient_clip_norm: float
    ema_decay: float

    def __post_init__(self) -> None:
        if not 0 < self.peak_learning_rate < 1:
            raise ValueError(f"peak_learning_rate must be in (0, 1), got {self.peak_learning_rate}")
        if not 0 <= self.num_warmup_steps < self.num_steps:
            raise ValueError(f"num_warmup_steps {self.num_warmup_steps} must be below num_steps {self.num_steps}")
        if self.batch_size < 1 or not 0 <= self.ema_decay < 1 or self.gradient_clip_norm <= 0:
            raise ValueError("need batch_size >= 1, 0 <= ema_decay < 1 and gradient_clip_norm > 0")


class VoxelStageConfig(Section, frozen=True, kw_only=True):
    """The stage before all others: the generator's per-voxel path alone learns what a regression knows.

    Attributes:
        num_steps: 0 for generators without such a path.
        voxels_per_scan: Drawn once from each scan, evenly over its brain.
        batch_voxels: Voxels of all scans per step.
        learning_rate: At the start; falls by half a cosine to zero.
        frozen_afterwards: The path and the embedding it shares with the U-Net keep what they learned here.
    """

    num_steps: int
    voxels_per_scan: int
    batch_voxels: int
    learning_rate: float
    frozen_afterwards: bool

    def __post_init__(self) -> None:
        if self.num_steps < 0 or min(self.voxels_per_scan, self.batch_voxels) < 1 or not 0 < self.learning_rate < 1:
            raise ValueError("need num_steps >= 0, at least 1 voxel and learning_rate in (0, 1)")


class TrainingConfig(Section, frozen=True, kw_only=True):
    """One supervised run; written next to its checkpoints, so a checkpoint says how it was made."""

    name: str
    seed: int
    precision: str
    checkpoint_every_steps: int
    validate_every_steps: int
    log_every_steps: int
    data: DataConfig
    augmentation: AugmentationConfig
    generator: GeneratorConfig
    losses: LossConfig
    voxel_stage: VoxelStageConfig
    optimizer: OptimizerConfig

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {self.precision!r}")
        if min(self.checkpoint_every_steps, self.validate_every_steps, self.log_every_steps) < 1:
            raise ValueError("checkpoint_every_steps, validate_every_steps and log_every_steps must be 1 or more")


TRAINED_CONTRASTS = (Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR)
"""The contrasts that the open data holds; PDw is known to the library but no person in the data has it."""


def read_config(path: Path) -> TrainingConfig:
    """Read and check a YAML file of ``training/configs``.

    Raises:
        ConfigError: Naming file and key, if the file is missing, no YAML, or any key is unknown, missing or mistyped.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    return config_from_mapping(values, where=str(path))


def config_from_mapping(values: Any, *, where: str) -> TrainingConfig:
    """Check parsed values; see :func:`read_config`. ``where`` opens every error message."""
    try:
        return msgspec.convert(values, TrainingConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from None
