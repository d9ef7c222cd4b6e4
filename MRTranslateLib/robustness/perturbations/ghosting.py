"""Ghosts: copies of the head at equal distances along the phase-encoding direction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.robustness.perturbations.acquisitions import Acquisitions, Artefact
from MRTranslateLib.robustness.perturbations.chance import Chance
from MRTranslateLib.robustness.perturbations.kspace import line_numbers, magnitude_from_lines, phase_encoding_lines


@dataclass(frozen=True)
class Ghosting(Artefact):
    """Every n-th k-space line is weaker, as under pulsation or breathing in step with the acquisition.

    Attributes:
        num_ghosts: Distance of the weak lines, so the number of copies across the field of view, the head included.
        intensity: How much signal the weak lines lose, as a share; above 1 they turn their sign.
    """

    num_ghosts: int
    intensity: float

    def apply(self, scans: Acquisitions, chance: Chance) -> Tensor:
        """See :meth:`Artefact.apply`; the field of view is the width of the image."""
        offset = chance.integers((len(scans.images),), 1, max(self.num_ghosts, 2))
        return with_ghosts(scans.images, self.num_ghosts, self.intensity, offset)

    @property
    def label(self) -> str:
        """See :attr:`Artefact.label`."""
        return f"{self.num_ghosts} copies, intensity {self.intensity:.3g}"


def with_ghosts(images: Tensor, num_ghosts: int, intensity: float, offset: Tensor) -> Tensor:
    """Weaken the phase-encoding lines whose number leaves the remainder ``offset`` when divided by ``num_ghosts``.

    The result is ``|v(x) - a/n sum_k exp(2 pi i k o / n) v(x - k W / n)|``, exactly where n divides the width W.

    Args:
        images: ``(G, S, H, W)``.
        num_ghosts: n, at least 2.
        intensity: a.
        offset: ``(G,)``, o in 1..n-1; the centre of k-space is never weakened, so the mean brightness stays.
    """
    numbers = line_numbers(images.shape[-1], images.device)
    weak = torch.remainder(numbers, num_ghosts) == offset[:, None]
    weight = (1 - intensity * weak)[:, None, None, :]
    return magnitude_from_lines(phase_encoding_lines(images) * weight)
