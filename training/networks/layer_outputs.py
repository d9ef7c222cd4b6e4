"""What the layers of a network put out while it runs, for losses that compare features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def layer_outputs(network: nn.Module, kind: type[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect the outputs of all layers of a kind, in the order in which they run, float32.

    Args:
        network: Its forward pass is called inside the block.
        kind: For example ``nn.LeakyReLU``.
    """
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output.float())

    hooks = [module.register_forward_hook(keep) for module in network.modules() if isinstance(module, kind)]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
