"""Slices to attack, and victims whose weakness is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

SIZE = 32


def slices(batch: int = 3, sources: int = 2, seed: int = 0, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Smooth sources of 0.2..0.8 in a disc ``(B, C, H, W)`` and the disc ``(B, 1, H, W)``."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, sources, 5, 5, generator=random)
    images = 0.2 + 0.6 * nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    row, column = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    brain = (row**2 + column**2 < 0.8).float().expand(batch, 1, -1, -1)
    return images * brain, brain


class ForbiddenNetwork(nn.Module):
    """A generator that answers, and whose weights nobody may look at.

    Its parameters, buffers and state raise when they are asked for; what it computes with is hidden in a closure of
    numpy, where no gradient can follow.
    """

    def __init__(self) -> None:
        super().__init__()
        kernel = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
        # numpy() raises for tensors that want gradients: whoever sends one is found out.
        self._answer = lambda images: np.tanh((images.numpy() * kernel).mean(axis=(1, 2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise AssertionError("the attacker asked with gradients enabled")
        return torch.from_numpy(self._answer(images.flatten(1, -3)))[:, None, None, None].expand(-1, 1, SIZE, SIZE)

    def _forbidden(self, *_args, **_kwargs):
        raise AssertionError("the attacker looked at the generator's weights")

    parameters = named_parameters = buffers = named_buffers = state_dict = modules = children = _forbidden


class TexturedNetwork(nn.Module):
    """A small convolutional network with fixed random weights; smooth, so that gradients mean something."""

    def __init__(self, sources: int = 2, seed: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(sources, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 1, 5, padding=2))
        random = torch.Generator().manual_seed(seed)
        for parameter in self.layers.parameters():
            nn.init.normal_(parameter, std=0.15, generator=random)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.layers(images.flatten(1, -3))
        return answer
