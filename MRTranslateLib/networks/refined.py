"""A generator and its student behind the adapter of generators: what system A delivers (METHODS 4.1)."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import torch
from torch import Tensor

from MRTranslateLib.networks.generator import Generator, SourceSlices, Truth, build_generator
from MRTranslateLib.networks.refiner import RefinementParameters, Refiner


class RefinedParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size of a :class:`RefinedGenerator`; stored in the model card.

    Attributes:
        architecture: Of the generator.
        parameters: Of the generator.
        student: Of the student.
    """

    architecture: str
    parameters: dict[str, Any]
    student: RefinementParameters


class RefinedGenerator(Generator):
    """Generator, then student: one contrast after the other is refined."""

    def __init__(self, parameters: RefinedParameters) -> None:
        super().__init__()
        self.generator = build_generator(parameters.architecture, parameters.parameters)
        self.student = Refiner(parameters.student)
        self.num_neighbours = self.generator.num_neighbours
        # The student's poolings need no multiple, but a smallest size, which a multiple of it ensures.
        self.size_multiple = math.lcm(self.generator.size_multiple, parameters.student.registration.min_size)

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
        rows, channels = target_code.nonzero(as_tuple=True)
        sources = slices.images[:, :, slices.images.shape[2] // 2][rows]
        code = torch.eye(target_code.shape[1], device=rows.device)[channels]
        synthetic = predicted[rows, channels][:, None]
        refined = self.student(synthetic.float(), sources, slices.availability[rows], code).image
        result = predicted.clone()
        result[rows, channels] = refined[:, 0].to(result.dtype)
        return result
