"""A bundle's weights as networks ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.kept import kept_or_loaded
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import Bundle, load_tensors
from MRTranslateLib.networks.generator import Generator, build_generator
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator, build_local_discriminator
from MRTranslateLib.networks.specialised import SpecialisedGenerator
from MRTranslateLib.networks.super_resolution import SuperResolver, build_super_resolver

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def load_generator(bundle: Bundle) -> Generator:
    """The generator of a bundle, fp32, in evaluation mode: on the CPU, or as its last run left it where it was kept.

    Raises:
        ModelError: If the weights do not fit the architecture that the card names.
    """
    architecture, specialist = bundle.card.architecture, bundle.card.components.specialist
    key = f"generator {bundle.weights_sha256} {architecture.name} {sorted(architecture.parameters.items())}"
    if specialist is not None:
        key += f" {bundle.component_sha256('specialist')} {specialist.architecture} {specialist.routes}"
    return kept_or_loaded(key, lambda: _load(bundle))


def _load(bundle: Bundle) -> Generator:
    generator, specialist = _built(bundle, None, bundle.card.architecture), bundle.card.components.specialist
    if specialist is not None:
        routes = [(route.sources, route.target) for route in specialist.routes]
        special = _built(bundle, "specialist", specialist.architecture)
        try:
            generator = SpecialisedGenerator(generator, special, routes)
        except ValueError as error:
            raise ModelError(f"parts of model {bundle.card.name} do not fit: {error}") from None
    return generator.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _built(bundle: Bundle, component: str | None, architecture: Architecture) -> Generator:
    generator = build_generator(architecture.name, architecture.parameters)
    _fill(generator, bundle, component, architecture.name)
    return generator


def load_local_discriminator(bundle: Bundle) -> LocalDiscriminator:
    """The local discriminator of a bundle, as :func:`load_generator`.

    Raises:
        ModelError: If the bundle has none, or its parameters or weights do not fit.
    """
    parameters = bundle.card.require_attention().parameters
    return _load_component(bundle, "local_discriminator", parameters, build_local_discriminator)


def load_super_resolver(bundle: Bundle) -> SuperResolver:
    """The super-resolution branch of a bundle, as :func:`load_generator`.

    Raises:
        ModelError: If the bundle has none, or its parameters or weights do not fit.
    """
    parameters = bundle.card.require_super_resolution().parameters
    return _load_component(bundle, "super_resolution", parameters, build_super_resolver)


def _load_component(
    bundle: Bundle, name: str, parameters: Mapping[str, Any], build: Callable[[Mapping[str, Any]], NetworkT]
) -> NetworkT:
    def load() -> NetworkT:
        network = build(parameters)
        _fill(network, bundle, name, name)
        return network.eval()

    return kept_or_loaded(f"{name} {bundle.component_sha256(name)} {sorted(parameters.items())}", load)


def _fill(network: nn.Module, bundle: Bundle, component: str | None, architecture: str) -> None:
    """Load the weights of the generator (None) or of a component into a network of that architecture."""
    tensors = {name: torch.from_numpy(values) for name, values in load_tensors(bundle, component).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"weights of model {bundle.card.name} do not fit its architecture {architecture}: install it again "
            f"({' '.join(str(error).split())[:200]})"
        ) from None


def device_name(device: str) -> str:
    """``cpu``, or ``cuda:0 (NVIDIA H200)``."""
    return device if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
