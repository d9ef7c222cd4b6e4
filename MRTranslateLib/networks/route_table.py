"""Which slices of a batch are to be translated by a listed route: exactly these sources, to that target."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast


class RouteTable(nn.Module):
    """A list of routes that moves with the network it belongs to; it has no weights."""

    sources: Tensor
    targets: Tensor

    def __init__(self, routes: Sequence[tuple[Collection[Contrast], Contrast]] | None) -> None:
        """Keep the list; None stands for every route."""
        super().__init__()
        self.lists_all = routes is None
        sources = [[float(contrast in given) for contrast in Contrast] for given, _ in routes or ()]
        self.register_buffer("sources", torch.tensor(sources).view(-1, len(Contrast)), persistent=False)
        targets = [[float(contrast == target) for contrast in Contrast] for _, target in routes or ()]
        self.register_buffer("targets", torch.tensor(targets).view(-1, len(Contrast)), persistent=False)

    def forward(self, availability: Tensor, target_code: Tensor) -> Tensor:
        """Of what is wanted, what is listed.

        Args:
            availability: ``(B, 5)``, 1 where the contrast is given.
            target_code: ``(B, 5)``, 1 for each contrast that is wanted.

        Returns:
            ``(B, 5)`` bool.
        """
        wanted = target_code > 0
        if self.lists_all:
            return wanted
        same_sources = (availability[:, None] == self.sources).all(dim=2)
        return wanted & (same_sources.float() @ self.targets > 0)
