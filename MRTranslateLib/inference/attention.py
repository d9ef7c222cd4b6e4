"""The attention map as a part of a translation: local discriminator, way back to the source's grid, lesion mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.attention.attention_map import AttentionMap, attention_map
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.output_grid import values_on_output_grid
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.sources import NamedVolume
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import FileRecord
from MRTranslateLib.volume import Volume, from_canonical, same_lattice


@dataclass(frozen=True, eq=False)
class LesionMask:
    """A lesion mask where the result lies.

    Attributes:
        labels: Integers on the first source's grid, 0 is no lesion and everything outside the brain.
        record: For provenance.
        warnings: What is doubtful, a sentence each.
    """

    labels: NDArray[np.integer]
    record: FileRecord
    warnings: tuple[str, ...]


def lesion_on_output_grid(mask: NamedVolume, first: Volume, prepared: Prepared) -> LesionMask:
    """Lay a lesion mask onto the first source's grid.

    Args:
        mask: Integer labels on any grid in the first source's space.
        first: The first source.
        prepared: Knows the brain.

    Raises:
        InputError: If its values are no labels, it is empty, or none of it lies in the brain.
    """
    array = mask.volume.array
    if not np.isfinite(array).all() or (array != np.round(array)).any():
        raise InputError(f"{mask.name} is no mask, not all its values are whole numbers: give labels, not an image")
    if not array.any():
        raise InputError(f"{mask.name} is empty: leave it out when there is no lesion")
    labels = resample(mask.volume.with_array(array.astype(np.int32)), first, interpolation="nearest").array
    brain = from_canonical(prepared.brain.volume.array, first)
    inside = np.where(brain, labels, 0)
    if not inside.any():
        raise InputError(f"no voxel of {mask.name} lies in the brain: give a mask in the space of the first source")
    warnings = []
    if not same_lattice(mask.volume, first):
        warnings.append(f"{mask.name} lies on another grid and was resampled to the nearest voxel")
    if outside := int(np.count_nonzero(labels) - np.count_nonzero(inside)):
        warnings.append(f"{outside} voxels of {mask.name} lie outside the brain mask and were left out")
    return LesionMask(inside, mask.record, tuple(warnings))


def attention_of(
    slices: NDArray[np.float32],
    *,
    bundle: Bundle,
    prepared: Prepared,
    target: Contrast,
    first: Volume,
    lesion: LesionMask | None,
    execution: Execution,
    progress: Progress,
) -> tuple[AttentionMap, tuple[str, ...]]:
    """The attention map of a translation on the first source's grid, and fallbacks.

    Args:
        slices: The translated slices of ``prepared``, 0..1.
        bundle: Has a local discriminator.
        prepared: What was translated.
        target: Contrast that the slices show.
        first: The first source.
        lesion: On its grid, None without.
        execution: Where to run.
        progress: Told of stage ``attention``, 0..1.

    Raises:
        ModelError: If the bundle has no local discriminator or its weights do not fit.
        CancelledError: If the caller asks to stop.
    """
    # torch comes with these: import MRTranslateLib must not bring it.
    from MRTranslateLib.attention.difficulty import difficulty_slices
    from MRTranslateLib.inference.load import load_local_discriminator
    from MRTranslateLib.inference.slices import SliceJob

    component = bundle.card.require_attention()
    job = SliceJob.of(prepared, target)
    judged = difficulty_slices(load_local_discriminator(bundle), job, slices, execution, progress)
    made = attention_map(
        values_on_output_grid(judged.slices, prepared, first),
        from_canonical(prepared.brain.volume.array, first),
        calibration=component.calibration,
        lesion=None if lesion is None else lesion.labels,
    )
    return made, judged.fallbacks
