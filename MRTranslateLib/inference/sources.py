"""What a caller may hand over as an image: a path, a :class:`Volume`, or an array with its affine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import shown
from MRTranslateLib.formats.checks import check_affine
from MRTranslateLib.io import read_mask, read_volume
from MRTranslateLib.provenance import FileRecord, content_sha256
from MRTranslateLib.volume import Volume

Image: TypeAlias = "str | PathLike[str] | Volume | tuple[NDArray[Any], NDArray[np.float64]]"
"""A file, a volume, or ``(array (I, J, K), affine (4, 4) to RAS mm)``."""


@dataclass(frozen=True, eq=False)
class NamedVolume:
    """A volume, what to call it in messages, and where it came from.

    Attributes:
        name: ``T1w (scan.nii.gz)`` or ``T1w``.
        volume: The image.
        record: For provenance.
    """

    name: str
    volume: Volume
    record: FileRecord


HAND_OVER = "hand over (array, affine), a Volume or a path"


def by_contrast(sources: Mapping[Contrast, Image] | Mapping[str, Image]) -> dict[Contrast, Image]:
    """Sources as a caller names them, in the same order.

    Raises:
        UsageError: If they are no mapping, or a name is no contrast or comes twice in two spellings.
    """
    if not isinstance(sources, Mapping):
        kind = type(sources).__name__
        raise UsageError(f"sources are given by contrast, such as {{'T1w': 't1.nii.gz'}}, not as a {kind}")
    given: dict[Contrast, Image] = {}
    for name, image in sources.items():
        contrast = parse_contrast(str(name))
        if contrast in given:
            raise UsageError(f"{contrast} is given twice, the second time as {str(name)!r}: give it once")
        given[contrast] = image
    return given


def load_image(image: Image, role: str, *, labels: bool = False) -> NamedVolume:
    """Read or wrap an image.

    Args:
        image: See :data:`Image`.
        role: ``T1w``, ``brain mask``, ...: how messages call it.
        labels: Whether it holds integer labels.

    Raises:
        InputError: If it cannot be read or is no 3D volume of real numbers on a plain grid.
    """
    if isinstance(image, Volume):
        return _in_memory(image, role)
    if isinstance(image, tuple):
        try:
            array, affine = image
            volume = Volume(np.asarray(array), np.asarray(affine))
        except (ValueError, TypeError) as error:
            raise InputError(f"{role}: {error}; {HAND_OVER}") from None
        return _in_memory(volume, role)
    try:
        path = Path(fspath(image))
    except TypeError:
        raise InputError(f"{role} is a {type(image).__name__}; {HAND_OVER}") from None
    volume = read_mask(path) if labels else read_volume(path)
    record = FileRecord(path=str(path.absolute()), sha256=content_sha256(volume.array, volume.affine))
    return NamedVolume(f"{role} ({shown(path.name)})", volume, record)


def _in_memory(volume: Volume, role: str) -> NamedVolume:
    """What holds for a file must hold for an image in memory."""
    if volume.array.dtype.kind not in "biuf":
        raise InputError(f"{role} holds {volume.array.dtype} voxels: give one real number per voxel")
    check_affine(role, volume.affine)
    return NamedVolume(role, volume, FileRecord(path=None, sha256=content_sha256(volume.array, volume.affine)))
