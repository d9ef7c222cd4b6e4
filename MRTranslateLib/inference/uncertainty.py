"""The uncertainty map as a part of a translation: members, calibration, way back to the source's grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.attention import LesionMask
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.uncertainty_map import UncertaintyMap, uncertainty_map
from MRTranslateLib.volume import Volume, from_canonical

SEED = 0
"""Of all perturbations, in training and in use: the calibration belongs to these."""


def not_calibrated(model: str, target: Contrast) -> str:
    """The warning that a map without calibration deserves."""
    return (
        f"model {model} has no calibration of the uncertainty of {target}: the uncertainty map is the bare spread, "
        "usually far too small"
    )


def uncertainty_of(
    slices: NDArray[np.float32],
    *,
    bundle: Bundle,
    prepared: Prepared,
    target: Contrast,
    first: Volume,
    lesion: LesionMask | None,
    execution: Execution,
    progress: Progress,
) -> tuple[UncertaintyMap, tuple[str, ...]]:
    """The uncertainty map of a translation on the first source's grid, and fallbacks.

    Args:
        slices: The translated slices of ``prepared``, 0..1.
        bundle: Made them; without a calibration for the target the map is the bare spread.
        prepared: What was translated.
        target: Contrast that the slices show.
        first: The first source.
        lesion: On its grid, None without.
        execution: Where to run.
        progress: Told of stage ``uncertainty``, 0..1.

    Raises:
        CancelledError: If the caller asks to stop.
    """
    # torch comes with these: import MRTranslateLib must not bring it.
    from MRTranslateLib.inference.load import load_generator
    from MRTranslateLib.inference.slices import SliceJob
    from MRTranslateLib.uncertainty.interval import half_widths
    from MRTranslateLib.uncertainty.spread import spread_slices

    job = SliceJob.of(prepared, target)
    right, anterior, superior = prepared.grid.grid.spacing_mm
    spread = spread_slices(
        load_generator(bundle),
        job,
        slices,
        execution,
        progress,
        voxel_size_mm=(superior, anterior, right),
        seed=SEED,
    )
    calibration = bundle.card.uncertainty_calibration(target)
    widths = half_widths(spread, job, slices, calibration)
    made = uncertainty_map(
        values_on_output_grid(widths, prepared, first),
        from_canonical(prepared.brain.volume.array, first),
        members=spread.members,
        noise=spread.noise,
        calibration=calibration,
        lesion=None if lesion is None else lesion.labels,
    )
    return made, spread.fallbacks
