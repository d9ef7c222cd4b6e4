"""The small adapter behind which any generator plugs in: GAN, transformer, diffusion (METHODS 1.8, system A).

Adding a generator is one file with its network and an adapter class, and one line in :func:`build_generator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.unet import ConditionalUNet, UNetParameters


@dataclass(frozen=True)
class SourceSlices:
    """A batch of generator inputs.

    Attributes:
        images: ``(B, 5, N, H, W)``, each contrast's N neighbouring axial slices, 0..1 where 1 is the 99.5th percentile
            of the brain; missing contrasts hold zeros.
        availability: ``(B, 5)``, 1 where the contrast was acquired, else 0.
        height: ``(B,)``, position of the middle slice between the lowest (0) and highest (1) slice of the brain.
    """

    images: Tensor
    availability: Tensor
    height: Tensor


class Generator(nn.Module, ABC):
    """What training, attack and inference may ask of a generator.

    Attributes:
        num_neighbours: Slices per contrast it wants, odd.
        size_multiple: Height and width must be multiples of this.
    """

    num_neighbours: int
    size_multiple: int

    @abstractmethod
    def train_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """Differentiable prediction.

        Args:
            slices: The batch.
            target_code: ``(B, 5)``, 1 for each contrast that is wanted; several may be.

        Returns:
            ``(B, 5, H, W)`` in the units of the input, meaningful where the code is 1, not clipped.
        """

    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """A cheap prediction without gradients, for attack scoring; same shapes as :meth:`train_pred`."""
        with torch.no_grad():
            return self.train_pred(slices, target_code)

    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """The translation itself, without gradients; same shapes as :meth:`train_pred`."""
        return self.fast_pred(slices, target_code)

    def own_losses(self) -> dict[str, Tensor]:
        """Losses that belong to this family alone (a diffusion objective, say), from the last ``train_pred``."""
        return {}


class UNetGenerator(Generator):
    """The fast 2.5D U-Net behind the adapter; it predicts all contrasts in one pass, whatever the code."""

    def __init__(self, parameters: UNetParameters) -> None:
        super().__init__()
        self.network = ConditionalUNet(parameters)
        self.num_neighbours = parameters.num_neighbours
        self.size_multiple = parameters.size_multiple

    def train_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """See :meth:`Generator.train_pred`; ``target_code`` selects channels afterwards and costs nothing here."""
        result: Tensor = self.network(slices.images, slices.availability, slices.height)
        return result


def build_generator(architecture: str, parameters: Mapping[str, Any]) -> Generator:
    """The generator named by a model card or a training configuration, with untrained weights.

    Args:
        architecture: ``"unet25d"``.
        parameters: Fields of the architecture's parameter class.

    Raises:
        ModelError: If the architecture is unknown or the parameters do not fit it.
    """
    if architecture != "unet25d":
        raise ModelError(f"unknown architecture {architecture!r}: this version knows unet25d; update MRTranslate")
    try:
        return UNetGenerator(msgspec.convert(dict(parameters), UNetParameters))
    except (msgspec.ValidationError, ValueError) as error:
        raise ModelError(f"parameters of architecture {architecture!r} do not fit: {error}") from None


def one_hot(contrast: Contrast, batch_size: int) -> Tensor:
    """The target code ``(batch_size, 5)`` of one contrast."""
    code = torch.zeros(batch_size, len(Contrast))
    code[:, contrast.channel] = 1.0
    return code
