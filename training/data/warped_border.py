"""Where a warped slice shows what the scan did not hold: rows and columns that came from beyond it (METHODS 9.3).

Warping repeats the slice's border there. A discriminator that sees such streaks in real images only, or in moved ones
only, needs to look at nothing else; so they are hidden from it, in real and synthetic images and sources alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from MRTranslateLib.networks.warp import identity_grid


@torch.no_grad()
def came_from_inside(flow: Tensor) -> Tensor:
    """1 where ``p + flow[p]`` lies on the slice, else 0; ``(B, 1, H, W)``, dtype of the flow.

    Args:
        flow: ``(B, 2, H, W)``, rows and columns, in voxels.
    """
    places = identity_grid(flow) + flow
    last = flow.new_tensor([flow.shape[-2] - 1, flow.shape[-1] - 1]).view(1, 2, 1, 1)
    inside = (places >= 0) & (places <= last)
    return inside.all(dim=1, keepdim=True).to(flow.dtype)
