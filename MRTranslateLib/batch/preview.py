"""A picture of a case for the overview: one slice of source, synthetic and, where it was acquired, real target."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError, MRTranslateError
from MRTranslateLib.figure import MARGIN_MM, Panel, axial_strip
from MRTranslateLib.files import atomic_file, reason, shown
from MRTranslateLib.io import read_volume
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS, IntensityScale, brain_scale, normalize
from MRTranslateLib.volume import Volume, same_lattice, to_canonical


def write_preview(path: Path, *, source: tuple[str, Path], synthetic: tuple[str, Path], reference: Path | None) -> None:
    """Write the picture as PNG, over a former one: the axial slice with most brain, radiological convention.

    Args:
        path: Name of the file.
        source: Contrast and file of the first source, on the result's grid.
        synthetic: Those of the result.
        reference: The real target; left out where it lies on another grid.

    Raises:
        InputError: If a volume cannot be read.
        MRTranslateError: If the file cannot be written.
    """
    result = to_canonical(read_volume(synthetic[1]))
    brain = result.with_array((result.array > 0).astype(np.uint8))
    at = int(brain.array.sum(axis=(0, 1)).argmax())
    right_mm, anterior_mm, _superior_mm = result.spacing_mm
    window = (*_window(brain.array[:, :, at], (right_mm, anterior_mm)), slice(at, at + 1))
    panels = [
        Panel(source[0], _scaled(source[1], brain, window)),
        Panel(f"SYNTHETIC {synthetic[0]}", normalize(result.array[window], IntensityScale(SYNTHETIC_UNITS))),
    ]
    if reference is not None:
        with contextlib.suppress(InputError):  # the table says why it could not be used
            panels.append(Panel(f"real {synthetic[0]}", _scaled(reference, brain, window)))
    picture = axial_strip(panels, (right_mm, anterior_mm))
    with atomic_file(path, overwrite=True) as temporary:
        try:
            picture.save(temporary, format="png")
        except OSError as error:
            raise MRTranslateError(f"cannot write {shown(path)}: {reason(error)}") from error


def _window(brain: NDArray[np.uint8], pixel_mm: tuple[float, float]) -> tuple[slice, slice]:
    """The part of a slice ``(R, A)`` that holds the brain and a margin; all of it if there is no brain."""
    sides = []
    for axis, mm in enumerate(pixel_mm):
        occupied = np.flatnonzero(brain.any(axis=1 - axis))
        margin = round(MARGIN_MM / mm)
        first, last = (occupied[0], occupied[-1]) if occupied.size else (0, brain.shape[axis] - 1)
        sides.append(slice(max(int(first) - margin, 0), int(last) + 1 + margin))
    return sides[0], sides[1]


def _scaled(path: Path, brain: Volume, window: tuple[slice, ...]) -> NDArray[np.float32]:
    """A part ``(R, A, 1)`` of a scan on the result's grid, 1 is the 99.5th percentile of the whole brain.

    Raises:
        InputError: If it cannot be read or lies on another grid.
    """
    scan = to_canonical(read_volume(path))
    if not same_lattice(scan, brain):
        raise InputError(f"{shown(path)} lies on another grid than the result")
    return normalize(scan.array[window], brain_scale(scan, brain))
