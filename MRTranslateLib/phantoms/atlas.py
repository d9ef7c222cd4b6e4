"""Where the healthy tissues are: maps of an average brain, and around it a plain head of skull, scalp, face and neck.

Both live in the space of the ICBM152 template: RAS+ mm, origin near the anterior commissure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.phantoms.lattice import Lattice, add_up
from MRTranslateLib.phantoms.signal import Tissue

FULL = 255
"""Maps are stored in bytes: this is a fraction of 1."""
SHARPNESS = 2.0
"""Exponent that turns the blurred maps of 152 people into those of one person with distinct folds."""
BRAIN_TISSUES = (Tissue.WHITE_MATTER, Tissue.GREY_MATTER, Tissue.DEEP_GREY_MATTER, Tissue.CSF)
_ARRAY_NAMES = ("white_matter", "grey_matter", "deep_grey_matter", "csf")

# Layers around the brain from inside out, tissue and outer radius in mm; and layers below the surface of the head.
_CRANIUM = ((Tissue.CSF, 2.0), (Tissue.BONE, 4.0), (Tissue.MARROW, 6.5), (Tissue.BONE, 8.5))
_SCALP_MM = 15.0
_SKIN_MM, _FAT_MM = 2.5, 6.5
_CLOSING_MM = 14.0
"""Furrows of the brain and hollows between skull and face are filled up to twice this width."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """Tissue maps in template space, values 0..255 for fractions 0..1."""

    maps: Mapping[Tissue, Lattice]


@lru_cache(maxsize=2)
def brain_atlas(step_mm: int) -> Atlas:
    """Maps of the brain tissues; their sum is 1 inside the brain and 0 outside.

    Args:
        step_mm: 1, or 2 for maps averaged over 2 x 2 x 2 voxels, which keep partial volume right for coarse grids.
    """
    data = np.load(str(files(__package__) / "tissue_atlas.npz"))
    halves = [data[name] for name in _ARRAY_NAMES]
    # The template is symmetric and its right half stored: the first plane is the middle one.
    maps = np.stack([np.concatenate([half[:0:-1], half]) for half in halves]).astype(np.float32)
    total = maps.sum(axis=0)
    sharp = maps**SHARPNESS
    sharp *= np.minimum(total, FULL) / np.maximum(sharp.sum(axis=0), 1)
    origin_mm = data["origin_mm"] - [halves[0].shape[0] - 1, 0, 0]
    if step_mm == 2:
        sharp = block_mean(np.pad(sharp, [(0, 0)] + [(0, n % 2) for n in total.shape]), (1, 2, 2, 2))
        origin_mm = origin_mm + 0.5
    elif step_mm != 1:
        raise ValueError(f"the atlas has steps of 1 and 2 mm, got {step_mm}")
    stored = np.rint(sharp).astype(np.uint8)
    lattices = {
        tissue: Lattice(array, origin_mm, step_mm, outside=0)
        for tissue, array in zip(BRAIN_TISSUES, stored, strict=True)
    }
    return Atlas(MappingProxyType(lattices))


def block_mean(array: NDArray[np.float32], factors: tuple[int, ...]) -> NDArray[np.float32]:
    """Mean over blocks of ``factors`` voxels; each axis must be a multiple of its factor."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            split = (*array.shape[:axis], array.shape[axis] // factor, factor, *array.shape[axis + 1 :])
            array = array.reshape(split).mean(axis=axis + 1, dtype=np.float32)
    return array


@lru_cache(maxsize=1)
def ventricle_distance() -> Lattice:
    """Distance to the lateral and third ventricles in mm, on the 2 mm lattice."""
    csf = brain_atlas(2).maps[Tissue.CSF]
    x, y, z = _positions(csf.values.shape, csf.origin_mm, csf.step_mm)
    deep = (np.abs(x) < 38) & (y > -58) & (y < 34) & (z > -12) & (z < 34)
    ventricles = (csf.values > FULL / 2) & deep
    return Lattice(ndimage.distance_transform_edt(~ventricles) * csf.step_mm, csf.origin_mm, csf.step_mm)


@lru_cache(maxsize=1)
def brain_depth() -> Lattice:
    """How deep below the surface of the brain a position lies, in mm, 0 outside; on the 2 mm lattice."""
    maps = list(brain_atlas(2).maps.values())
    brain = add_up(lattice.values.astype(np.float32) for lattice in maps) > FULL / 2
    return Lattice(ndimage.distance_transform_edt(np.pad(brain, 1))[1:-1, 1:-1, 1:-1] * 2, maps[0].origin_mm, 2, 0)


