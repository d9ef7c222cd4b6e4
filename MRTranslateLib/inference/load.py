"""A bundle's weights as a generator ready to run."""

from __future__ import annotations

import torch

from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.kept import kept_or_loaded
from MRTranslateLib.models.bundle import Bundle, load_tensors
from MRTranslateLib.networks.generator import Generator, build_generator


def load_generator(bundle: Bundle) -> Generator:
    """The generator of a bundle, fp32, in evaluation mode: on the CPU, or as its last run left it where it was kept.

    Raises:
        ModelError: If the weights do not fit the architecture that the card names.
    """
    architecture = bundle.card.architecture
    key = f"generator {bundle.weights_sha256} {architecture.name} {sorted(architecture.parameters.items())}"
    return kept_or_loaded(key, lambda: _load(bundle))


def _load(bundle: Bundle) -> Generator:
    card = bundle.card
    generator = build_generator(card.architecture.name, card.architecture.parameters)
    tensors = {name: torch.from_numpy(values) for name, values in load_tensors(bundle).items()}
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"weights of model {card.name} do not fit its architecture {card.architecture.name}: install it again "
            f"({' '.join(str(error).split())[:200]})"
        ) from None
    return generator.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def device_name(device: str) -> str:
    """``cpu``, or ``cuda:0 (NVIDIA H200)``."""
    return device if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
