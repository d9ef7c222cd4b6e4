"""Smoothness of a flow: mean squared forward difference along rows and columns.

``mean((d_row phi)^2) + mean((d_col phi)^2)``: METHODS 1.2, stated by the code of RegGAN (L. Kong et al., NeurIPS 2021,
weight 10) and used by FGDL (weight 1).
"""

from __future__ import annotations

from torch import Tensor


def flow_smoothness(flow: Tensor) -> Tensor:
    """Penalty on uneven displacement; shifts of the whole slice are free.

    Args:
        flow: ``(B, 2, H, W)``, voxels.

    Returns:
        A scalar without unit (voxels per voxel, squared); 0 for a constant flow.
    """
    along_rows = flow[:, :, 1:] - flow[:, :, :-1]
    along_columns = flow[:, :, :, 1:] - flow[:, :, :, :-1]
    return along_rows.square().mean() + along_columns.square().mean()
