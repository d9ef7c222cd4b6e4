"""What several runs or bundles have learned, as the mean of their weights.

Of runs that began with the same weights the mean is often better than each, as an ensemble is, at the cost of one
(M. Wortsman et al. Model soups. ICML 2022. arXiv:2203.05482); the mean with what they began with keeps more of what
that knew (M. Wortsman et al. Robust fine-tuning of zero-shot models. CVPR 2022. arXiv:2109.01903).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from MRTranslateLib.models.bundle import CARD_NAME, load_tensors, open_bundle
from MRTranslateLib.networks.context import ContextBlock
from training.checkpoint import load_checkpoint, load_or_reason
from training.config import ConfigError


@dataclass(frozen=True)
class Learned:
    """What lies in the folder of a run or of a bundle.

    Attributes:
        folder: Which.
        networks: Running means of the weights where there are any, by network.
        level_from_voxels: Whether the generator's U-Net had no say in the level.
    """

    folder: Path
    networks: Mapping[str, Mapping[str, Tensor]]
    level_from_voxels: bool


def learned(folder: Path) -> Learned:
    """Read a run, or of a model bundle the generator without student and levels.

    Raises:
        InputError: If the folder holds no readable checkpoint.
        ModelError: If it is a bundle that is damaged.
    """
    if (folder / CARD_NAME).is_file():
        bundle = open_bundle(folder)
        architecture = bundle.card.architecture
        prefix = "generator." if "refined" in architecture.names else ""  # the student lies beside it
        _, parameters = architecture.layers[0]
        weights = {name: torch.from_numpy(values) for name, values in load_tensors(bundle).items()}
        inner = {name.removeprefix(prefix): values for name, values in weights.items() if name.startswith(prefix)}
        return Learned(folder, {"generator": inner}, parameters.get("level_from_voxels", False))
    saved = load_checkpoint(folder)
    bound = saved.config.generator.parameters.get("level_from_voxels", False)
    return Learned(folder, saved.networks | saved.averaged, bound)


def load_mean(network: nn.Module, name: str, several: Sequence[Learned]) -> None:
    """Load the mean of the weights of those that have the network; nothing happens where none has.

    Attention blocks that some of them lack count as the identity there; those that none has stay as they are.

    Args:
        network: Changed in place.
        name: Of the network in a run.
        several: What was learned.

    Raises:
        ConfigError: If one has another architecture or size.
    """
    own, blocks = network.state_dict(), _context_blocks(network)
    inner = {key for key in own if any(key.startswith(f"{block}.") for block in blocks)}
    closing = tuple(f"{block}.{layer}." for block in blocks for layer in ContextBlock.CLOSING)
    found = []
    for each in several:
        weights = each.networks.get(name)
        if weights is None:
            continue
        lacking = inner - weights.keys()
        if why := load_or_reason(network, {key: own[key] for key in lacking} | dict(weights)):
            raise ConfigError(f"{each.folder}: its {name} has another architecture or size ({why}): start without it")
        identity = {key: torch.zeros_like(own[key]) for key in lacking if key.startswith(closing)}
        found.append(identity | dict(weights))
    if found:
        given = {key: [weights[key] for weights in found if key in weights] for key in own}
        network.load_state_dict({key: _mean(values) if values else own[key] for key, values in given.items()})


def _context_blocks(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, ContextBlock)]


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[0]
