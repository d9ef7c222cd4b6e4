"""Make ``MRTranslateLib/phantoms/tissue_atlas.npz`` from the ICBM152 template in the nilearn wheel.

Run once by hand, from the repository root, where nilearn is installed (it is no dependency of the project)::

    python Testing/make_tissue_atlas.py

The template (2009a, nonlinear, symmetric, 1 mm) comes as probability maps of white and grey matter and a T1w average
that is zero outside the brain. What is stored is the right half only, since the left one is its mirror image.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

OUTPUT = Path(__file__).parents[1] / "MRTranslateLib" / "phantoms" / "tissue_atlas.npz"
FILE_NAME = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
T1W_OF_GREY_MATTER = 150.0
T1W_OF_CSF = 85.0
"""Levels of the 8-bit T1w average between which grey matter gives way to cerebrospinal fluid."""
STEP = 4
"""Probabilities are stored in steps of 4/255: no eye sees it, and it halves the file."""

# Deep grey nuclei of the right side as ellipsoids: centre and half axes in MNI mm, read off the template.
DEEP_NUCLEI_MM = {
    "caudate head": ((13, 14, 7), (8, 13, 12)),
    "caudate body": ((15, -4, 19), (7, 18, 7)),
    "putamen and pallidum": ((25, 2, 1), (10, 22, 13)),
    "thalamus": ((11, -18, 8), (13, 17, 13)),
    "red nucleus and substantia nigra": ((8, -18, -10), (10, 10, 9)),
}


def read(kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One map of the template as 0..255, and its affine."""
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise SystemExit("nilearn is not installed here: pip install nilearn")
    image = nibabel.load(Path(spec.origin).parent / "datasets" / "data" / FILE_NAME.format(kind))
    return np.asarray(image.dataobj, dtype=np.float64), image.affine


def deep_nuclei(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside the deep nuclei of either side, 0 outside, smooth over about 2 mm."""
    indices = np.indices(shape).reshape(3, -1)
    x, y, z = affine[:3, :3] @ indices + affine[:3, 3:]
    inside = np.zeros(indices.shape[1])
    for (cx, cy, cz), (ax, ay, az) in DEEP_NUCLEI_MM.values():
        radius = np.sqrt(((np.abs(x) - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 + ((z - cz) / az) ** 2)
        inside = np.maximum(inside, np.clip((1.15 - radius) / 0.3, 0, 1))
    return inside.reshape(shape)


def main() -> None:
    grey, affine = read("gm")
    white, _ = read("wm")
    t1w, _ = read("t1")
    mask = ndimage.binary_fill_holes(t1w > 0)
    # The grey map is blurred into the ventricles and sulci; the T1w average shows better where fluid is.
    fluid = np.clip((T1W_OF_GREY_MATTER - t1w) / (T1W_OF_GREY_MATTER - T1W_OF_CSF), 0, 1)
    fluid = np.maximum(fluid, np.clip(1 - (grey + white) / 255, 0, 1)) * mask
    scale = (1 - fluid) * mask * 255 / np.maximum(grey + white, 1)
    white, grey = white * scale, grey * scale
    deep = grey * deep_nuclei(grey.shape, affine)
    maps = {"white_matter": white, "grey_matter": grey - deep, "deep_grey_matter": deep, "csf": fluid * 255}

    middle = round(np.linalg.solve(affine, [0, 0, 0, 1])[0])
    corners = np.argwhere(mask)
    (_, y0, z0), (x1, y1, z1) = corners.min(0), corners.max(0) + 1
    half = {
        name: (np.rint(array[middle:x1, y0:y1, z0:z1] / STEP) * STEP).clip(0, 255).astype(np.uint8)
        for name, array in maps.items()
    }
    origin_mm = affine[:3, :3] @ [middle, y0, z0] + affine[:3, 3]
    np.savez_compressed(OUTPUT, origin_mm=origin_mm, **half)
    asymmetry = max(float(np.abs(array[:middle][::-1] - array[middle + 1 :]).max()) for array in maps.values())
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes, left and right differ by at most {asymmetry:.0f}/255")


if __name__ == "__main__":
    main()
