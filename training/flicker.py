"""A run's remedies for brightness that jumps from slice to slice, as translators to be judged side by side.

METHODS 9.4 (proposals): the 3-D refiner and the mean of views, each where the run has what it needs, beside the
translation as it is. ``RouteScore.flicker`` tells what they do to the jumps, its PSNR at what price.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from MRTranslateLib.errors import InputError
from training.checkpoint import Checkpoint, load_weights
from training.engine import deliverable
from training.evaluation import Predict, predict_slices
from training.multi_view import mean_of_views
from training.networks.build import AVERAGED, build_networks
from training.networks.volume_refiner import VolumeRefiner
from training.refined_volume import refined_volumes

if TYPE_CHECKING:
    from MRTranslateLib.networks.generator import Generator


def remedies(checkpoint: Checkpoint, *, where: str) -> dict[str, Predict]:
    """Translators of axial slices by name: as it is, behind the refiner, the mean of the run's views, and both.

    Args:
        checkpoint: Of a run that trained a volume refiner, or on several views.
        where: Opens the error message.

    Raises:
        InputError: If the run did not learn axial slices, or has no remedy.
    """
    config = checkpoint.config
    views = config.data.views
    if "axial" not in views:
        raise InputError(f"{where}: its generator learned {', '.join(views)} slices, what is judged are axial ones")
    networks = build_networks(config)
    averaged = nn.ModuleDict({name: network for name, network in networks.items() if name in AVERAGED})
    load_weights(averaged, checkpoint.averaged, where=where)
    averaged.eval().requires_grad_(False)
    generator = deliverable(config, averaged, with_student="student" in averaged)
    ways = {"slice by slice": _translator(generator)}
    if len(views) > 1:
        ways["mean of views"] = mean_of_views(dict.fromkeys(views, _translator(generator)))
    if "volume_refiner" in averaged:
        refiner = averaged["volume_refiner"]
        if not isinstance(refiner, VolumeRefiner):
            raise TypeError("the network named volume_refiner is none")
        ways |= {f"{name}, refined": refined_volumes(predict, refiner) for name, predict in ways.items()}
    if len(ways) == 1:
        raise InputError(f"{where}: trained neither networks.volume_refiner nor several data.views: nothing to compare")
    return ways


def _translator(generator: Generator) -> Predict:
    return partial(predict_slices, generator)
