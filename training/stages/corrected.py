"""Targets in the frame of their sources, for stages behind the one that trained label correction (system C)."""

from __future__ import annotations

import dataclasses

import torch

from training.batch import Pairs
from training.networks.label_correction import CorrectedTarget
from training.stages.stage import StageContext


@torch.no_grad()
def with_corrected_targets(context: StageContext, pairs: Pairs) -> Pairs:
    """The pairs with what label correction, left as it is, makes of their targets (METHODS 1.5 and 3.3: y* is y_a)."""
    corrected: CorrectedTarget = context.networks["label_correction"](pairs.truth, *pairs.condition)
    return dataclasses.replace(pairs, truth=corrected.image)
