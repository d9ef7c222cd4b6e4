"""Phantoms as prepared scans, for smoke runs and controlled comparisons: their truth is known and they need no data."""

from __future__ import annotations

import numpy as np

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.working_grid import brain_box
from MRTranslateLib.phantoms import Phantom, brain_grid, make_phantom
from MRTranslateLib.phantoms.lesion import Pathology
from MRTranslateLib.preprocessing.normalization import brain_scale, normalize
from MRTranslateLib.volume import to_canonical, to_slices
from training.data.cache import CachedScan

CONTRASTS = (Contrast.T1W, Contrast.T2W, Contrast.FLAIR)
FIELD_OF_VIEW_MM = (240.0, 240.0, 198.0)


def phantom_scans(count: int, *, spacing_mm: float, first_seed: int) -> list[CachedScan]:
    """People in turn with glioma and multiple sclerosis, T1w, T2w and FLAIR, on cubic voxels.

    Args:
        count: How many.
        spacing_mm: Of the voxels; 3 mm make slices of about 60 x 50 voxels.
        first_seed: Of the first person; the others follow.
    """
    grid = brain_grid((spacing_mm, spacing_mm, spacing_mm), field_of_view_mm=FIELD_OF_VIEW_MM)
    scans = []
    for index in range(count):
        pathology: Pathology = "glioma" if index % 2 == 0 else "multiple sclerosis"
        phantom = make_phantom(first_seed + index, pathology=pathology, grid=grid, contrasts=CONTRASTS)
        scans.append(phantom_scan(f"phantom-{first_seed + index}", phantom))
    return scans


def phantom_scan(case_id: str, phantom: Phantom) -> CachedScan:
    """A phantom as the cache would hold it."""
    mask = to_canonical(phantom.brain_mask)
    brain = mask.array > 0
    box = brain_box(brain, 1)
    images = {}
    for contrast, made in phantom.volumes.items():
        volume = to_canonical(made)
        scaled = normalize(volume.array[box] * brain[box], brain_scale(volume, mask))
        images[contrast] = np.ascontiguousarray(to_slices(np.round(scaled * 255).astype(np.uint8)))
    labels = to_canonical(phantom.labels).array[box].astype(np.uint8)
    return CachedScan(
        case_id,
        images,
        np.ascontiguousarray(to_slices(brain[box])),
        np.ascontiguousarray(to_slices(labels)),
        has_lesion_mask=True,
    )
