"""What a run would deliver so far, for stages that learn beside it and leave it as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from MRTranslateLib.networks.super_resolution import translate_or_super_resolve
from training.batch import Pairs, StepBatch
from training.stages.stage import StageContext


@torch.no_grad()
def delivered(context: StageContext, batch: StepBatch, pairs: Pairs) -> Tensor:
    """The generator's images ``(P, 1, H, W)``, refined by the student where the run has one."""
    with context.autocast():
        synthetic = pairs.pick(translate_or_super_resolve(context.generator, None, batch.slices, batch.target_code))
        if "student" in context.networks:
            synthetic = context.networks["student"](synthetic.float(), *pairs.condition).image
    return synthetic.float()
