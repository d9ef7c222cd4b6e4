"""A generator for every route and another one that is better on a few, behind the adapter of generators."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import lcm

import torch
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import Generator, SourceSlices, Truth
from MRTranslateLib.networks.route_table import RouteTable


class SpecialisedGenerator(Generator):
    """The listed routes are the specialist's, all others the general generator's; a slice costs one of the two."""

    def __init__(
        self,
        general: Generator,
        specialist: Generator,
        routes: Sequence[tuple[Collection[Contrast], Contrast]],
    ) -> None:
        """Join two generators.

        Args:
            general: Translates what is not listed; its levels are kept.
            specialist: Translates what is.
            routes: Exactly these sources, to that target.

        Raises:
            ValueError: If they want different numbers of neighbouring slices.
        """
        super().__init__()
        if general.num_neighbours != specialist.num_neighbours:
            raise ValueError(
                f"the specialist wants {specialist.num_neighbours} neighbouring slices, the general generator "
                f"{general.num_neighbours}"
            )
        self.general, self.specialist, self.routes = general, specialist, RouteTable(routes)
        self.num_neighbours = general.num_neighbours
        self.size_multiple = lcm(general.size_multiple, specialist.size_multiple)
        self.levels = general.levels

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`."""
        return self._joined(slices, target_code, lambda generator: generator.train_pred(slices, target_code, truth))

    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.fast_pred`."""
        return self._joined(slices, target_code, lambda generator: generator.fast_pred(slices, target_code))

    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.sample`."""
        return self._joined(slices, target_code, lambda generator: generator.sample(slices, target_code))

    def _joined(self, slices: SourceSlices, target_code: Tensor, run: Callable[[Generator], Tensor]) -> Tensor:
        listed = self.routes(slices.availability, target_code)
        if not listed.any():
            return run(self.general)
        if torch.equal(listed, target_code > 0):
            return run(self.specialist)
        return torch.where(listed[:, :, None, None], run(self.specialist), run(self.general))
