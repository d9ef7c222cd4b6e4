"""What system B's discriminators are shown, so that they judge realism and not how a target came about (METHODS 9.3).

In this order, each if the configuration asks for it: real images are resampled a little, what warping brought in from
beyond the slice is hidden everywhere, and all is augmented alike. With nothing asked for, they see the step as it is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from MRTranslateLib.networks.warp import warp
from training.batch import Pairs
from training.config import AdversarialConfig
from training.data.discriminator_augmentation import draw_augmentation
from training.data.subpixel_warp import draw_subpixel_flow
from training.data.warped_border import came_from_inside


@dataclass(frozen=True)
class DiscriminatorView:
    """A step in the eyes of the discriminators.

    Attributes:
        pairs: Sources and brain, changed as the images are.
        synthetic: ``(P, 1, H, W)``; the generator's gradient passes.
        real: ``(P, 1, H, W)``.
    """

    pairs: Pairs
    synthetic: Tensor
    real: Tensor


def discriminator_view(
    settings: AdversarialConfig,
    pairs: Pairs,
    synthetic: Tensor,
    target: Tensor,
    visible: Tensor | None,
    random: torch.Generator,
) -> DiscriminatorView:
    """Prepare a step for discriminators.

    Args:
        settings: Which switches are on.
        pairs: The step.
        synthetic: ``(P, 1, H, W)``.
        target: Same shape, corrected if label correction is on.
        visible: Same shape, 0 where the target was taken from beyond the slice; None if that shall not be hidden.
        random: Source of chance of this step; asked only for what is on.
    """
    if settings.real_warp_voxels > 0:
        flow = draw_subpixel_flow(target, settings.real_warp_voxels, random)
        target = warp(target, flow)
        inside = came_from_inside(flow)
        visible = inside if visible is None else visible * inside
    view = DiscriminatorView(pairs, synthetic, target)
    if visible is not None:
        view = _hidden(view, visible)
    if settings.augmentation > 0:
        view = _augmented(view, settings.augmentation, random)
    return view


def _hidden(view: DiscriminatorView, visible: Tensor) -> DiscriminatorView:
    """With background where ``visible`` is 0, in everything."""
    pairs = dataclasses.replace(
        view.pairs,
        sources=view.pairs.sources * visible,
        truth=view.pairs.truth * visible,
        brain=view.pairs.brain * visible,
        lesion=view.pairs.lesion * visible,
    )
    return DiscriminatorView(pairs, view.synthetic * visible, view.real * visible)


def _augmented(view: DiscriminatorView, probability: float, random: torch.Generator) -> DiscriminatorView:
    """One draw for each slice, for all that belongs to it."""
    drawn = draw_augmentation(view.real, probability, random)
    pairs = dataclasses.replace(
        view.pairs,
        sources=drawn.move(view.pairs.sources),
        truth=drawn.move(view.pairs.truth),
        brain=drawn.move(view.pairs.brain),
        lesion=drawn.move(view.pairs.lesion),
    )
    return DiscriminatorView(pairs, drawn.judged(view.synthetic), drawn.judged(view.real))
