"""A model bundle with one component added or replaced; all its other weights stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import ArrayLike
from torch import nn

from MRTranslateLib.models.bundle import Bundle, load_tensors, write_bundle
from MRTranslateLib.models.card import Predecessor
from MRTranslateLib.models.components import SpecialistCard, SuperResolutionCard
from training.export import arrays_of


def write_with_component(
    bundle: Bundle,
    name: str,
    part: SpecialistCard | SuperResolutionCard,
    network: nn.Module,
    folder: Path,
    *,
    replace: bool,
    **changes: Any,
) -> Bundle:
    """Write a bundle again; see :func:`write_bundle` for errors.

    Args:
        bundle: What is added to; a component of that name that it has is replaced.
        name: Of the component, as the card calls it.
        part: What the card says of it.
        network: Its weights, on the CPU.
        folder: Of the new bundle, named like the old one; it may be the old one's.
        replace: Take the place of a bundle that lies there.
        changes: Other fields of the card.
    """
    card = bundle.card
    tensors: dict[str, Mapping[str, ArrayLike]] = {
        other: load_tensors(bundle, other) for other in card.components.present if other != name
    }
    changed = msgspec.structs.replace(
        card,
        files={},
        components=msgspec.structs.replace(card.components, **{name: part}),
        predecessor=Predecessor(name=card.name, version=card.version, quality=card.quality),
        **changes,
    )
    return write_bundle(
        folder, changed, load_tensors(bundle), components=tensors | {name: arrays_of(network)}, replace=replace
    )
