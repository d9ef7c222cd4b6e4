"""System C's label correction: moves a target that does not lie on its sources into their frame; training only.

METHODS 3.2 and 3.3 (stated: the registration U-Net on target and source; the corrected target carries the gradient).
The opposite of RegGAN, which warps the prediction onto the target. That it serves any contrast from any sources is
ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from MRTranslateLib.networks.refiner import NUM_CONTEXT_CHANNELS, source_context
from MRTranslateLib.networks.registration_unet import RegistrationUNet, RegistrationUNetParameters
from MRTranslateLib.networks.warp import warp


@dataclass(frozen=True)
class CorrectedTarget:
    """A target in the frame of its sources.

    Attributes:
        image: ``(B, 1, H, W)``, the target warped by ``flow``; not detached: detach it wherever it is only a label.
        flow: ``(B, 2, H, W)``, where in the given target each value comes from; rows and columns, in voxels.
    """

    image: Tensor
    flow: Tensor


class LabelCorrection(nn.Module):
    """Target and sources in, flow out. Untrained, it moves by less than a hundredth of a voxel."""

    def __init__(self, parameters: RegistrationUNetParameters) -> None:
        super().__init__()
        self.registration = RegistrationUNet(1 + NUM_CONTEXT_CHANNELS, parameters)

    def forward(self, target: Tensor, sources: Tensor, availability: Tensor, target_code: Tensor) -> CorrectedTarget:
        """Correct targets of one contrast each.

        Args:
            target: ``(B, 1, H, W)``, the real image, perhaps misaligned, 0..1.
            sources: ``(B, 5, H, W)``, 0..1; missing contrasts may hold anything.
            availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
            target_code: ``(B, 5)``, 1 for the contrast of ``target``, else 0.
        """
        context = source_context(sources, availability, target_code)
        flow = self.registration(torch.cat([target, context], dim=1)).flow
        return CorrectedTarget(warp(target, flow), flow)
