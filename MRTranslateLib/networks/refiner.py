"""System A's refinement of a translation: a small warp, and if asked for a gated correction of brightness.

The student, :class:`Refiner`, is kept at inference: generator, then student. The teacher of
``training.networks.teacher`` is the same body with privileged inputs. METHODS 1.4 and 1.5: that both are registration
networks alike in structure and different in inputs is stated; inputs and heads are inferred or proposed there.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.registration_unet import RegistrationUNet, RegistrationUNetParameters
from MRTranslateLib.networks.warp import warp

NUM_CONTRASTS = len(Contrast)
NUM_CONTEXT_CHANNELS = 3 * NUM_CONTRASTS
"""Sources, their availability, and the target code: see :func:`source_context`."""


class RefinementParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Size of a student or teacher; stored in the model card, defaults left out.

    Attributes:
        registration: The body. ``max_flow_voxels`` is to be 2 at most where label correction is on: random misalignment
            is its business (METHODS 4.1, rule 1).
        max_residual: Largest gated correction of brightness, 0..1 units; 0 leaves the head out (the faithful form).
            METHODS 1.4 proposes 0.2 on -1..1, which is 0.1 here: a warp alone cannot mend contrast or texture.
        with_sources: Whether it sees the sources beside the synthetic image. METHODS 1.5 infers that the student does
            and names the synthetic image alone as the alternative.
    """

    registration: RegistrationUNetParameters
    max_residual: float
    with_sources: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.max_residual <= 1:
            raise ValueError(f"max_residual must be in 0..1, got {self.max_residual}")


@dataclass(frozen=True)
class Refinement:
    """A refined translation and how it came about.

    Attributes:
        image: ``(B, 1, H, W)``: the synthetic image warped by ``flow``, plus ``residual``; 0..1 units, not clipped.
            It is meant inside the brain only.
        flow: ``(B, 2, H, W)``, rows and columns, in voxels.
        residual: ``(B, 1, H, W)``, gate times correction; None without that head.
        features: Decoder features at 1/4, 1/2 and the full resolution.
    """

    image: Tensor
    flow: Tensor
    residual: Tensor | None
    features: tuple[Tensor, ...]


class RefinementNetwork(nn.Module):
    """The common body of student and teacher: looks at everything it is given, changes the synthetic image."""

    def __init__(self, in_channels: int, parameters: RefinementParameters) -> None:
        super().__init__()
        self.max_residual = parameters.max_residual
        self.registration = RegistrationUNet(in_channels, parameters.registration)
        self.residual_and_gate: nn.Conv2d | None = None
        if parameters.max_residual > 0:
            self.residual_and_gate = nn.Conv2d(parameters.registration.widths[0], 2, 3, padding=1)
            for parameter in self.residual_and_gate.parameters():
                nn.init.zeros_(parameter)

    def forward(self, synthetic: Tensor, inputs: Tensor) -> Refinement:
        """Refine.

        Args:
            synthetic: ``(B, 1, H, W)``, the generator's output.
            inputs: ``(B, in_channels, H, W)``, everything to look at, the synthetic image included.
        """
        found = self.registration(inputs)
        image, residual = warp(synthetic, found.flow), None
        if self.residual_and_gate is not None:
            correction, gate = self.residual_and_gate(found.head_features).float().chunk(2, dim=1)
            residual = torch.sigmoid(gate) * torch.tanh(correction) * self.max_residual
            image = image + residual
        return Refinement(image, found.flow, residual, found.features)


class Refiner(nn.Module):
    """The student: refines a translation by what is there at inference. Untrained, it changes next to nothing.

    A flow head of 1e-5 moves by less than a hundredth of a voxel; the residual head starts at exactly zero.
    """

    def __init__(self, parameters: RefinementParameters) -> None:
        super().__init__()
        self.with_sources = parameters.with_sources
        self.body = RefinementNetwork(1 + (NUM_CONTEXT_CHANNELS if self.with_sources else 0), parameters)

    def forward(self, synthetic: Tensor, sources: Tensor, availability: Tensor, target_code: Tensor) -> Refinement:
        """Refine one contrast.

        Args:
            synthetic: ``(B, 1, H, W)``, the generator's output for the wanted contrast, 0..1 units.
            sources: ``(B, 5, H, W)``, the slices that were translated, 0..1; missing contrasts may hold anything.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            target_code: ``(B, 5)``, 1 for the contrast of ``synthetic``, else 0.

        A student without sources looks at the first alone.
        """
        inputs = [synthetic]
        if self.with_sources:
            inputs.append(source_context(sources, availability, target_code))
        result: Refinement = self.body(synthetic, torch.cat(inputs, dim=1))
        return result


def source_context(sources: Tensor, availability: Tensor, target_code: Tensor) -> Tensor:
    """What networks of this kind are told about the sources and the route.

    Args:
        sources: ``(B, 5, H, W)``, 0..1; missing contrasts may hold anything: they are zeroed here.
        availability: ``(B, 5)``, 0 or 1.
        target_code: ``(B, 5)``, 0 or 1.

    Returns:
        ``(B, 15, H, W)``: sources, availability and target code, the last two as constant planes.
    """
    planes = torch.cat([availability, target_code], dim=1).to(sources.dtype)[:, :, None, None]
    given = torch.where(availability[:, :, None, None] > 0, sources, torch.zeros_like(sources))
    return torch.cat([given, planes.expand(-1, -1, *sources.shape[-2:])], dim=1)
