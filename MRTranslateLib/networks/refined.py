"""A generator and its student behind the adapter of generators: what system A delivers (METHODS 4.1)."""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.networks.generator import Generator, SourceSlices, Truth, build_generator
from MRTranslateLib.networks.refiner import RefinementParameters, Refiner
from MRTranslateLib.networks.route_table import RouteTable


class RefinedParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Size of a :class:`RefinedGenerator`; stored in the model card.

    Attributes:
        architecture: Of the generator.
        parameters: Of the generator.
        student: Of the student.
        routes: Which routes the student refines, the others are the generator's alone; None for all. What is gained on
            one route must not be paid for on another.
    """

    architecture: str
    parameters: dict[str, Any]
    student: RefinementParameters
    routes: tuple[CardRoute, ...] | None = None


class RefinedGenerator(Generator):
    """Generator, then student: one contrast after the other is refined."""

    def __init__(self, parameters: RefinedParameters) -> None:
        super().__init__()
        self.generator = build_generator(parameters.architecture, parameters.parameters)
        self.student = Refiner(parameters.student)
        self.num_neighbours = self.generator.num_neighbours
        routes = None if parameters.routes is None else [(route.sources, route.target) for route in parameters.routes]
        self.routes = RouteTable(routes)
        # Not a larger multiple for the student's sake: with more background around the brain the norms of a generator
        # see other statistics, which moved the U-Net's results by up to 0.3 dB.
        self.size_multiple = self.generator.size_multiple
        self.student_min_size = parameters.student.registration.min_size

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`."""
        return self._refined(self.generator.train_pred(slices, target_code, truth), slices, target_code)

    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.fast_pred`."""
        with torch.no_grad():
            return self._refined(self.generator.fast_pred(slices, target_code), slices, target_code)

    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.sample`."""
        with torch.no_grad():
            return self._refined(self.generator.sample(slices, target_code), slices, target_code)

    def own_losses(self) -> dict[str, Tensor]:
        """See :meth:`Generator.own_losses`."""
        return self.generator.own_losses()

    def _refined(self, predicted: Tensor, slices: SourceSlices, target_code: Tensor) -> Tensor:
        rows, channels = self.routes(slices.availability, target_code).nonzero(as_tuple=True)
        if len(rows) == 0:
            return predicted
        sources = slices.images[:, :, slices.images.shape[2] // 2][rows]
        code = torch.eye(target_code.shape[1], device=rows.device)[channels]
        synthetic = predicted[rows, channels][:, None]
        height, width = synthetic.shape[-2:]
        padding = (0, max(self.student_min_size - width, 0), 0, max(self.student_min_size - height, 0))
        padded = [nn.functional.pad(images, padding) for images in (synthetic.float(), sources)]
        refined = self.student(*padded, slices.availability[rows], code).image[..., :height, :width]
        result = predicted.clone()
        result[rows, channels] = refined[:, 0].to(result.dtype)
        return result
