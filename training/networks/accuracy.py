"""How often a discriminator is right, for the monitor of the accuracy band (METHODS 2.3: 0.55 to 0.85)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.weighted_mean import weighted_mean


@torch.no_grad()
def accuracy(margins: tuple[Tensor, Tensor], weight: Tensor | None = None) -> float:
    """Share of right votes over real and synthetic alike, 0..1.

    Args:
        margins: Of one family of :data:`training.losses.adversarial.ADVERSARIAL_LOSSES`: logits of real and synthetic
            images turned so that right votes are positive. A vote of exactly 0 is half right.
        weight: Which logits count, shape of each margin; None for all. None of any weight gives 0.5.
    """
    if weight is not None and not weight.any():
        return 0.5
    of_real, of_synthetic = (weighted_mean((margin.sign() + 1) / 2, weight) for margin in margins)
    return float((of_real + of_synthetic) / 2)


class DiscriminatorAccuracy:
    """Accuracy over the last steps, forgotten exponentially.

    Args:
        window_steps: After so many steps a value counts 1/e; 100 is usual.
    """

    def __init__(self, window_steps: float) -> None:
        if window_steps < 1:
            raise ValueError(f"window_steps must be 1 or more, got {window_steps}")
        self.decay = 1 - 1 / window_steps
        self._total, self._mass = 0.0, 0.0

    def update(self, value: float) -> None:
        """Add the accuracy of one step."""
        self._total = self.decay * self._total + value
        self._mass = self.decay * self._mass + 1

    @property
    def value(self) -> float:
        """Weighted mean of the values so far, 0..1; 0.5 before the first."""
        return self._total / self._mass if self._mass > 0 else 0.5

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"total": self._total, "mass": self._mass}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue from :meth:`state_dict`."""
        self._total, self._mass = state["total"], state["mass"]
