"""One volume onto the grid of another, with exactly one interpolation."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from MRTranslateLib.volume import RAS_TO_LPS, Volume, from_sitk, same_grid, to_sitk

Interpolation = Literal["linear", "bspline", "nearest"]
_INTERPOLATORS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline, "nearest": sitk.sitkNearestNeighbor}


def sitk_transform(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    """The SimpleITK (LPS) transform of a ``(4, 4)`` matrix between RAS mm points."""
    lps = RAS_TO_LPS @ np.asarray(matrix, dtype=np.float64) @ RAS_TO_LPS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def ras_matrix(transform: sitk.Transform) -> NDArray[np.float64]:
    """The ``(4, 4)`` RAS mm matrix of a linear SimpleITK transform of any kind: undoes :func:`sitk_transform`."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(unit))) - origin for unit in np.eye(3)]
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = np.stack(columns, axis=1), origin
    return RAS_TO_LPS @ lps @ RAS_TO_LPS


def resample(
    volume: Volume,
    onto: Volume,
    *,
    transform: NDArray[np.float64] | None = None,
    interpolation: Interpolation = "linear",
) -> Volume:
    """Values of ``volume`` at the voxels of ``onto``.

    Args:
        volume: Finite values, any real dtype.
        onto: Only its grid is used.
        transform: Shape ``(4, 4)``, RAS mm of a point of ``onto`` to RAS mm of the same point of ``volume``, as
            :func:`~MRTranslateLib.preprocessing.registration.register_rigid` gives it; None is the identity.
        interpolation: ``"bspline"`` is cubic and is clipped to the range of ``volume``, so that it neither rings below
            the background nor above the brightest voxel; ``"nearest"`` keeps the dtype (for labels).

    Returns:
        On the grid of ``onto``; 0 outside ``volume``. float32, or the dtype of ``volume`` for ``"nearest"``. Where the
        grids are the same and the transform is the identity, the very array of ``volume``.

    Raises:
        ValueError: If ``transform`` is not a finite, invertible ``(4, 4)`` matrix or the interpolation is unknown.
    """
    if interpolation not in _INTERPOLATORS:
        raise ValueError(f"unknown interpolation {interpolation!r}: use one of {', '.join(_INTERPOLATORS)}")
    matrix = np.eye(4) if transform is None else np.asarray(transform, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise ValueError(f"a transform is a finite, invertible (4, 4) matrix, got {matrix.tolist()}")
    if np.array_equal(matrix, np.eye(4)) and same_grid(volume, onto):
        return Volume(volume.array, onto.affine)
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(to_sitk(Volume(np.zeros(onto.shape, np.uint8), onto.affine)))
    resampler.SetTransform(sitk_transform(matrix))
    resampler.SetInterpolator(_INTERPOLATORS[interpolation])
    if interpolation == "nearest":
        native = volume.array.astype(volume.array.dtype.newbyteorder("="))
        sampled = from_sitk(resampler.Execute(to_sitk(Volume(native, volume.affine)))).array
        return Volume(sampled.astype(volume.array.dtype, copy=False), onto.affine)
    return Volume(_interpolate(volume, resampler), onto.affine)


def _interpolate(volume: Volume, resampler: sitk.ResampleImageFilter) -> NDArray[Any]:
    """Float32 values with NaN as the mark of outside, so that clipping leaves the outside alone."""
    array = volume.array.astype(np.float32)
    resampler.SetDefaultPixelValue(float("nan"))
    sampled = from_sitk(resampler.Execute(to_sitk(Volume(array, volume.affine)))).array
    inside: NDArray[Any] = np.clip(sampled, array.min(), array.max())  # keeps NaN; a no-op for linear
    inside[np.isnan(inside)] = 0.0
    return inside
