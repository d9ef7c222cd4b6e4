"""A source that is incomplete or missing: the field of view ended early, the scan was aborted or lost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance


@dataclass(frozen=True)
class DroppedSource(Artefact):
    """A share of the brain's slices, from the top or the bottom, was not acquired and is 0.

    A lone volume loses that share of its slices. Of a batch's sources one per sample is struck, and lost with
    probability ``share``: that is how often one of its slices falls into the missing part. The last source of a sample
    is never lost. Whoever tells a generator which sources are available should ask :func:`still_available` afterwards.

    Attributes:
        share: Of the slices with brain, 0..1; 1 loses the whole source.
    """

    share: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`."""
        if scans.sources_per_sample is None:
            return scans.images * self._kept_slices(scans, chance)
        acquired = scans.brain.flatten(1).any(dim=1).view(-1, scans.sources_per_sample)
        order = chance.uniform((len(acquired), scans.sources_per_sample), 0, 1)
        struck = torch.where(acquired, order, -1.0).argmax(dim=1)
        lost = (chance.uniform((len(acquired),), 0, 1) < self.share) & (acquired.sum(dim=1) > 1)
        kept = torch.ones_like(acquired)
        kept[torch.arange(len(acquired), device=kept.device), struck] = ~lost
        return scans.images * kept.view(-1, 1, 1, 1)

    def _kept_slices(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """``(1, S, 1, 1)`` bool."""
        occupied = scans.brain[0].flatten(1).any(dim=1).nonzero()[:, 0]
        kept = torch.ones(scans.images.shape[1], dtype=torch.bool, device=scans.images.device)
        num_lost = round(self.share * len(occupied))
        from_top = bool(chance.integers((1,), 0, 2))
        kept[occupied[len(occupied) - num_lost :] if from_top else occupied[:num_lost]] = False
        return kept.view(1, -1, 1, 1)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"{100 * self.share:.0f} % missing"


def still_available(images: Tensor, availability: Tensor) -> Tensor:
    """Availability after perturbation: 0 where nothing is left of a source.

    Args:
        images: ``(B, C, H, W)`` or ``(B, C, N, H, W)``.
        availability: ``(B, C)``, 1 where the source was given.
    """
    return availability * (images != 0).flatten(2).any(dim=2)
