"""What must hold for the file, the size and the geometry of any volume, whatever its format."""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown

MAX_BYTES_IN_MEMORY = 4 * 1024**3
"""A volume of float32 above this is no brain MRI but a damaged header."""
MIN_SPACING_MM, MAX_SPACING_MM = 0.01, 1000.0
"""Voxel sizes outside this are no measurement; what a model can use is for the guard to say."""
MAX_ORIGIN_MM = 1e6
MAX_SHEAR_COSINE = 0.01
"""Axes may miss the right angle by this cosine (0.57 degrees), as rounded headers do; it is kept, not rectified."""


def regular_file(path: Path) -> int:
    """Size in bytes of a readable regular file.

    Raises:
        InputError: If it is missing, cannot be read, or is a folder, device or pipe (which could block for ever).
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{shown(path)} is not a regular file: give the file of a volume")
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{shown(path)} does not exist: check its name and folder") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)} cannot be read ({reason(error)}): check its name and permissions") from error
    if status.st_size == 0:
        raise InputError(f"{shown(path)} is empty (0 bytes): copy or export it again")
    return status.st_size


def detached_file(header_path: Path, name: str) -> Path:
    """The file of voxels that a header names: another one, in the header's folder or below.

    Raises:
        InputError: If the name leads elsewhere, to the header itself, or stands for several files.
    """
    parts = Path(name).parts
    several = name.upper().startswith("LIST") or "%" in name
    elsewhere = Path(name).is_absolute() or ".." in parts or not parts or not name.isprintable()
    if several or elsewhere or header_path.parent / name == header_path:
        why = f"names {clip(name)!r} as its file of voxels"
        raise InputError(f"{shown(header_path)} {why}: put the voxels into one file beside it")
    return header_path.parent / name


def numbers(path: Path, field: str, text: str) -> list[float]:
    """The numbers of a header field, separated by spaces or commas.

    Raises:
        InputError: If something in it is not a number, not finite, or beyond all sizes and distances.
    """
    try:
        values = [float(word) for word in re.split(r"[\s,]+", text.strip()) if word]
    except ValueError:
        values = [math.nan]
    if not all(abs(value) < 1e30 for value in values):  # NaN compares false
        raise InputError(f"{shown(path)} has the field {field!r} = {clip(text)!r}, not finite numbers: repair it")
    return values


def whole_numbers(path: Path, field: str, text: str) -> list[int]:
    """The whole numbers of a header field; raises InputError like :func:`numbers`."""
    values = numbers(path, field, text)
    if not all(value == int(value) for value in values):
        raise InputError(f"{shown(path)} has the field {field!r} = {clip(text)!r}, not whole numbers: repair it")
    return [int(value) for value in values]


def spatial_shape(path: Path, sizes: Sequence[int]) -> tuple[int, int, int]:
    """The three sizes of a volume; further axes of size 1 are dropped.

    Raises:
        InputError: If it is not 3D, a size is below 1, or the volume would not fit ``MAX_BYTES_IN_MEMORY``.
    """
    text = " x ".join(str(size) for size in sizes)
    if any(size < 1 for size in sizes):
        raise InputError(f"{shown(path)} claims the size {text}: its header is damaged; copy or export it again")
    kept = list(sizes)
    while len(kept) > 3 and kept[-1] == 1:
        kept.pop()
    if len(kept) != 3:
        raise InputError(f"{shown(path)} has {len(kept)} axes ({text}): give one 3D volume with one value per voxel")
    if math.prod(kept) * 4 > MAX_BYTES_IN_MEMORY:
        limit = MAX_BYTES_IN_MEMORY // 1024**3
        raise InputError(f"{shown(path)} claims the size {text}, more than {limit} GiB: crop or resample it first")
    return kept[0], kept[1], kept[2]


def check_spacing(path: Path | str, spacing_mm: Sequence[float]) -> None:
    """Refuse voxel sizes that are zero, negative, not finite or beyond any measurement.

    Raises:
        InputError: Naming the sizes.
    """
    if not all(MIN_SPACING_MM <= size <= MAX_SPACING_MM for size in spacing_mm):  # NaN compares false
        text = " x ".join(f"{size:g}" for size in spacing_mm)
        raise InputError(f"{shown(path)} claims voxels of {text} mm: correct its header or export it again")


def check_affine(path: Path | str, affine: NDArray[np.float64]) -> None:
    """Refuse an affine that is not finite, absurd in scale, singular or sheared.

    A shear (axes off the right angle by more than ``MAX_SHEAR_COSINE``) comes from a gantry tilt or from an affine
    registration written into the header; neither ITK's NIfTI nor a qform can hold it, so the result could not be
    written onto the same grid for every reader.

    Args:
        path: For the message: the file, or what an image in memory is called.
        affine: ``(4, 4)``, voxel index to RAS mm.

    Raises:
        InputError: Naming the value.
    """
    if not np.isfinite(affine).all():
        raise InputError(f"{shown(path)} has a position or direction that is not finite: export it again")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    check_spacing(path, spacing.tolist())
    if np.abs(affine[:3, 3]).max() > MAX_ORIGIN_MM:
        origin = ", ".join(f"{value:g}" for value in affine[:3, 3])
        raise InputError(f"{shown(path)} claims to lie at ({origin}) mm: correct its header or export it again")
    direction = affine[:3, :3] / spacing
    if abs(np.linalg.det(direction)) < 1e-3:
        raise InputError(f"{shown(path)} has a singular direction (axes in one plane): export it again")
    cosine = float(np.abs(direction.T @ direction - np.eye(3)).max())
    if cosine > MAX_SHEAR_COSINE:
        angle = math.degrees(math.asin(min(cosine, 1.0)))
        raise InputError(f"{shown(path)} has axes {angle:.1f} degrees off the right angle: resample it to a plain grid")


def clip(text: str) -> str:
    """The start of a text from a header, for a message."""
    return text if len(text) <= 60 else text[:57] + "..."
