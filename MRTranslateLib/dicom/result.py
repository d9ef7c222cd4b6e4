"""A result that is what a run wrote: its provenance would be a lie about any other file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.formats.checks import regular_file
from MRTranslateLib.io import read_volume
from MRTranslateLib.provenance import OutputRecord, Provenance, content_sha256, read_sidecar, sidecar_path
from MRTranslateLib.volume import Volume

_HASHED_DECIMALS = 4
_MOST_ROUNDINGS = 64


def read_result(path: Path) -> tuple[Volume, Provenance]:
    """A result with its sidecar.

    Raises:
        InputError: If it cannot be read, has no sidecar beside it, or is not what the run wrote.
    """
    regular_file(path)
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        raise InputError(
            f"{shown(path)} has no sidecar {shown(sidecar.name)} beside it: give a result as translate wrote it, "
            "together with its .json"
        )
    provenance = read_sidecar(sidecar)
    return _as_written(path, provenance.output, sidecar), provenance


def read_map(path: Path, name: str, record: OutputRecord | None) -> Volume:
    """A map that the run of a result wrote beside it, and so on its grid.

    Args:
        path: Of the map.
        name: ``attention`` or ``uncertainty``.
        record: What the result's sidecar says of it.

    Raises:
        InputError: If it is not what the run wrote.
    """
    if record is None:
        raise InputError(
            f"{shown(path)} does not belong to this result, which was made without {name} map: leave it out"
        )
    return _as_written(path, record, None)


def _as_written(path: Path, record: OutputRecord, sidecar: Path | None) -> Volume:
    volume = read_volume(path)
    if not any(content_sha256(volume.array, affine) == record.sha256 for affine in _hashed_affines(volume.affine)):
        said_by = "the result's sidecar" if sidecar is None else shown(sidecar.name)
        raise InputError(
            f"{shown(path)} is not what {said_by} describes, it was altered, replaced or damaged since: give the file "
            "as translate wrote it, or translate again"
        )
    return volume


def _hashed_affines(affine: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The affines that the run may have hashed, of which a format keeps less: NIfTI has float32.

    The hash is of the affine to four decimals. An element that lies between two of these within the precision of the
    file may have been either; rarely more than one or two do.
    """
    slack = np.abs(affine) * np.finfo(np.float32).eps + 1e-9
    choices = [
        sorted({round(value - off, _HASHED_DECIMALS), round(value + off, _HASHED_DECIMALS)})
        for value, off in zip(affine.ravel().tolist(), slack.ravel().tolist(), strict=True)
    ]
    for chosen in islice(product(*choices), _MOST_ROUNDINGS):
        yield np.array(chosen).reshape(affine.shape)
