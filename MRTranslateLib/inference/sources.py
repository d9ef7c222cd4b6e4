"""What a caller may hand over as an image: a path, a :class:`Volume`, or an array with its affine."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
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


def load_image(image: Image, role: str, *, labels: bool = False) -> NamedVolume:
    """Read or wrap an image.

    Args:
        image: See :data:`Image`.
        role: ``T1w``, ``brain mask``, ...: how messages call it.
        labels: Whether it holds integer labels.

    Raises:
        InputError: If it cannot be read or is no 3D volume.
    """
    if isinstance(image, Volume):
        return NamedVolume(role, image, FileRecord(path=None, sha256=content_sha256(image.array, image.affine)))
    if isinstance(image, tuple):
        try:
            volume = Volume(np.asarray(image[0]), np.asarray(image[1]))
        except (ValueError, TypeError, IndexError) as error:
            raise InputError(f"{role}: {error}; hand over (array, affine), a Volume or a path") from None
        return load_image(volume, role)
    path = Path(fspath(image))
    volume = read_mask(path) if labels else read_volume(path)
    record = FileRecord(path=str(path.absolute()), sha256=content_sha256(volume.array, volume.affine))
    return NamedVolume(f"{role} ({shown(path.name)})", volume, record)
