"""A 3D image with its place in the patient; the only file that knows axis orders and coordinate conventions.

Inside the library a volume is an array ``(I, J, K)`` with an affine that maps voxel indices to RAS+ millimetres
(right, anterior, superior), as nibabel has it. SimpleITK uses LPS and arrays ``(K, J, I)``: the conversion is here
and nowhere else. Networks see axial slices ``(S, H, W)``: :func:`to_slices` and :func:`from_slices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner voxel lies further apart than this."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar 3D image.

    Attributes:
        array: Shape ``(I, J, K)``, any real dtype; read-only by agreement.
        affine: Shape ``(4, 4)``, float64, voxel index ``(i, j, k, 1)`` to RAS+ mm; invertible.

    Raises:
        ValueError: If ``array`` is not 3D or ``affine`` is not an invertible, finite ``(4, 4)`` matrix.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine", np.array(self.affine, dtype=np.float64))
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ValueError(f"a volume has 3 non-empty axes, got shape {self.array.shape}")
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise ValueError(f"an affine is a finite (4, 4) matrix, got {self.affine.tolist()}")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise ValueError(f"an affine must be invertible, got {self.affine.tolist()}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        i, j, k = self.array.shape
        return i, j, k

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k in mm."""
        i, j, k = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_array(self, array: NDArray[Any]) -> Volume:
        """The same grid holding ``array`` of the same shape."""
        if array.shape != self.array.shape:
            raise ValueError(f"array {array.shape} does not fit the grid {self.array.shape}")
        return Volume(array, self.affine)


def same_grid(first: Volume, second: Volume) -> bool:
    """Whether two volumes have equal shape and corner voxels within ``GRID_TOLERANCE_MM`` of each other."""
    if first.shape != second.shape:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64)
    corners[:, :3] *= np.array(first.shape) - 1
    apart = corners @ (first.affine - second.affine).T
    return bool(np.abs(apart).max() <= GRID_TOLERANCE_MM)


def same_lattice(first: Volume, second: Volume) -> bool:
    """Whether two volumes have the same voxels, in whatever order of axes and directions each was stored."""
    return same_grid(to_canonical(first), to_canonical(second))


def to_sitk(volume: Volume) -> sitk.Image:
    """A SimpleITK image (LPS) on the same grid; bool becomes uint8."""
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    lps = RAS_TO_LPS @ volume.affine
    spacing = np.array(volume.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """The volume of a scalar 3D SimpleITK image.

    Raises:
        ValueError: If the image is not scalar 3D or its direction matrix is singular.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
        raise ValueError(f"need a scalar 3D image, got {dimension}D with {components} components")
    lps = np.eye(4)
    lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image).transpose(2, 1, 0), RAS_TO_LPS @ lps)


def to_canonical(volume: Volume) -> Volume:
    """Permute and flip axes so that i, j, k point closest to right, anterior, superior; no interpolation."""
    from nibabel import orientations  # here, because Slicer looks at volumes before it has nibabel

    orientation = orientations.io_orientation(volume.affine)
    array = orientations.apply_orientation(volume.array, orientation)
    return Volume(array, volume.affine @ orientations.inv_ornt_aff(orientation, volume.shape))


def from_canonical(array: NDArray[Any], like: Volume) -> NDArray[Any]:
    """Undo :func:`to_canonical`: an array in canonical axes back to the axes of ``like``, shape of ``like``."""
    from nibabel import orientations

    canonical = orientations.io_orientation(np.eye(4))
    backward = orientations.ornt_transform(canonical, orientations.io_orientation(like.affine))
    result: NDArray[Any] = orientations.apply_orientation(array, backward)
    if result.shape != like.shape:
        raise ValueError(f"array {array.shape} is not the canonical form of {like.shape}")
    return result


def to_slices(canonical: NDArray[Any]) -> NDArray[Any]:
    """Axial slices ``(S, H, W)`` = (superior, anterior, right) of a canonical array ``(R, A, S)``."""
    return canonical.transpose(2, 1, 0)


def from_slices(slices: NDArray[Any]) -> NDArray[Any]:
    """Undo :func:`to_slices`."""
    return slices.transpose(2, 1, 0)
