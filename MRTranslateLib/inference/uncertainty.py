"""The uncertainty map as a part of a translation: members, calibration, way back to the source's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.attention import LesionMask
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.low_resolution import SEEN_TOLERANCE, LowResolution
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.uncertainty_map import UncertaintyMap, uncertainty_map
from MRTranslateLib.volume import Volume, from_canonical

if TYPE_CHECKING:  # torch comes with these
    from MRTranslateLib.inference.slices import SliceJob
    from MRTranslateLib.uncertainty.spread import Spread

SEED = 0
"""Of all perturbations, in training and in use: the calibration belongs to these."""


def not_calibrated(model: str, target: Contrast) -> str:
    """The warning that a map without calibration deserves."""
    return (
        f"model {model} has no calibration of the uncertainty of {target}: the uncertainty map is the bare spread, "
        "usually far too small"
    )


def acquired_calibration(
    card: ModelCard, target: Contrast, low: LowResolution, prepared: Prepared
) -> LowResolutionUncertainty:
    """The calibration for a result from an acquired target: of the finest acquisition that is not finer than its own.

    Args:
        card: Of the model.
        target: Contrast that ``low`` shows.
        low: How it was acquired.
        prepared: The sources.

    Raises:
        ModelError: If the model was calibrated for finer acquisitions only, or for none.
    """
    rows = card.require_low_resolution_uncertainty(target)
    right, anterior, superior = low.working_sizes
    thin_mm = prepared.grid.grid.spacing_mm[2]
    fit = [
        row
        for row in rows
        if max(right, anterior) <= SEEN_TOLERANCE * row.in_plane_ratio
        and superior * thin_mm <= SEEN_TOLERANCE * max(row.slice_thickness_mm or 0.0, thin_mm)
    ]
    if not fit:
        size = " x ".join(f"{mm:.3g}" for mm in low.image.volume.spacing_mm)
        raise ModelError(
            f"model {card.name} has no calibration of the uncertainty of {target} for the voxels of {low.image.name}, "
            f"{size} mm (it has {'; '.join(row.setting for row in rows)}): leave out the uncertainty map"
        )
    return min(fit, key=lambda row: row.in_plane_ratio**2 * (row.slice_thickness_mm or 1.0))


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
    low: LowResolution | None = None,
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
        low: The target as it was acquired at low resolution, from which the slices were made; None without.

    Raises:
        ModelError: If ``low`` is given and the bundle has no calibration for such an acquisition.
        CancelledError: If the caller asks to stop.
    """
    # torch comes with these: import MRTranslateLib must not bring it.
    from MRTranslateLib.inference.slices import SliceJob
    from MRTranslateLib.uncertainty.interval import half_widths

    job = SliceJob.of(prepared, target)
    if low is None:
        spread = _spread(slices, job, bundle, prepared, execution, progress)
        calibration = bundle.card.uncertainty_calibration(target)
    else:
        calibration = acquired_calibration(bundle.card, target, low, prepared).calibration
        spread = _resolved_spread(slices, low, target, bundle, prepared, execution, progress)
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


def _spread(
    slices: NDArray[np.float32],
    job: SliceJob,
    bundle: Bundle,
    prepared: Prepared,
    execution: Execution,
    progress: Progress,
) -> Spread:
    from MRTranslateLib.inference.load import load_generator
    from MRTranslateLib.uncertainty.spread import spread_slices

    return spread_slices(load_generator(bundle), job, slices, execution, progress, seed=SEED)


def _resolved_spread(
    slices: NDArray[np.float32],
    low: LowResolution,
    target: Contrast,
    bundle: Bundle,
    prepared: Prepared,
    execution: Execution,
    progress: Progress,
) -> Spread:
    from MRTranslateLib.inference.load import load_generator, load_super_resolver
    from MRTranslateLib.uncertainty.resolved_spread import ResolvedSpread, source_noise, synthesis_variants

    component, noise = bundle.card.require_super_resolution(), source_noise(prepared)
    gathered = ResolvedSpread(load_super_resolver(bundle), component, low, prepared, slices)
    for variant in synthesis_variants(load_generator(bundle), prepared, target, noise, execution, progress, seed=SEED):
        gathered.add(variant, execution, progress)
    return gathered.spread(noise)
