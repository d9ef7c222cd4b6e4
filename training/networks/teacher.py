"""System A's teacher: refines a translation while seeing the real target; its knowledge goes to the student.

METHODS 1.4. Stated: a registration network with more inputs than the student, used in training only. Inferred: that the
real target is among its inputs. Proposed: sources as further input, residual head, dropout of the target, averaging.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.refiner import (
    NUM_CONTEXT_CHANNELS,
    Refinement,
    RefinementNetwork,
    RefinementParameters,
    source_context,
)

TARGET_DROPOUT = 0.1
"""Share of slices for which the target is hidden from the teacher, so that it does not copy it (METHODS 9.2)."""


class Teacher(nn.Module):
    """The student's body with privileged inputs.

    Args:
        parameters: Size; the feature levels need not be as wide as the student's.
        with_sources: Whether it sees {synthetic, target, sources} or only {synthetic, target}; the paper does not say.
    """

    def __init__(self, parameters: RefinementParameters, *, with_sources: bool) -> None:
        super().__init__()
        self.with_sources = with_sources
        self.body = RefinementNetwork(2 + (NUM_CONTEXT_CHANNELS if with_sources else 0), parameters)

    def forward(
        self, synthetic: Tensor, target: Tensor, sources: Tensor, availability: Tensor, target_code: Tensor
    ) -> Refinement:
        """Refine one contrast.

        Args:
            synthetic: ``(B, 1, H, W)``, the generator's output, 0..1 units.
            target: ``(B, 1, H, W)``, the real image, label-corrected if system C is on; see :func:`drop_targets`.
            sources: ``(B, 5, H, W)``, 0..1.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            target_code: ``(B, 5)``, 1 for the contrast of ``synthetic``, else 0.
        """
        inputs = [synthetic, target]
        if self.with_sources:
            inputs.append(source_context(sources, availability, target_code))
        result: Refinement = self.body(synthetic, torch.cat(inputs, dim=1))
        return result


def drop_targets(targets: Tensor, random: torch.Generator, probability: float = TARGET_DROPOUT) -> Tensor:
    """Hide whole targets at random, as input of the teacher; its loss goes on comparing with the real ones.

    Args:
        targets: ``(B, 1, H, W)``.
        random: Source of chance, on the CPU.
        probability: Of hiding, per slice.

    Returns:
        The same with zeros for the hidden ones.
    """
    kept = torch.rand(len(targets), 1, 1, 1, generator=random) >= probability
    return targets * kept.to(targets)
