"""The small adapter behind which any generator plugs in: GAN, transformer, flow (METHODS 1.8, system A).

That a refinement must work with any generator is stated there; the form of the adapter is a proposal. Adding a
generator is one file with its network, its parameters and a :class:`Generator`, and one line in ``_BUILT_IN``, or,
outside this library, one call of :func:`register_generator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.level_model import LevelModel
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


@dataclass(frozen=True)
class Truth:
    """What a family's own objective learns from; it exists in training only.

    Attributes:
        images: ``(B, 5, H, W)``, the real middle slices, 0..1, meaningful where the target code is 1.
        seed: All chance of the objective (noise, time) follows from it, so that a resumed run equals a whole one.
    """

    images: Tensor
    seed: int


class GeneratorParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parameter classes: closed, typed, without defaults, stored in the model card.

    Attributes:
        num_neighbours: Slices per contrast in the input, odd; the middle one is translated.
    """

    num_neighbours: int

    def __post_init__(self) -> None:
        if self.num_neighbours < 1 or self.num_neighbours % 2 == 0:
            raise ValueError(f"num_neighbours must be odd and positive, got {self.num_neighbours}")


class Generator(nn.Module, ABC):
    """What training, attack and inference may ask of a generator.

    Attributes:
        num_neighbours: Slices per contrast it wants, odd.
        size_multiple: Height and width must be multiples of this.
        levels: How bright its targets are, for whoever translates a whole volume; none for most families.
    """

    num_neighbours: int
    size_multiple: int
    levels: tuple[LevelModel, ...] = ()

    @abstractmethod
    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """Differentiable prediction.

        Args:
            slices: The batch.
            target_code: ``(B, 5)``, 1 for each contrast that is wanted; several may be, and asking for one more
                changes no other.
            truth: For families whose own objective needs the target; those that predict directly ignore it. Without
                it the prediction is that of :meth:`fast_pred`, with gradients.

        Returns:
            ``(B, 5, H, W)`` in the units of the input, meaningful where the code is 1, not clipped.
        """

    def forward(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """:meth:`train_pred`, so that a wrapper that calls modules, as DistributedDataParallel does, can hold one."""
        return self.train_pred(slices, target_code, truth)

    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """A cheap prediction without gradients, for attack scoring; same shapes as :meth:`train_pred`."""
        with torch.no_grad():
            return self.train_pred(slices, target_code)

    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """The translation itself, without gradients; same shapes as :meth:`train_pred`."""
        return self.fast_pred(slices, target_code)

    def own_losses(self) -> dict[str, Tensor]:
        """Losses that belong to this family alone (a flow objective, say), from the last ``train_pred``, unweighted."""
        return {}


class UNetGenerator(Generator):
    """The fast 2.5D U-Net behind the adapter; it predicts all contrasts in one pass, whatever the code."""

    def __init__(self, parameters: UNetParameters) -> None:
        super().__init__()
        self.network = ConditionalUNet(parameters)
        self.num_neighbours = parameters.num_neighbours
        self.size_multiple = parameters.size_multiple

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """See :meth:`Generator.train_pred`; ``target_code`` selects channels afterwards and costs nothing here."""
        result: Tensor = self.network(slices.images, slices.availability, slices.height)
        return result


@dataclass(frozen=True)
class _Family:
    """How a generator is built; classes of this library by ``module:name``, imported when they are wanted."""

    parameters_class: str | type
    generator_class: str | Callable[[Any], Generator]
    needs: tuple[str, ...] = ()


_NETWORKS = "MRTranslateLib.networks"
_BUILT_IN = {
    "unet25d": _Family(f"{_NETWORKS}.unet:UNetParameters", f"{_NETWORKS}.generator:UNetGenerator"),
    "resnet9": _Family(f"{_NETWORKS}.resnet:ResNetParameters", f"{_NETWORKS}.resnet:ResNetGenerator"),
    "restormer": _Family(f"{_NETWORKS}.restormer:RestormerParameters", f"{_NETWORKS}.transformer:RestormerGenerator"),
    "swin_unetr": _Family(
        f"{_NETWORKS}.transformer:SwinUNETRParameters",
        f"{_NETWORKS}.transformer:SwinUNETRGenerator",
        needs=("monai", "einops"),
    ),
    "flow_matching": _Family(
        f"{_NETWORKS}.flow_matching:FlowMatchingParameters",
        f"{_NETWORKS}.flow_matching:FlowMatchingGenerator",
        needs=("monai", "einops"),
    ),
    "refined": _Family(f"{_NETWORKS}.refined:RefinedParameters", f"{_NETWORKS}.refined:RefinedGenerator"),
    "levelled": _Family(f"{_NETWORKS}.levelled:LevelledParameters", f"{_NETWORKS}.levelled:levelled_generator"),
}
_families = dict(_BUILT_IN)


def register_generator(architecture: str, parameters_class: type, generator_class: Callable[[Any], Generator]) -> None:
    """Make a generator from outside this library known to :func:`build_generator`, in this process.

    Weights of it can be loaded wherever the module that calls this was imported before.

    Args:
        architecture: Its name in cards and configurations.
        parameters_class: A :class:`GeneratorParameters`, or another closed type that msgspec can fill from JSON.
        generator_class: Called with one of them.

    Raises:
        ValueError: If the name is taken.
    """
    if architecture in _families:
        raise ValueError(f"architecture {architecture!r} is registered already: choose another name")
    _families[architecture] = _Family(parameters_class, generator_class)


def architectures() -> tuple[str, ...]:
    """Names that :func:`build_generator` knows, built in and registered."""
    return tuple(_families)


def build_generator(architecture: str, parameters: Mapping[str, Any]) -> Generator:
    """The generator named by a model card or a training configuration, with untrained weights.

    Args:
        architecture: One of :func:`architectures`.
        parameters: Fields of the architecture's parameter class.

    Raises:
        ModelError: If the architecture is unknown, a package it needs is not installed, or the parameters do not fit.
    """
    family = _families.get(architecture)
    if family is None:
        known = ", ".join(_families)
        raise ModelError(f"unknown architecture {architecture!r}: this version knows {known}; update MRTranslate")
    if missing := [package for package in family.needs if find_spec(package) is None]:
        raise ModelError(
            f"architecture {architecture!r} needs {' and '.join(missing)}, which this Python does not have: "
            f"pip install {' '.join(missing)}"
        )
    parameters_class, generator_class = _resolved(family.parameters_class), _resolved(family.generator_class)
    try:
        generator: Generator = generator_class(_convert(parameters, parameters_class))
    except (msgspec.ValidationError, ValueError) as error:
        raise ModelError(f"parameters of architecture {architecture!r} do not fit: {error}") from None
    return generator


def _resolved(name: Any) -> Any:
    return resolve_name(name) if isinstance(name, str) else name


def _convert(parameters: Mapping[str, Any], parameters_class: Any) -> Any:
    """As msgspec converts, but closed for dataclasses too, whose surplus keys it would drop."""
    known = [field.encode_name for field in msgspec.inspect.type_info(parameters_class).fields]  # type: ignore[attr-defined]
    if unknown := sorted(set(parameters) - set(known)):
        raise ValueError(f"unknown {', '.join(unknown)}, known are {', '.join(known)}")
    return msgspec.convert(dict(parameters), parameters_class)


def one_hot(contrast: Contrast, batch_size: int) -> Tensor:
    """The target code ``(batch_size, 5)`` of one contrast."""
    code = torch.zeros(batch_size, len(Contrast))
    code[:, contrast.channel] = 1.0
    return code
