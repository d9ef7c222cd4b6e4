"""The same scan cut into axial, coronal or sagittal slices, so that a generator can learn and translate any view.

METHODS 9.4 (proposal): the mean of translations from several views has less flicker along each (stated of BraSyn25,
with axial and sagittal ones). Voxels are cubes of about 1 mm, so that exchanging axes is all it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.data.cache import CachedScan

View: TypeAlias = Literal["axial", "coronal", "sagittal"]
AXES_OF_VIEW: dict[View, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
"""Axes of an axial stack (superior, anterior, right) in the order slices, rows, columns of each view."""


def in_view(volume: NDArray[Any], view: View) -> NDArray[Any]:
    """An axial stack ``(S, H, W)`` as a stack of another view, contiguous."""
    return np.ascontiguousarray(volume.transpose(AXES_OF_VIEW[view]))


def from_view(volume: NDArray[Any], view: View) -> NDArray[Any]:
    """The axial stack of a stack of ``view``: undoes :func:`in_view`."""
    back = np.argsort(AXES_OF_VIEW[view])
    return np.ascontiguousarray(volume.transpose(back.tolist()))


def scan_in_view(scan: CachedScan, view: View) -> CachedScan:
    """All of a scan in another view; an axial one is returned as it is."""
    if view == "axial":
        return scan
    images = {contrast: in_view(volume, view) for contrast, volume in scan.images.items()}
    return CachedScan(
        scan.case_id,
        images,
        in_view(scan.brain, view),
        in_view(scan.lesion, view),
        has_lesion_mask=scan.has_lesion_mask,
    )


def scans_in_views(scans: Iterable[CachedScan], views: Iterable[View]) -> list[CachedScan]:
    """Every scan once in each view, view after view: a person then counts once per view, and in memory too."""
    known = list(scans)
    return [scan_in_view(scan, view) for view in views for scan in known]
