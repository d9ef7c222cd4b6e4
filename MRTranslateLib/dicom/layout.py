"""How a volume is cut into DICOM slices: where each lies, and which way its rows and columns run.

A result on the lattice of the acquired series gets that series' own slices, each with its exact position and
orientation, so that viewers show both in step. Any other result is cut as radiologists look at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel import orientations
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.valuerep import format_number_as_ds

from MRTranslateLib.dicom.elements import tolerant
from MRTranslateLib.dicom.source import AcquiredSeries
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.volume import RAS_TO_LPS, Volume, from_canonical, same_lattice, to_canonical

LEAST_OVERLAP = 0.5
"""Of the smaller field of view in the other one; sources of one person overlap nearly wholly."""
MAX_SHEAR_COSINE = 1e-4
"""A slice has no place for a shear (PS3.3 C.7.6.2.1.1); this one moves no voxel of a head by more than 0.03 mm."""
_THICK = 1.01
_DISPLAYED = {0: ("P", "I", "R"), 1: ("L", "I", "P"), 2: ("L", "P", "S")}
"""Directions of columns, rows and slices by the axis (right, anterior, superior) along which slices follow each other:
as sagittal, coronal and axial images are displayed, and right-handed."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Slices of a grid.

    Attributes:
        grid: A volume with the grid's voxels, axes column, row, slice.
        positions: Image Position (Patient) of each slice, 3 decimal strings, LPS mm.
        orientation: Image Orientation (Patient), 6 decimal strings.
        pixel_spacing: Distance of rows, then of columns, decimal strings, mm.
        thickness: Slice Thickness of each slice, decimal strings, mm.
        distance: Of neighbouring slices, decimal string, mm.
        acquired: The series' header at the place of each slice, None on another lattice.
    """

    grid: Volume
    positions: tuple[tuple[str, ...], ...]
    orientation: tuple[str, ...]
    pixel_spacing: tuple[str, ...]
    thickness: tuple[str, ...]
    distance: str
    acquired: tuple[Dataset, ...] | None

    def slices(self, volume: Volume) -> NDArray[Any]:
        """The voxels of a volume of these voxels in any order of axes, as ``(slice, row, column)``."""
        return np.ascontiguousarray(from_canonical(to_canonical(volume).array, self.grid).transpose(2, 1, 0))


def layout_of(result: Volume, series: AcquiredSeries) -> Layout:
    """How to cut a result that joins a series.

    Raises:
        InputError: If it lies elsewhere than the series, or is sheared.
    """
    overlap = _overlap(result, series.volume)
    if overlap < LEAST_OVERLAP:
        raise InputError(
            f"the result and the series in {shown(series.folder)} share only {overlap:.0%} of their space: give the "
            "series of the same person that the result was made from (--series)"
        )
    if same_lattice(result, series.volume):
        return _acquired_layout(series)
    return _own_layout(result, series.volume)


def _overlap(first: Volume, second: Volume) -> float:
    """Share of the smaller field of view that lies in the other, 0..1."""
    return max(_share_inside(first, second), _share_inside(second, first))


def _share_inside(one: Volume, other: Volume) -> float:
    """Share of ``one``, sampled at 16 places along each axis, that lies in a voxel of ``other``."""
    axes = [np.linspace(0, size - 1, 16) for size in one.shape]
    places = np.stack([*np.meshgrid(*axes, indexing="ij"), np.ones((16, 16, 16))]).reshape(4, -1)
    index = (np.linalg.inv(other.affine) @ one.affine @ places)[:3]
    inside = (index >= -0.5) & (index <= np.array(other.shape)[:, None] - 0.5)
    return float(inside.all(axis=0).mean())


def _acquired_layout(series: AcquiredSeries) -> Layout:
    """The series' own slices."""
    distance = series.volume.spacing_mm[2]
    first = series.headers[0]
    return Layout(
        grid=series.volume,
        positions=tuple(_decimals(header, "ImagePositionPatient") for header in series.headers),
        orientation=_decimals(first, "ImageOrientationPatient"),
        pixel_spacing=_decimals(first, "PixelSpacing"),
        thickness=tuple(_thickness(header, distance) for header in series.headers),
        distance=_millimetres(distance),
        acquired=series.headers,
    )


def _own_layout(result: Volume, series: Volume) -> Layout:
    """Slices along the result's thickest axis; along the series' slice axis if no axis is thicker."""
    direction = result.affine[:3, :3] / result.spacing_mm
    cosine = float(np.abs(direction.T @ direction - np.eye(3)).max())
    if cosine > MAX_SHEAR_COSINE:
        angle = np.degrees(np.arcsin(cosine))
        raise InputError(
            f"the result has axes {angle:.2f} degrees off the right angle, which DICOM slices cannot show: resample "
            "the first source to a plain grid and translate again"
        )
    anatomical = orientations.io_orientation(result.affine)[:, 0]
    thickest = int(np.argmax(result.spacing_mm))
    if result.spacing_mm[thickest] > _THICK * sorted(result.spacing_mm)[1]:
        axis = int(anatomical[thickest])
    else:
        axis = int(orientations.io_orientation(series.affine)[2, 0])
    grid = _reoriented(result, _DISPLAYED[axis])
    lps = RAS_TO_LPS @ grid.affine
    columns, rows, distance = grid.spacing_mm
    cosines = np.concatenate([lps[:3, 0] / columns, lps[:3, 1] / rows])
    places = [(lps @ [0, 0, k, 1])[:3] for k in range(grid.shape[2])]
    return Layout(
        grid=grid,
        positions=tuple(_formatted(place) for place in places),
        orientation=_formatted(cosines),
        pixel_spacing=_formatted((rows, columns)),
        thickness=(_millimetres(distance),) * grid.shape[2],
        distance=_millimetres(distance),
        acquired=None,
    )


def _reoriented(volume: Volume, directions: tuple[str, str, str]) -> Volume:
    """The same voxels with axes that point closest to these anatomical directions."""
    change = orientations.ornt_transform(
        orientations.io_orientation(volume.affine), orientations.axcodes2ornt(directions)
    )
    array = orientations.apply_orientation(volume.array, change)
    return Volume(array, volume.affine @ orientations.inv_ornt_aff(change, volume.shape))


def _decimals(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Numbers of a header as they are written there; shortened where longer than PS3.5 6.2 allows for DS."""
    with tolerant():
        texts = [str(getattr(value, "original_string", value)).strip() for value in header[keyword].value]
    return tuple(text if len(text) <= 16 else format_number_as_ds(float(text)) for text in texts)


def _thickness(header: Dataset, distance_mm: float) -> str:
    """As acquired, since a synthetic slice shows the same slab; else the distance of slices."""
    try:
        with tolerant():
            thickness = float(header.SliceThickness)
    except (AttributeError, TypeError, ValueError):
        thickness = 0.0
    return _millimetres(thickness if 0 < thickness < 1000 else distance_mm)


def _formatted(values: Iterable[float]) -> tuple[str, ...]:
    # Negative zero, and what is zero but for rounding, would be shown as such.
    return tuple(format_number_as_ds(float(np.round(value, 12)) + 0.0) for value in values)


def _millimetres(length: float) -> str:
    return format_number_as_ds(round(length, 6))
