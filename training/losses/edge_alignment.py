"""Edges of a translation shall lie on those of its sources: an anchor against a common shift (METHODS 9.1, a proposal).

``mean_m(1 - <grad x, grad yhat>^2 / ((|grad x|^2 + eta^2) (|grad yhat|^2 + eta^2)))``, normalised gradient fields:
E. Haber, J. Modersitzki. Intensity gradient based registration and fusion of multi-modal images. MICCAI 2006. Whether
an edge goes up or down, and how steep it is, does not count, since contrasts differ in both. METHODS names "edge loss"
without its form; this one is our choice. The alternative is :mod:`training.losses.mutual_information`.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

NOISE_PER_VOXEL = 0.02
"""eta: what is flatter counts as noise; about that of a scan in 0..1 units."""


def edge_misalignment(predicted: Tensor, sources: Tensor, availability: Tensor, brain: Tensor) -> Tensor:
    """Share of the brain in which no edge of a source runs along one of the translation, averaged over the sources.

    Args:
        predicted: yhat, ``(B, 1, H, W)``, 0..1.
        sources: x, ``(B, C, H, W)``, 0..1; missing contrasts may hold anything finite.
        availability: ``(B, C)``, 1 where the contrast was acquired.
        brain: ``(B, 1, H, W)``, 0/1. Only voxels whose four neighbours are brain count, so the brain's rim, which the
            mask itself puts at the same place in both, does not.

    Returns:
        A scalar, 0..1; 0 where nothing counts. Flat tissue counts 1 whatever the alignment.
    """
    inside = _inner(brain)
    (rows, columns), (source_rows, source_columns) = _slopes(predicted), _slopes(sources)
    along = (rows * source_rows + columns * source_columns).square()
    steepness = rows.square() + columns.square() + NOISE_PER_VOXEL**2
    source_steepness = source_rows.square() + source_columns.square() + NOISE_PER_VOXEL**2
    counted = inside * availability[:, :, None, None].to(inside)
    return ((1 - along / (steepness * source_steepness)) * counted).sum() / counted.sum().clamp(min=1)


def _slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along rows and columns, ``(B, C, H - 2, W - 2)``, per voxel."""
    rows = (images[..., 2:, 1:-1] - images[..., :-2, 1:-1]) / 2
    columns = (images[..., 1:-1, 2:] - images[..., 1:-1, :-2]) / 2
    return rows, columns


def _inner(brain: Tensor) -> Tensor:
    """1 where a voxel and its neighbours are brain, ``(B, 1, H - 2, W - 2)``."""
    return 1 - functional.max_pool2d(1 - brain, 3, stride=1)
