"""Seeded randomness that leaves the global generators alone."""

from __future__ import annotations

import torch
from torch import Tensor


class Chance:
    """Random numbers for one perturbation of one batch.

    What decides the artefact (angles, phases, coefficients) is drawn on the CPU and is the same on every device. Noise
    of a value per voxel is drawn where the images lie, since carrying it there would cost more than the rest: the same
    seed gives the same noise on the same kind of device.

    Args:
        seed: Not negative.
        device: Where the images lie.

    Raises:
        ValueError: If the seed is negative.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        if seed < 0:
            raise ValueError(f"a seed is not negative, got {seed}")
        self.device = device
        self._few = torch.Generator().manual_seed(seed)
        self._many = torch.Generator(device).manual_seed(seed)

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        """A few numbers, evenly between ``low`` and ``high``."""
        return (torch.rand(shape, generator=self._few) * (high - low) + low).to(self.device)

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> Tensor:
        """A few integers, ``low`` included, ``high`` not."""
        return torch.randint(low, high, shape, generator=self._few).to(self.device)

    def normal_field(self, shape: torch.Size) -> Tensor:
        """A standard normal number for each voxel."""
        return torch.randn(shape, generator=self._many, device=self.device)
