"""Where the brain is: from the mask given, from the background of a skull-stripped image, or extracted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.brain_extraction import extract_brain
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.volume import Volume, same_lattice

MIN_BACKGROUND = 0.15
"""A stripped image has at least this share of voxels at one background value."""
MAX_STRIPPED_ML = 2300.0
"""Brains with their sulci stay below; heads in a field of view that shows the whole brain lie above."""
MAX_SHELL = 0.18
"""Largest share of dark voxels under the surface of a stripped brain: at most 0.11 in the open data, 0.25 in heads."""
CLEAN_ML = 1800.0
"""A larger outline keeps more than a brain."""
CLOSING_MM = 2.0
SHELL_GRID_MM = 2.0
MIN_MASK_ML = 50.0
SMALL_ML = 800.0
"""A mask given below this misses much of an adult's brain."""
MAX_LABELS = 20
"""A mask given may be a segmentation of some regions; an image or an atlas has more values."""


@dataclass(frozen=True, eq=False)
class BrainMask:
    """The brain on the grid of the reference.

    Attributes:
        volume: bool, on the grid of the reference; never empty.
        origin: How it was found; ``"zero background"`` means that the image came skull-stripped.
        warnings: What is doubtful about it, one sentence each.
    """

    volume: Volume
    origin: Literal["given", "zero background", "extracted"]
    warnings: tuple[str, ...]


def brain_mask(
    reference: Volume, given: Volume | None = None, *, progress: Callable[[float], None] | None = None
) -> BrainMask:
    """The brain of ``reference``: the mask given, else its own outline if it is skull-stripped, else extracted.

    Args:
        reference: Finite values.
        given: Nonzero is brain; on any grid, in the same physical space.
        progress: Told the fraction of an extraction done.

    Raises:
        InputError: If the mask given is empty, misses the reference or is an image, or if no brain is found.
    """
    if given is not None:
        return _from_given(reference, given)
    outline = stripped_outline(reference)
    if outline is not None:
        outline_ml = float(outline.sum()) * reference.voxel_volume_ml
        doubt = f"the image without background holds {outline_ml:.0f} ml, more than a brain; remnants may be left in it"
        warnings = (doubt,) if outline_ml > CLEAN_ML else ()
        return BrainMask(reference.with_array(outline), "zero background", warnings)
    extraction = extract_brain(reference, progress=progress)
    if extraction.volume_ml < MIN_MASK_ML:
        raise InputError(f"only {extraction.volume_ml:.0f} ml of brain were found in the volume; give a brain mask")
    return BrainMask(extraction.mask, "extracted", extraction.warnings)


def check_mask_values(mask: Volume) -> None:
    """Refuse an image where a brain mask is wanted.

    Raises:
        InputError: If it holds more than 20 different values.
    """
    if (count := len(np.unique(mask.array))) > MAX_LABELS:
        raise InputError(
            f"the brain mask given holds {count} different values, more than a mask has; give one that is 0 outside "
            "the brain and 1 inside"
        )


def _from_given(reference: Volume, given: Volume) -> BrainMask:
    check_mask_values(given)
    binary = given.with_array((given.array != 0).astype(np.uint8))
    whole_ml = float(binary.array.sum()) * given.voxel_volume_ml
    if whole_ml == 0:
        raise InputError("the brain mask given is empty; give one whose brain voxels are not 0")
    laid = resample(binary, reference, interpolation="nearest").array != 0
    inside_ml = float(laid.sum()) * reference.voxel_volume_ml
    if inside_ml < 0.1 * whole_ml:
        raise InputError(
            f"only {inside_ml:.0f} of the {whole_ml:.0f} ml of the brain mask given lie in the volume; "
            "give a mask in the same physical space"
        )
    warnings = []
    if not SMALL_ML <= whole_ml <= MAX_STRIPPED_ML:
        size = "less than most of" if whole_ml < SMALL_ML else "more than"
        warnings.append(f"the brain mask given holds {whole_ml:.0f} ml, {size} a brain; check that it is one")
    if not same_lattice(given, reference):
        warnings.append("the brain mask given lies on another grid and was resampled to the nearest voxel")
    if inside_ml < 0.9 * whole_ml:
        warnings.append(f"{1 - inside_ml / whole_ml:.0%} of the brain mask given lie outside the volume")
    background = _background(reference.array)
    if background is not None and (reference.array[laid] == background).mean() > 0.5:
        warnings.append("more than half of the brain mask given lies on background; check that it fits the volume")
    return BrainMask(reference.with_array(laid), "given", tuple(warnings))


def stripped_outline(volume: Volume) -> NDArray[np.bool_] | None:
    """The brain of a skull-stripped image, bool; None if the image shows more than a brain.

    Stripped means: one constant value (mostly 0) fills the corners and at least 15 % of the image, what is left is one
    body of at most 2300 ml, and it has no dark shell below its surface, as the skull under the scalp is. Exact zeros
    alone do not tell: scanners and defacing write them into the air around a head too. Fluid clipped to the
    background value is filled.
    """
    background = _background(volume.array)
    if background is None or (volume.array == background).mean() < MIN_BACKGROUND:
        return None
    labels, count = ndimage.label(volume.array != background)
    if count == 0:
        return None
    body = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    body = _closed(body, volume)
    body_ml = float(body.sum()) * volume.voxel_volume_ml
    if not MIN_MASK_ML <= body_ml <= MAX_STRIPPED_ML or _dark_shell(volume, body) > MAX_SHELL:
        return None
    return body


def _background(array: NDArray[Any]) -> float | None:
    """The value that most of the eight corners share, else None."""
    corners = array[:: max(1, array.shape[0] - 1), :: max(1, array.shape[1] - 1), :: max(1, array.shape[2] - 1)]
    values, counts = np.unique(corners, return_counts=True)
    return float(values[counts.argmax()]) if counts.max() >= 0.75 * corners.size else None


def _closed(body: NDArray[np.bool_], volume: Volume) -> NDArray[np.bool_]:
    """Narrow sulci closed (within about 2 mm) and enclosed fluid filled."""
    pad = max(max(1, round(CLOSING_MM / mm)) for mm in volume.spacing_mm)
    box = ndimage.find_objects(body.astype(np.int8))[0]
    closed = np.pad(body[box], pad)
    for axis, mm in enumerate(volume.spacing_mm):
        line = np.zeros((3, 3, 3), bool)
        line[tuple(slice(None) if other == axis else 1 for other in range(3))] = True
        closed |= ndimage.binary_closing(closed, line, iterations=max(1, round(CLOSING_MM / mm)))
    filled = body.copy()
    filled[box] |= ndimage.binary_fill_holes(closed)[pad:-pad, pad:-pad, pad:-pad]
    return filled


def _dark_shell(volume: Volume, body: NDArray[np.bool_]) -> float:
    """Share of voxels 3 to 15 mm under the surface that are darker than a fifth of the body's median."""
    steps = [max(1, round(SHELL_GRID_MM / mm)) for mm in volume.spacing_mm]
    every = tuple(slice(None, None, step) for step in steps)
    spacing = [step * mm for step, mm in zip(steps, volume.spacing_mm, strict=True)]
    coarse, values = np.pad(body[every], 1), volume.array[every].astype(np.float64)
    depth = ndimage.distance_transform_edt(coarse, sampling=spacing)[1:-1, 1:-1, 1:-1]
    background = _background(volume.array) or 0.0
    level = float(np.median(values[body[every]])) - background
    shell = (depth > 3.0) & (depth < 15.0)
    return float((values[shell] - background < 0.2 * level).mean()) if shell.any() else 0.0
