"""What is known of one cell of a robustness run, and how it is kept so that a killed run can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import json_text, reason, shown, write_text_atomic
from MRTranslateLib.metrics.regions import Images, RegionScores
from MRTranslateLib.robustness.plan import CellKey, Track

CELLS_FOLDER = "cells"
UNPERTURBED = CellKey("none", 0, "clean")
"""The cell of the clean sources, against which all others are held."""


class RegionResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One region of one cell.

    Attributes:
        relative_change: Mean absolute difference from the unperturbed result over that result's mean in the region;
            0.1 is 10 %. None where that mean is 0.
        change: Against the unperturbed result (self-consistency).
        error: Against the real scan; None without one.
    """

    relative_change: float | None
    change: RegionScores
    error: RegionScores | None


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One perturbation at one level on one track.

    Attributes:
        perturbation: Key of the bank; ``none`` for the clean sources.
        level: 1..5; 0 for the clean sources.
        track: See :data:`MRTranslateLib.robustness.plan.Track`.
        label: The physical parameters in words.
        perturbed: Sources that were spoilt.
        regions: By name, see :func:`MRTranslateLib.robustness.regions.region_masks`.
        network_seconds: Time of the translation.
        seconds: Time of the whole cell.
        fallbacks: What could not be done as asked, in words.
    """

    perturbation: str
    level: int
    track: Track
    label: str
    perturbed: tuple[Contrast, ...]
    regions: dict[str, RegionResult]
    network_seconds: float
    seconds: float
    fallbacks: tuple[str, ...]
    kind: Literal["robustness cell, synthetic, not for diagnostic use"] = (
        "robustness cell, synthetic, not for diagnostic use"
    )

    @property
    def key(self) -> CellKey:
        """Which cell."""
        return CellKey(self.perturbation, self.level, self.track)


def cell_path(folder: Path, key: CellKey, extension: str = ".json") -> Path:
    """File of a cell in the output folder of a run."""
    return folder / CELLS_FOLDER / (key.name + extension)


def write_cell(folder: Path, cell: Cell) -> None:
    """Keep a cell; its file appears complete or not at all and says that the cell's other files are complete."""
    write_text_atomic(cell_path(folder, cell.key), json_text(cell), overwrite=True)


def read_cell(folder: Path, key: CellKey) -> Cell | None:
    """A finished cell, None if it has not been done.

    Raises:
        InputError: If the file is there and is no cell.
    """
    path = cell_path(folder, key)
    try:
        cell = msgspec.json.decode(path.read_bytes(), type=Cell)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {reason(error)}; give another folder") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{shown(path)} is no cell of a robustness run ({error}): remove it and run again") from None
    if cell.key != key:
        raise InputError(f"{shown(path)} holds cell {cell.key.name}: remove it and run again")
    return cell


def compare(
    result: NDArray[np.float32],
    unperturbed: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
    regions: dict[str, NDArray[np.bool_]],
) -> dict[str, RegionResult]:
    """Measure a result region by region.

    Args:
        result: ``(S, H, W)``, 0..1.
        unperturbed: What the clean sources gave, same shape.
        reference: The real contrast, same shape, 0..1; None where it is not known.
        regions: Masks, same shape.
    """
    change = Images(unperturbed, result, 1.0)
    error = None if reference is None else Images(reference, result, 1.0)
    compared = {}
    for name, mask in regions.items():
        scores = change.scores(mask)
        mean = float(unperturbed[mask].mean(dtype=np.float64))
        compared[name] = RegionResult(
            relative_change=scores.nmae / mean if mean > 0 else None,
            change=scores,
            error=None if error is None else error.scores(mask),
        )
    return compared
