"""From images as they come to what the network reads: checked, registered, masked, sampled once, normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.sources import NamedVolume
from MRTranslateLib.inference.working_grid import WorkingGrid, brain_box, working_grid
from MRTranslateLib.models.card import Preprocessing
from MRTranslateLib.preprocessing import guard
from MRTranslateLib.preprocessing.bias_correction import correct_bias
from MRTranslateLib.preprocessing.brain_mask import BrainMask, brain_mask
from MRTranslateLib.preprocessing.contrast_check import check_contrast
from MRTranslateLib.preprocessing.normalization import IntensityScale, brain_scale, normalize
from MRTranslateLib.preprocessing.registration import RegistrationResult, register_rigid
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import BrainMaskRecord, RegistrationRecord, SourceRecord
from MRTranslateLib.volume import Volume, same_lattice, to_canonical, to_slices

BOX_MARGIN_VOXELS = 4
"""Zeros around the brain, as in training."""
MIN_BRAIN_SHARE = 0.5
WARN_BRAIN_SHARE = 0.9
"""A source must show this share of the brain, and should show the second."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything the network and the way back need.

    Attributes:
        slices: float32 0..1 per source, ``(S, H, W)``, zero outside the brain, cropped to the brain's box.
        indices: Which of these slices are to be translated.
        indices_in_output: The same slices, counted in the output's canonical grid.
        brain_range: First and last of ``slices`` that holds brain.
        box: Where the crop lies in the canonical working grid.
        grid: The working grid.
        brain: Brain mask on the output's canonical grid.
        source_records: For provenance.
        brain_record: For provenance.
        warnings: What is doubtful, a sentence each.
    """

    slices: dict[Contrast, NDArray[np.float32]]
    indices: NDArray[np.intp]
    indices_in_output: NDArray[np.intp]
    brain_range: tuple[int, int]
    box: tuple[slice, slice, slice]
    grid: WorkingGrid
    brain: BrainMask
    source_records: tuple[SourceRecord, ...]
    brain_record: BrainMaskRecord
    warnings: tuple[str, ...]


def prepare(
    images: Mapping[Contrast, NamedVolume],
    mask: NamedVolume | None,
    *,
    preprocessing: Preprocessing,
    registration: str,
    bias_correction: bool,
    progress: Progress,
) -> Prepared:
    """Prepare sources for a model.

    Args:
        images: At least one; the first one's grid is the output's.
        mask: Brain mask as given by the user, or None.
        preprocessing: What the model expects.
        registration: ``auto``, ``always`` or ``never``.
        bias_correction: Whether to run N4 on each source.
        progress: Told of stages ``check``, ``register``, ``mask``, ``sample``.

    Raises:
        InputError: If an image is unsuitable, a registration fails, or no brain is found.
        CancelledError: If the caller asks to stop.
    """
    progress.step("check", 0.0)
    warnings = [text for image in images.values() for text in guard.check_volume(image.volume, image.name)]
    first = next(iter(images.values()))
    canonical = to_canonical(first.volume)
    warnings += guard.check_spacings(
        canonical.spacing_mm,
        first.name,
        in_plane_seen_mm=preprocessing.in_plane_spacing_mm,
        between_slices_seen_mm=preprocessing.slice_spacing_mm,
    )
    moves = _register(images, canonical, registration, progress)
    brain = brain_mask(
        canonical,
        None if mask is None else mask.volume,
        progress=lambda fraction: progress.step("mask", 0.5 + 0.3 * fraction),
    )
    warnings += [*brain.warnings, *guard.check_field_of_view(brain.volume)]
    plan = working_grid(
        canonical,
        in_plane_range_mm=preprocessing.in_plane_spacing_mm,
        neighbour_spacing_mm=preprocessing.neighbour_spacing_mm,
    )
    inside = resample(brain.volume, plan.grid, interpolation="nearest")
    box = brain_box(inside.array, BOX_MARGIN_VOXELS)
    slices, records = {}, []
    for done, (contrast, image) in enumerate(images.items()):
        progress.step("sample", 0.8 + 0.2 * done / len(images))
        sampled, doubts = _sample(image, contrast, plan.grid, brain.volume, inside, moves[contrast], bias_correction)
        scale = brain_scale(sampled, inside)
        normalized = normalize(sampled.array[box], scale) * inside.array[box]
        slices[contrast] = np.ascontiguousarray(to_slices(normalized))
        records.append(_source_record(contrast, image, scale, moves[contrast]))
        warnings += doubts
    occupied = np.flatnonzero(inside.array[box].any(axis=(0, 1)))
    indices, indices_in_output = _slices_to_translate(plan, box, occupied)
    brain_ml = float(brain.volume.array.sum()) * canonical.voxel_volume_ml
    return Prepared(
        slices,
        indices,
        indices_in_output,
        (int(occupied[0]), int(occupied[-1])),
        box,
        plan,
        brain,
        tuple(records),
        BrainMaskRecord(origin=brain.origin, file=None if mask is None else mask.record, volume_ml=round(brain_ml, 1)),
        tuple(dict.fromkeys(warnings)),
    )


def _register(
    images: Mapping[Contrast, NamedVolume], fixed: Volume, registration: str, progress: Progress
) -> dict[Contrast, RegistrationResult | None]:
    """How each source lies to the first one; None where it is taken as it is."""
    (first, *others) = images
    moves: dict[Contrast, RegistrationResult | None] = {first: None}
    for done, contrast in enumerate(others):
        image = images[contrast]

        def tell(fraction: float, done: int = done) -> None:
            progress.step("register", 0.1 + 0.4 * (done + fraction) / len(others))

        on_another_grid = not same_lattice(image.volume, images[first].volume)
        if registration == "always" or (registration == "auto" and on_another_grid):
            try:
                moves[contrast] = register_rigid(image.volume, fixed, progress=tell)
            except InputError as error:
                raise InputError(f"{image.name} cannot be registered to {images[first].name}: {error}") from None
        else:
            moves[contrast] = None
    return moves


def _sample(
    image: NamedVolume,
    contrast: Contrast,
    grid: Volume,
    brain: Volume,
    inside: Volume,
    move: RegistrationResult | None,
    bias_correction: bool,
) -> tuple[Volume, list[str]]:
    """A source on the working grid by one interpolation, and what is doubtful about it."""
    transform = None if move is None or move.verdict == "already aligned" else move.transform
    source = to_canonical(image.volume)
    sampled = resample(source, grid, transform=transform, interpolation="bspline")
    covered = float((sampled.array[inside.array] != 0).mean())
    if covered < MIN_BRAIN_SHARE:
        raise InputError(
            f"{image.name} shows only {covered:.0%} of the brain seen in the first source; "
            "give scans of the same patient and region, or another brain mask"
        )
    back = None if transform is None else np.linalg.inv(transform).astype(np.float64)
    own_brain = resample(brain, source, transform=back, interpolation="nearest")
    warnings = guard.check_intensities(source, own_brain, image.name)
    warnings += check_contrast(sampled, inside, contrast, image.name)
    if covered < WARN_BRAIN_SHARE:
        warnings.append(f"{image.name} shows only {covered:.0%} of the brain; the rest is translated without it")
    return (correct_bias(sampled, inside) if bias_correction else sampled), warnings


def _slices_to_translate(
    plan: WorkingGrid, box: tuple[slice, slice, slice], occupied: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Slices that hold brain and coincide with one of the output's, counted in the box and in the output."""
    in_grid = occupied + box[2].start
    wanted = in_grid % plan.translate_every == 0
    return occupied[wanted], in_grid[wanted] // plan.translate_every


def _source_record(
    contrast: Contrast, image: NamedVolume, scale: IntensityScale, move: RegistrationResult | None
) -> SourceRecord:
    return SourceRecord(
        contrast=contrast,
        file=image.record,
        percentile_value=scale.percentile_value,
        registration=registration_record(move),
    )


def registration_record(move: RegistrationResult | None) -> RegistrationRecord | None:
    """For provenance; None where nothing was registered."""
    if move is None:
        return None
    return RegistrationRecord(
        transform=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in move.transform),
        rotation_deg=round(move.rotation_deg, 4),
        translation_mm=round(move.translation_mm, 4),
        metric_before=round(move.metric_before, 4),
        metric_after=round(move.metric_after, 4),
        overlap=round(move.overlap, 4),
        verdict=move.verdict,
    )
