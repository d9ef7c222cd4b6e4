"""A mean over the last steps, forgotten exponentially, that a resumed run continues exactly."""

from __future__ import annotations


class RunningMean:
    """Mean over the last steps.

    Args:
        window_steps: After so many steps a value counts 1/e.
    """

    START = 0.0
    """Before the first value."""

    def __init__(self, window_steps: float) -> None:
        if window_steps < 1:
            raise ValueError(f"window_steps must be 1 or more, got {window_steps}")
        self.decay = 1 - 1 / window_steps
        self._total, self._mass = 0.0, 0.0

    def update(self, value: float) -> None:
        """Add the value of one step."""
        self._total = self.decay * self._total + value
        self._mass = self.decay * self._mass + 1

    @property
    def value(self) -> float:
        """Weighted mean of the values so far; ``START`` before the first."""
        return self._total / self._mass if self._mass > 0 else self.START

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"total": self._total, "mass": self._mass}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue from :meth:`state_dict`."""
        self._total, self._mass = state["total"], state["mass"]
