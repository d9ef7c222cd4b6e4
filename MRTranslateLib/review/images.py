"""The images of one case as readers see them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.sources import NamedVolume, load_image
from MRTranslateLib.preprocessing.guard import check_intensities, check_volume
from MRTranslateLib.preprocessing.registration import register_rigid
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.review.blind import blinded, shared_brain
from MRTranslateLib.review.candidates import Candidate
from MRTranslateLib.review.key import ShownFiles
from MRTranslateLib.review.order import Kind
from MRTranslateLib.volume import Volume, same_grid, to_canonical


@dataclass(frozen=True, eq=False)
class CaseImages:
    """What is shown of a case, all blinded and on one grid.

    Attributes:
        source: Beside each item.
        targets: By kind.
        files: Where they came from.
        warnings: What may tell readers more than it should, a sentence each.
    """

    source: Volume
    targets: dict[Kind, Volume]
    files: ShownFiles
    warnings: tuple[str, ...]


def case_images(candidate: Candidate, settings: BatchSettings, rng: np.random.Generator) -> CaseImages:
    """Read a case and blind it.

    A real target on another grid than the result is registered to the first source as ``translate`` registers sources,
    and sampled once.

    Args:
        candidate: The case.
        settings: Of its batch, for contrasts and registration.
        rng: Chance of the dither.

    Raises:
        InputError: If an image cannot be read or is unfit, or the real target does not show the same brain.
    """
    source = _read(candidate.source, settings.sources[0], "source")
    synthetic = _read(candidate.synthetic, settings.target, "synthetic")
    grid, transform, warnings = to_canonical(synthetic.volume), None, list[str]()
    real = None if candidate.real is None else _read(candidate.real, settings.target, "real")
    if real is not None:
        transform, warnings = _placed(real, source, grid, settings.registration)
    canonical = None if real is None else to_canonical(real.volume)
    brain = shared_brain(grid, canonical, transform)
    targets: dict[Kind, Volume] = {"synthetic": blinded(grid, brain, rng)}
    if real is not None and canonical is not None:
        laid = resample(canonical, grid, transform=transform, interpolation="bspline")
        warnings += check_intensities(laid, laid.with_array(brain), real.name)
        targets["real"] = blinded(laid, brain, rng)
    beside = resample(to_canonical(source.volume), grid, interpolation="bspline")
    return CaseImages(
        source=blinded(beside, brain, rng),
        targets=targets,
        files=ShownFiles(source=source.record, synthetic=synthetic.record, real=None if real is None else real.record),
        warnings=tuple(f"{candidate.case_id}: {text}" for text in warnings),
    )


def _read(path: Path, contrast: Contrast, role: str) -> NamedVolume:
    image = load_image(path, f"the {role} {contrast}")
    check_volume(image.volume, image.name)
    return image


def _placed(
    real: NamedVolume, source: NamedVolume, grid: Volume, registration: str
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """How the real target lies to the result, and what resampling it may tell."""
    on_another_grid = not same_grid(to_canonical(real.volume), grid)
    transform = None
    if registration == "always" or (registration == "auto" and on_another_grid):
        try:
            move = register_rigid(real.volume, source.volume)
        except InputError as error:
            raise InputError(f"{real.name} cannot be registered to {source.name}: {error}") from None
        transform = move.transform if move.verdict == "moved" else None
    if not on_another_grid and transform is None:
        return None, []
    size = " x ".join(f"{mm:.3g}" for mm in real.volume.spacing_mm)
    return transform, [
        f"{real.name} has voxels of {size} mm and was resampled to the result's grid: readers may tell it by its "
        "sharpness"
    ]
