"""From a stage's configuration to the stage."""

from __future__ import annotations

from training.config import (
    AttentionStageConfig,
    GeneratorStageConfig,
    RefineStageConfig,
    StageConfig,
    VolumeRefineStageConfig,
)
from training.stages.attention import AttentionStage
from training.stages.generator_stage import GeneratorStage
from training.stages.refine import RefineStage
from training.stages.stage import Stage, StageContext
from training.stages.super_resolution import SuperResolutionStage
from training.stages.volume_refine import VolumeRefineStage


def build_stage(config: StageConfig, context: StageContext) -> Stage:
    """A stage at its first step, over the run's networks as they are."""
    if isinstance(config, GeneratorStageConfig):
        return GeneratorStage(config, context)
    if isinstance(config, RefineStageConfig):
        return RefineStage(config, context)
    if isinstance(config, AttentionStageConfig):
        return AttentionStage(config, context)
    if isinstance(config, VolumeRefineStageConfig):
        return VolumeRefineStage(config, context)
    return SuperResolutionStage(config, context)
