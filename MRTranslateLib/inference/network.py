"""Runs the network over the slices: the generator alone, or with the branch that refines an acquired target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.inference.lay_out import Laid
from MRTranslateLib.inference.request import Request
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import LevelRecord


@dataclass(frozen=True, eq=False)
class Translated:
    """What the network made.

    Attributes:
        slices: ``(len(prepared.indices), H, W)`` of the brain's box, 1 is the 99.5th percentile.
        device: Where it ran at last, by name.
        fallbacks: What could not be done as asked, in words.
        level: What changed the brightness afterwards; None if nothing did.
    """

    slices: NDArray[np.float32]
    device: str
    fallbacks: tuple[str, ...]
    level: LevelRecord | None


def run_network(request: Request, bundle: Bundle, laid: Laid, progress: Progress) -> Translated:
    """Translate.

    Raises:
        ModelError: If the weights do not fit the card.
        CancelledError: If the caller asks to stop.
    """
    # torch is imported here and not above: import MRTranslateLib must not bring it.
    from MRTranslateLib.inference.load import device_name, load_generator, load_super_resolver
    from MRTranslateLib.inference.slices import SliceJob, translate_slices
    from MRTranslateLib.inference.super_resolution import super_resolve

    generator, prepared, execution = load_generator(bundle), laid.prepared, request.execution
    if laid.low is not None:
        resolver, component = load_super_resolver(bundle), bundle.card.require_super_resolution()
        result = super_resolve(generator, resolver, component, prepared, laid.low, execution, progress)
    else:
        result = translate_slices(generator, SliceJob.of(prepared, request.target), execution, progress)
    level = None
    if result.curve is not None:
        curve = result.curve
        level = LevelRecord(source=curve.source, median=round(curve.median, 4), level=round(curve.level, 4))
    return Translated(result.slices, device_name(result.device), result.fallbacks, level)
