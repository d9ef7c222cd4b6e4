"""A translator behind which the 3-D refiner mends the whole volume, for judging it beside the translator alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.networks.generator import one_hot
from training.data.cache import CachedScan
from training.evaluation import Predict, Route
from training.multi_view import whole_volume
from training.networks.volume_refiner import VolumeRefiner


def refined_volumes(predict: Predict, refiner: VolumeRefiner) -> Predict:
    """A translator whose volumes are refined; whatever slices are asked for, the whole volume is translated.

    Args:
        predict: What is refined.
        refiner: Its weights say on which device.
    """

    def refined(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        volume = refine_volume(refiner, scan, route, whole_volume(predict, scan, route))
        return volume[indices]

    return refined


@torch.no_grad()
def refine_volume(
    refiner: VolumeRefiner, scan: CachedScan, route: Route, synthetic: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Refine a translation.

    Args:
        refiner: Trained.
        scan: Holds the route's sources; its target is not read.
        route: What was translated.
        synthetic: ``(S, H, W)``, 0..1, on the grid of ``scan``.

    Returns:
        Same shape, clipped to 0..1, 0 outside the brain.
    """
    device = next(refiner.parameters()).device
    sources, target = route
    images = torch.zeros(1, len(Contrast), *synthetic.shape)
    availability = torch.zeros(1, len(Contrast))
    for contrast in sources:
        images[0, contrast.channel] = torch.from_numpy(scan.images[contrast].astype(np.float32) / np.float32(255))
        availability[0, contrast.channel] = 1
    brain = torch.from_numpy(scan.brain.astype(np.float32))[None, None]
    inputs = (torch.from_numpy(synthetic)[None, None] * brain, images, availability, one_hot(target, 1), brain)
    refined: Tensor = refiner(*(values.to(device) for values in inputs))
    result: NDArray[np.float32] = (refined.cpu() * brain).clamp(0, 1)[0, 0].numpy()
    return result
