"""How strong attacks become while training goes on, and when they stop rising (METHODS 1.6, proposal)."""

from __future__ import annotations

from typing import Any


class SeverityCurriculum:
    """Raises the level from 0 to its maximum over the first part of the attack phase, unless clean accuracy suffers.

    The level moves with progress as long as clean validation PSNR is within ``max_clean_loss_db`` of what it was before
    the attacks; while it is not, the level stays, and it rises again from there when accuracy has come back.

    Args:
        clean_psnr_db: On clean validation data before the first attack; minus infinity until it is known.
        max_level: Level of the bank at the end, 0..5.
        ramp: Share of the phase over which the level rises, above 0 up to 1.
        max_clean_loss_db: The guard.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self, clean_psnr_db: float, *, max_level: float = 3.0, ramp: float = 0.3, max_clean_loss_db: float = 0.3
    ) -> None:
        if not (0 < max_level <= 5 and 0 < ramp <= 1 and max_clean_loss_db > 0):
            raise ValueError(f"curriculum out of range: level {max_level}, ramp {ramp}, loss {max_clean_loss_db} dB")
        self.clean_psnr_db, self.max_level, self.ramp = clean_psnr_db, max_level, ramp
        self.max_clean_loss_db = max_clean_loss_db
        self.level, self.is_held = 0.0, False
        self._progress = 0.0

    def advance(self, progress: float) -> float:
        """The level at a share of the attack phase, 0..1, never less than before.

        Raises:
            ValueError: If progress runs backwards.
        """
        if progress < self._progress:
            raise ValueError(f"progress went back from {self._progress} to {progress}")
        if not self.is_held:
            self.level = min(self.level + (progress - self._progress) / self.ramp * self.max_level, self.max_level)
        self._progress = progress
        return self.level

    def observe(self, clean_psnr_db: float) -> bool:
        """Tell the latest clean validation PSNR; returns whether the level is held from now on. NaN holds it."""
        self.is_held = not self.clean_psnr_db - clean_psnr_db <= self.max_clean_loss_db
        return self.is_held

    def bound(self, largest: float) -> float:
        """The L-infinity bound at this level, from half of the largest on: in METHODS from 4/255 to 8/255."""
        return largest * (1 + self.level / self.max_level) / 2

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, for exact resuming; JSON types."""
        return {"level": self.level, "is_held": self.is_held, "progress": self._progress}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.level, self.is_held, self._progress = state["level"], state["is_held"], state["progress"]
