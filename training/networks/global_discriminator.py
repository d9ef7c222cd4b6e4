"""The global discriminator of system B: one judgement of the whole slice. METHODS 2.3, a proposal.

The trunk is the local discriminator's; its training-only companion has no part in the attention map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from MRTranslateLib.networks.local_discriminator import (
    LEAKY_SLOPE,
    CandidateInSources,
    DiscriminatorParameters,
    bounded,
    pad_to_multiple,
    strided_trunk,
)

SIZE_MULTIPLE = 64
"""Six strided convolutions; the last is not normalised, so 64 x 64 voxels may end in a single value."""


class GlobalDiscriminator(nn.Module):
    """Six strided convolutions, mean and maximum over the slice, one logit."""

    def __init__(self, settings: DiscriminatorParameters) -> None:
        super().__init__()
        self.settings = settings
        last = settings.widths[-1]
        self.condition = CandidateInSources(sees_sources=settings.sees_sources)
        self.trunk = strided_trunk(self.condition.out_channels, (*settings.widths, last), settings)
        self.coarsest = bounded(nn.Conv2d(last, last, 4, stride=2, padding=1), settings)
        self.vote = bounded(nn.Linear(2 * last, 1), settings)

    def forward(self, sources: Tensor, availability: Tensor, target_code: Tensor, candidate: Tensor) -> Tensor:
        """Logit ``(B, 1)``, positive for a slice that looks real.

        Arguments and errors as :meth:`MRTranslateLib.networks.local_discriminator.LocalDiscriminator.forward`; slices
        are padded with background to multiples of 64 voxels.
        """
        judged = self.condition(sources, availability, target_code, candidate)
        features = self.coarsest(self.trunk(pad_to_multiple(judged, SIZE_MULTIPLE, SIZE_MULTIPLE)))
        features = functional.leaky_relu(features, LEAKY_SLOPE)
        logit: Tensor = self.vote(torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1))
        return logit
