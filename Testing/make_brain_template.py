"""Makes MRTranslateLib/preprocessing/brain_template.npz from the ICBM 152 template that nilearn 0.14 ships.

Run once, by hand: ``python Testing/make_brain_template.py``; needs nilearn, which the project itself does not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

FACTOR = 3
MARGIN = 12
TARGET = Path(__file__).parents[1] / "MRTranslateLib" / "preprocessing" / "brain_template.npz"


def main() -> None:
    (nilearn,) = find_spec("nilearn").submodule_search_locations  # importing nilearn.datasets would need pandas
    image = nib.load(Path(nilearn) / "datasets" / "data" / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    t1w = np.pad(np.asarray(image.dataobj).astype(np.float32), MARGIN)
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(t1w > 0, iterations=4))
    affine = image.affine.copy()
    affine[:3, :3] *= FACTOR
    affine[:3, 3] += (FACTOR - 1) / 2 - MARGIN
    mean_t1w, mean_brain = _block_mean(t1w), _block_mean(255.0 * brain)
    np.savez_compressed(
        TARGET, t1w=np.round(mean_t1w).astype(np.uint8), brain=np.round(mean_brain).astype(np.uint8), affine=affine
    )


def _block_mean(array: np.ndarray) -> np.ndarray:
    i, j, k = (n // FACTOR for n in array.shape)
    cut = array[: i * FACTOR, : j * FACTOR, : k * FACTOR]
    return cut.reshape(i, FACTOR, j, FACTOR, k, FACTOR).mean(axis=(1, 3, 5))


if __name__ == "__main__":
    main()
