"""Make the sample scan that comes with the module: a generated head with a tumour, small enough for the repository.

``python Testing/make_sample_data.py`` writes MRTranslate/Resources/SampleData again and prints the checksums that
``SampleDataSources.py`` holds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.volume import Volume

FOLDER = Path(__file__).parents[1] / "MRTranslate" / "Resources" / "SampleData"
SEED = 4
SPACING_MM = 1.2
LEVELS = 400
"""Intensities are rounded to this many, which halves the files."""
MARGIN_VOXELS = 6


def main() -> None:
    """Write the files and print their checksums."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    contrasts = (Contrast.T1W, Contrast.T2W, Contrast.FLAIR)
    phantom = make_phantom(SEED, grid=brain_grid((SPACING_MM,) * 3), contrasts=contrasts, noise=0.01)
    files = {f"Phantom_{contrast}.nrrd": _rounded(phantom.volumes[contrast]) for contrast in contrasts}
    files["Phantom_lesion.nrrd"] = phantom.labels
    box = _box(phantom.brain_mask)
    for name, volume in files.items():
        path = FOLDER / name
        write_volume(path, _cropped(volume, box), overwrite=True)
        print(f"{name}: {path.stat().st_size} bytes, SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


def _rounded(volume: Volume) -> Volume:
    scaled = np.clip(volume.array / np.percentile(volume.array[volume.array > 0], 99.9), 0, 1.5) * LEVELS
    return volume.with_array(np.round(scaled).astype(np.int16))


def _box(mask: Volume) -> tuple[slice, ...]:
    present = [np.flatnonzero(mask.array.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(max(0, found[0] - MARGIN_VOXELS), found[-1] + 1 + MARGIN_VOXELS) for found in present)


def _cropped(volume: Volume, box: tuple[slice, ...]) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return Volume(np.ascontiguousarray(volume.array[box]), affine)


if __name__ == "__main__":
    main()