@lru_cache(maxsize=1)
def head_atlas() -> Atlas:
    """Maps of what surrounds the brain, on a 2 mm lattice; they mean nothing inside the brain."""
    step_mm, origin_mm = 2.0, np.array([-116.0, -156.0, -132.0])
    shape = (117, 141, 128)
    x, y, z = _positions(shape, origin_mm, step_mm)
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = origin_mm
    brain = add_up(m.sample_grid(shape, affine) for m in brain_atlas(2).maps.values()) > FULL / 2
    from_brain = _distance_after_closing(brain, step_mm)
    face = _ellipsoid(x, y, z, (0, 30, -62), (68, 62, 84)) | _ellipsoid(x, y, z, (0, 88, -56), (13, 16, 22))
    ears = _ellipsoid(x, y, z, (0, -12, -42), (74, 80, 46))
    neck = (x / 60) ** 2 + ((y + 34) / 62) ** 2 + 0 * z < 1
    outline = _distance_after_closing((from_brain < _SCALP_MM) | face | ears | neck & (z < -40), step_mm) <= 0
    depth = ndimage.distance_transform_edt(outline) * step_mm

    labels = np.where(outline, _code(Tissue.MUSCLE), 0).astype(np.uint8)
    _carve_face(labels, x, y, z)
    inner = 0.0
    for tissue, outer in _CRANIUM:
        labels[(from_brain > inner) & (from_brain <= outer)] = _code(tissue)
        inner = outer
    flesh = outline & (from_brain > inner)
    labels[flesh & (depth <= _FAT_MM)] = _code(Tissue.FAT)
    labels[flesh & (depth <= _SKIN_MM)] = _code(Tissue.SKIN)
    _carve_spine_and_eyes(labels, x, y, z)
    maps = {}
    for tissue in (Tissue.CSF, Tissue.BONE, Tissue.MARROW, Tissue.FAT, Tissue.SKIN, Tissue.MUSCLE):
        soft = ndimage.gaussian_filter((labels == _code(tissue)).astype(np.float32), 0.7)
        maps[tissue] = Lattice((soft * FULL).astype(np.uint8), origin_mm, step_mm, outside=0)
    return Atlas(MappingProxyType(maps))


def _code(tissue: Tissue) -> int:
    """Label of a tissue in the head; 0 is air."""
    return list(Tissue).index(tissue) + 1


def _positions(
    shape: tuple[int, ...], origin_mm: NDArray[np.float64], step_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of lattice points, each shaped to broadcast over ``shape``."""
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return x * step_mm + origin_mm[0], y * step_mm + origin_mm[1], z * step_mm + origin_mm[2]


def _distance_after_closing(inside: NDArray[np.bool_], step_mm: float) -> NDArray[Any]:
    """Distance in mm to a region whose hollows were filled; 0 within."""
    outside: NDArray[Any] = ndimage.distance_transform_edt(~inside) * step_mm
    grown = outside < _CLOSING_MM
    back: NDArray[Any] = _CLOSING_MM - ndimage.distance_transform_edt(grown) * step_mm
    smooth: NDArray[Any] = ndimage.gaussian_filter(np.where(grown, back, outside), 0.8)
    return np.where(inside, 0, np.maximum(smooth, 0))


def _ellipsoid(
    x: NDArray[Any],
    y: NDArray[Any],
    z: NDArray[Any],
    centre_mm: tuple[float, float, float],
    half_axes_mm: tuple[float, float, float],
) -> NDArray[Any]:
    """Whether positions are inside an ellipsoid or its mirror image on the left side."""
    (cx, cy, cz), (ax, ay, az) = centre_mm, half_axes_mm
    radius: NDArray[Any] = ((np.abs(x) - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 + ((z - cz) / az) ** 2
    return radius < 1


def _carve_face(labels: NDArray[np.uint8], x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> None:
    """Fat between the muscles, jaws, air in nose, sinuses and throat; in place."""
    fat_planes = np.sin(x / 6.0 + y / 9.0) * np.sin(y / 7.0 - z / 11.0) * np.cos(z / 9.0 + x / 13.0) > 0.4
    labels[(labels > 0) & fat_planes] = _code(Tissue.FAT)
    for centre, axes, tissue in (
        ((0, 62, -72), (34, 22, 9), Tissue.BONE),  # upper jaw and palate
        ((47, 30, -82), (6, 18, 30), Tissue.MARROW),  # branch of the lower jaw
        ((24, 48, -58), (13, 18, 15), None),  # maxillary sinuses
        ((0, 62, -50), (8, 20, 13), None),  # nose
        ((0, 12, -80), (10, 7, 40), None),  # throat
    ):
        where = _ellipsoid(x, y, z, centre, axes) & (labels > 0)
        labels[where] = 0 if tissue is None else _code(tissue)


def _carve_spine_and_eyes(labels: NDArray[np.uint8], x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> None:
    """Vertebrae with cord, orbits with eyes; in place."""
    around_cord = (x**2 + (y + 44) ** 2) ** 0.5 + 0 * z
    below = (z < -70) & (labels > 0)
    labels[below & (np.abs(x) < 19) & (np.abs(y + 42) < 21)] = _code(Tissue.MARROW)
    labels[below & (around_cord < 11)] = _code(Tissue.BONE)
    labels[below & (around_cord < 9)] = _code(Tissue.CSF)
    labels[below & (around_cord < 5)] = _code(Tissue.MUSCLE)  # the cord: no tissue of the head is nearer to it
    orbit = _ellipsoid(x, y, z, (32, 56, -34), (17, 25, 17)) & np.isin(labels, [_code(Tissue.MUSCLE), 0])
    labels[orbit & (y < 76)] = _code(Tissue.FAT)
    # Vitreous is nearly water.
    labels[_ellipsoid(x, y, z, (32, 68, -34), (12, 12, 12)) & (labels > 0)] = _code(Tissue.CSF)
