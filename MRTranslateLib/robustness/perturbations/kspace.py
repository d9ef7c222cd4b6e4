"""Shared k-space conventions: which line is which, and the way back to a magnitude image."""

from __future__ import annotations

import torch
from torch import Tensor


def line_numbers(count: int, device: torch.device) -> Tensor:
    """Signed number of each k-space line in the order of ``torch.fft``: 0 is the centre, then 1, 2, ..., -2, -1."""
    numbers: Tensor = torch.fft.fftfreq(count, 1 / count, device=device)
    return numbers.round()


def phase_encoding_lines(images: Tensor) -> Tensor:
    """Complex k-space along the columns only, ``(..., H, W)``; enough wherever whole lines are treated alike."""
    lines: Tensor = torch.fft.fft(images, dim=-1)
    return lines


def magnitude_from_lines(lines: Tensor) -> Tensor:
    """Undo :func:`phase_encoding_lines` and take the magnitude, as a scanner does."""
    image: Tensor = torch.fft.ifft(lines, dim=-1)
    return image.abs()
