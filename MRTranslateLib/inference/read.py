"""Reads what a translation needs: images, masks, model; all of it before the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.low_resolution import ROLE as LOW_RESOLUTION
from MRTranslateLib.inference.low_resolution import check_not_a_source
from MRTranslateLib.inference.request import Request
from MRTranslateLib.inference.sources import Image, NamedVolume, load_image
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.preprocessing.guard import check_distinct
from MRTranslateLib.volume import Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What was read.

    Attributes:
        images: The sources, in order.
        brain_mask: None to find the brain.
        lesion_mask: None without.
        low_resolution: The acquired target; None without.
        bundle: The model, verified.
    """

    images: Mapping[Contrast, NamedVolume]
    brain_mask: NamedVolume | None
    lesion_mask: NamedVolume | None
    low_resolution: NamedVolume | None
    bundle: Bundle

    @property
    def first_image(self) -> NamedVolume:
        """The first source."""
        return next(iter(self.images.values()))

    @property
    def first(self) -> Volume:
        """Its volume, whose grid is the result's."""
        return self.first_image.volume


def read_inputs(request: Request, store: ModelStore | None) -> Inputs:
    """Read everything.

    Args:
        request: What is asked.
        store: Where to look for the model; None for the usual folders.

    Raises:
        InputError: If an image cannot be read, or the same is given as two contrasts.
        ModelError: If the model is missing, damaged, or does not offer what is asked.
    """
    images = {contrast: load_image(image, contrast.value) for contrast, image in request.sources.items()}
    brain_mask = _read(request.brain_mask, "brain mask", labels=True)
    check_distinct({contrast: image.record.sha256 for contrast, image in images.items()})
    bundle = (store or ModelStore()).find(request.model)
    _require_offered(request, bundle.card)
    low_resolution = _read(request.low_resolution, LOW_RESOLUTION)
    if low_resolution is not None:
        check_not_a_source(low_resolution, images)
    return Inputs(
        images=images,
        brain_mask=brain_mask,
        lesion_mask=_read(request.lesion_mask, "lesion mask", labels=True),
        low_resolution=low_resolution,
        bundle=bundle,
    )


def _read(image: Image | None, role: str, *, labels: bool = False) -> NamedVolume | None:
    return None if image is None else load_image(image, role, labels=labels)


def _require_offered(request: Request, card: ModelCard) -> None:
    card.require_route(request.sources, request.target)
    if request.attention:
        card.require_attention()
    if request.low_resolution is not None:
        card.require_super_resolution()
        if request.uncertainty:
            card.require_low_resolution_uncertainty(request.target)
