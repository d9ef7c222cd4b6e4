"""Differentiable augmentation of what discriminators see, the same for real and synthetic images (METHODS 9.3).

Few people make few real images, which a discriminator soon knows by heart: S. Zhao et al. Differentiable Augmentation
for Data-Efficient GAN Training. NeurIPS 2020. arXiv:2006.10738. Here left and right are exchanged, slices shifted, cut
and made brighter, without interpolation. Sources go along in geometry, because the discriminator is told them. Each
change is made to a share of the slices only, so that the generator cannot be led to make it too (T. Karras et al.
Training Generative Adversarial Networks with Limited Data. NeurIPS 2020. arXiv:2006.06676). METHODS names "D
augmentation" without its form; the choice of changes is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SHIFT = 1 / 8
"""Of the slice's size."""
CUT_SIZE = 1 / 4
"""Side of the cut-out rectangle, of the slice's size."""
MAX_LOG_GAIN = 0.1


@dataclass(frozen=True)
class DiscriminatorAugmentation:
    """What was drawn for each slice.

    Attributes:
        rows: ``(B, H)``, the row that each row is taken from; outside of 0..H - 1 there is background.
        columns: ``(B, W)``, as ``rows``.
        kept: ``(B, 1, H, W)``, 0 in the rectangle that was cut out, else 1.
        gain: ``(B, 1, 1, 1)``, a factor for the judged images.
    """

    rows: Tensor
    columns: Tensor
    kept: Tensor
    gain: Tensor

    def move(self, images: Tensor) -> Tensor:
        """Mirror, shift and cut ``(B, C, H, W)``: images, sources, masks; differentiable."""
        moved = _taken(_taken(images, self.rows[:, None, :, None], -2), self.columns[:, None, None, :], -1)
        return moved * self.kept.to(moved)

    def judged(self, images: Tensor) -> Tensor:
        """The same, and the gain: for the image that is judged, real or synthetic."""
        return self.move(images) * self.gain.to(images)


def draw_augmentation(like: Tensor, probability: float, random: torch.Generator) -> DiscriminatorAugmentation:
    """Draw for each slice which changes are made, and how large.

    Args:
        like: ``(B, C, H, W)``, for shape and device.
        probability: Of each change, 0..1.
        random: Source of chance, on the CPU; draws as many numbers whatever is chosen.

    Raises:
        ValueError: If the probability is outside 0..1.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must be in 0..1, got {probability}")
    count, (height, width) = len(like), like.shape[-2:]
    mirrored, shifted, cut, brighter = torch.rand(4, count, generator=random) < probability
    shifts = (torch.rand(count, 2, generator=random) * 2 - 1) * MAX_SHIFT * shifted[:, None]
    corners = torch.rand(count, 2, generator=random)
    log_gain = (torch.rand(count, generator=random) * 2 - 1) * MAX_LOG_GAIN * brighter
    rows = torch.arange(height) + (shifts[:, :1] * height).round().long()
    columns = torch.arange(width).expand(count, -1)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns) + (shifts[:, 1:] * width).round().long()
    inside = _interval(corners[:, 0], height)[:, None, :, None] & _interval(corners[:, 1], width)[:, None, None, :]
    kept = 1.0 - (inside & cut[:, None, None, None]).float()
    drawn = (rows, columns, kept, log_gain.exp()[:, None, None, None])
    return DiscriminatorAugmentation(*(each.to(like.device) for each in drawn))


def _interval(start: Tensor, length: int) -> Tensor:
    """``(B, length)``, True in a stretch of ``CUT_SIZE`` that begins at a share ``(B,)`` of the room there is."""
    size = round(CUT_SIZE * length)
    first = (start * (length - size + 1)).floor().long()[:, None]
    place = torch.arange(length)
    return (place >= first) & (place < first + size)


def _taken(images: Tensor, places: Tensor, axis: int) -> Tensor:
    """Rows or columns taken from where ``places`` says, 0 from beyond the slice."""
    length = images.shape[axis]
    shape = list(images.shape)
    taken = images.gather(axis, places.clamp(0, length - 1).expand(shape))
    return taken * ((places >= 0) & (places < length)).to(images)
