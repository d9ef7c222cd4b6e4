"""What the student of system A is trained on: to match the teacher's image, flow and features, and the target.

``L_S = 1 mean|yS - sg(yT)| + 0.5 mean(sum_c |phi_S - sg(phi_T)| / d_max) + 0.1 sum_l ||n(f_S^l) - sg(n(f_T^l))||^2 + 20
mean_m|yS - y| + 10 smooth(phi_S)``: METHODS 1.5. That there is distillation is stated in the paper; every term is a
proposal. Nothing here reaches the teacher. What differs: the weights of differences of brightness are doubled, because
METHODS counts on -1..1 and we on 0..1, and all means but the smoothness and the features are taken inside the brain.

A warning from METHODS 1.5: misalignment that is random given the sources has mean zero, and so has the best student
flow. Correct the labels first; ``training.monitors.check_student`` tells when nothing was left to distil.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.networks.refiner import Refinement
from training.losses.masked_error import masked_absolute_error
from training.losses.smoothness import flow_smoothness


@dataclass(frozen=True, kw_only=True)
class DistillationWeights:
    """Weights of the terms; a student without teacher has the first three at 0."""

    output: float
    flow: float
    features: float
    target: float
    smoothness: float


METHODS_WEIGHTS = DistillationWeights(output=2.0, flow=0.5, features=0.1, target=40.0, smoothness=10.0)
WITHOUT_TEACHER = DistillationWeights(output=0.0, flow=0.0, features=0.0, target=40.0, smoothness=10.0)
"""The control of METHODS 1.9 and 9.2: the student trained on the target alone."""


class DistillationLoss(nn.Module):
    """The student's loss; where the teacher's features are wider, 1 x 1 adapters are trained with the student.

    Args:
        student_widths: Channels of the student's features, coarse to fine.
        teacher_widths: Channels of the teacher's.
        max_flow_voxels: The unit of the flow term, ``d_max``; METHODS has 8.
        weights: Of the terms.
    """

    def __init__(
        self,
        student_widths: Sequence[int],
        teacher_widths: Sequence[int],
        *,
        max_flow_voxels: float,
        weights: DistillationWeights = METHODS_WEIGHTS,
    ) -> None:
        super().__init__()
        self.max_flow_voxels, self.weights = max_flow_voxels, weights
        self.adapters = nn.ModuleList(
            nn.Identity() if mine == theirs else nn.Conv2d(mine, theirs, 1)
            for mine, theirs in zip(student_widths, teacher_widths, strict=True)
        )

    def forward(self, student: Refinement, teacher: Refinement, target: Tensor, brain: Tensor) -> dict[str, Tensor]:
        """Weighted terms of the loss.

        Args:
            student: The student's output.
            teacher: The teacher's output for the same slices; taken as given.
            target: ``(B, 1, H, W)``, the real image, label-corrected if system C is on; taken as given.
            brain: ``(B, 1, H, W)``, 0/1.

        Returns:
            Scalars by name, to be added up.
        """
        weights, both = self.weights, brain.expand(-1, 2, -1, -1)
        flow_difference = 2 * masked_absolute_error(student.flow, teacher.flow.detach(), both)  # sum over rows, columns
        return {
            "output": weights.output * masked_absolute_error(student.image, teacher.image.detach(), brain),
            "flow": weights.flow * flow_difference / self.max_flow_voxels,
            "features": weights.features * self._feature_difference(student.features, teacher.features),
            "target": weights.target * masked_absolute_error(student.image, target.detach(), brain),
            "smoothness": weights.smoothness * flow_smoothness(student.flow),
        }

    def _feature_difference(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Squared distance of the features' directions, 0..4, averaged over voxels and summed over levels."""
        levels = []
        for adapter, mine, theirs in zip(self.adapters, student, teacher, strict=True):
            difference = functional.normalize(adapter(mine).float()) - functional.normalize(theirs.detach().float())
            levels.append(difference.square().sum(dim=1).mean())
        return torch.stack(levels).sum()


def scale_gradient(image: Tensor, weight: float) -> Tensor:
    """The same values, with the gradient that flows back multiplied by ``weight``.

    METHODS 1.5 (proposal): the student's loss reaches the generator with 0 at first and 0.1 after warm-up, else the
    generator drifts and the student undoes the drift.
    """
    fixed = image.detach()
    return fixed + weight * (image - fixed)
