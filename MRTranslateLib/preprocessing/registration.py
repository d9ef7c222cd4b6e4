"""Rigid registration of two contrasts of one head by Mattes mutual information, and the check of its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.resampling import ras_matrix
from MRTranslateLib.preprocessing.single_thread import single_thread
from MRTranslateLib.volume import Volume, to_sitk

LEVELS_MM = (8.0, 4.0, 2.0)
"""Voxel size of the pyramid's levels; a finer axis is averaged, a coarser axis stays as it is."""
SAMPLES = 60_000
"""Random points of the fixed head at which the metric is taken on each level."""
SEED = 20240229
BINS = 40
STARTS_TRIED = 4
START_ANGLE_DEG = 25.0
MAX_ROTATION_DEG = 45.0
MAX_TRANSLATION_MM = 100.0
"""One person in one visit does not move further; what goes beyond was a wrong optimum or a header fault."""
MIN_OVERLAP = 0.5
"""Least share of the smaller head that must lie inside the other one afterwards."""
MIN_INFORMATION = 0.1
"""Least mutual information (nats) of a credible result: two contrasts of one head reach 0.7 to 1.05 here."""


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """How two volumes lie to each other.

    Attributes:
        transform: Shape ``(4, 4)``, rigid, RAS mm in the fixed volume to RAS mm of the same point in the moving one.
        rotation_deg: Angle of the rotation, 0..45.
        translation_mm: How far the centre of the fixed volume's field of view is moved.
        metric_before: Mutual information (nats, higher is better) with the identity.
        metric_after: The same with ``transform``.
        overlap: Share of the smaller head inside the other one after the registration, 0..1.
        verdict: ``"moved"``, or ``"already aligned"`` where no rigid transform was better than the identity.
    """

    transform: NDArray[np.float64]
    rotation_deg: float
    translation_mm: float
    metric_before: float
    metric_after: float
    overlap: float
    verdict: Literal["moved", "already aligned"]


@single_thread()
def register_rigid(
    moving: Volume, fixed: Volume, *, progress: Callable[[float], None] | None = None
) -> RegistrationResult:
    """Find the rigid transform that lays ``moving`` onto ``fixed``; the same input gives the same bits.

    Mattes et al., IEEE TMI 2003. The starts (scanner coordinates, centres of the grids, centres of mass, each as it
    is and turned about each axis) compete on the coarsest level; the best goes on. One thread and seeded samples,
    since the order of summing changes the result.

    Args:
        moving: Finite values; any grid.
        fixed: Finite values; any grid.
        progress: Told the fraction done, 0..1, between levels; what it raises ends the registration.

    Raises:
        InputError: If no credible alignment is found (too little overlap or information, or an implausible motion).
    """
    tell = progress or (lambda fraction: None)
    pyramid = [(coarsen(fixed, size), coarsen(moving, size)) for size in LEVELS_MM]
    tell(0.1)
    centre = _centre(fixed)
    starts = sorted(_starts(*pyramid[0], centre), key=lambda start: _metric(*pyramid[0], start))
    candidates = [_optimize(*pyramid[0], start) for start in starts[:STARTS_TRIED]]
    best = min(candidates, key=lambda candidate: _metric(*pyramid[0], candidate))
    tell(0.3)
    for done, level in zip((0.5, 0.9), pyramid[1:], strict=True):
        best = _optimize(*level, best)
        tell(done)
    identity = _rigid(centre, np.zeros(3), np.zeros(3))
    before, after = -_metric(*pyramid[-1], identity), -_metric(*pyramid[-1], best)
    moved = after > before
    result = _describe(best if moved else identity, centre, pyramid[1], (before, max(before, after)), moved)
    tell(1.0)
    return _checked(result)


def coarsen(volume: Volume, size_mm: float) -> sitk.Image:
    """Float32, about ``size_mm`` a voxel by block means, the brightest 0.5 % of the head cut off."""
    image = sitk.Cast(to_sitk(volume), sitk.sitkFloat32)
    factors = [max(1, min(round(size_mm / mm), n // 4)) for mm, n in zip(volume.spacing_mm, volume.shape, strict=True)]
    image = sitk.BinShrink(image, factors)  # block means; sitk.Shrink displaces even factors by half a voxel
    values = sitk.GetArrayViewFromImage(image)
    above = values[values > values.mean()]
    ceiling = float(np.percentile(above, 99.5)) if above.size else float(values.max())
    return sitk.Clamp(image, sitk.sitkFloat32, float(values.min()), ceiling)


def foreground(image: sitk.Image) -> NDArray[np.bool_]:
    """Rough foreground ``(K, J, I)``: above a fifth of the mean of what is above the mean; holes filled."""
    values = sitk.GetArrayViewFromImage(image)
    above = values[values > values.mean()]
    floor = float(values.min())
    bright = float(above.mean()) if above.size else floor
    return np.asarray(ndimage.binary_fill_holes(values > floor + 0.2 * (bright - floor)))


def _head_mask(image: sitk.Image, margin_mm: float = 10.0) -> sitk.Image:
    """The head and a margin of background: the outline carries information, far air does not."""
    inside = sitk.GetImageFromArray(foreground(image).astype(np.uint8))
    inside.CopyInformation(image)
    radius = [max(1, round(margin_mm / mm)) for mm in image.GetSpacing()]
    return sitk.BinaryDilate(inside, radius, sitk.sitkBall)


def _method(fixed: sitk.Image, mask: sitk.Image) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    share = min(1.0, SAMPLES / fixed.GetNumberOfPixels())
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(share, SEED)
    return method


def _optimize(fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform) -> sitk.Euler3DTransform:
    size = max(fixed.GetSpacing()[:2])
    method = _method(fixed, _head_mask(fixed))
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=size, minStep=0.003, numberOfIterations=150, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-7
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = sitk.Euler3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # the samples left the moving grid: this start is lost, the start itself is judged instead
        return start
    return transform


def _metric(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Euler3DTransform) -> float:
    """Mutual information, negative as the optimiser has it; 0 where nothing overlaps."""
    method = _method(fixed, _head_mask(fixed))
    method.SetInitialTransform(transform)
    try:
        return float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:
        return 0.0


def _rigid(
    centre: NDArray[np.float64], translation: NDArray[np.float64], angles: NDArray[np.float64]
) -> sitk.Euler3DTransform:
    return sitk.Euler3DTransform(centre.tolist(), *angles.tolist(), translation.tolist())


def _centre(volume: Volume) -> NDArray[np.float64]:
    """LPS mm of the middle of the field of view."""
    ras = volume.affine @ np.append((np.array(volume.shape) - 1) / 2, 1.0)
    return np.array([-ras[0], -ras[1], ras[2]])


def _starts(fixed: sitk.Image, moving: sitk.Image, centre: NDArray[np.float64]) -> list[sitk.Euler3DTransform]:
    def middle(image: sitk.Image) -> NDArray[np.float64]:
        return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))

    def mass(image: sitk.Image) -> NDArray[np.float64]:
        head = foreground(image)
        index = ndimage.center_of_mass(head) if head.any() else (np.array(head.shape) - 1) / 2
        return np.array(image.TransformContinuousIndexToPhysicalPoint([float(i) for i in index[::-1]]))

    shifts = [np.zeros(3), middle(moving) - middle(fixed), mass(moving) - mass(fixed)]
    turns = [np.zeros(3), *(sign * np.radians(START_ANGLE_DEG) * axis for axis in np.eye(3) for sign in (1, -1))]
    return [_rigid(centre, shift, turn) for shift in shifts for turn in turns]


def _describe(
    transform: sitk.Euler3DTransform,
    centre: NDArray[np.float64],
    images: tuple[sitk.Image, sitk.Image],
    metrics: tuple[float, float],
    moved: bool,
) -> RegistrationResult:
    matrix = ras_matrix(transform)
    cosine = (np.trace(matrix[:3, :3]) - 1) / 2
    shift = np.array(transform.TransformPoint(centre.tolist())) - centre
    return RegistrationResult(
        transform=matrix,
        rotation_deg=float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))),
        translation_mm=float(np.linalg.norm(shift)),
        metric_before=metrics[0],
        metric_after=metrics[1],
        overlap=_overlap(*images, transform),
        verdict="moved" if moved else "already aligned",
    )


def _overlap(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    """Share of the smaller head that lies inside the other."""
    moving_head = sitk.GetImageFromArray(foreground(moving).astype(np.uint8))
    moving_head.CopyInformation(moving)
    laid = sitk.GetArrayFromImage(sitk.Resample(moving_head, fixed, transform, sitk.sitkNearestNeighbor, 0)) > 0
    fixed_head = foreground(fixed)
    voxels = np.prod(moving.GetSpacing()) / np.prod(fixed.GetSpacing())
    smaller = min(fixed_head.sum(), sitk.GetArrayViewFromImage(moving_head).sum() * voxels)
    return float(min(1.0, (laid & fixed_head).sum() / smaller)) if smaller > 0 else 0.0


def _checked(result: RegistrationResult) -> RegistrationResult:
    faults = []
    if result.overlap < MIN_OVERLAP:
        faults.append(f"only {result.overlap:.0%} of the smaller head overlaps")
    if result.metric_after < MIN_INFORMATION:
        faults.append(f"the mutual information stays at {result.metric_after:.2f} where {MIN_INFORMATION} is needed")
    if result.rotation_deg > MAX_ROTATION_DEG:
        faults.append(f"it would turn the head by {result.rotation_deg:.0f} degrees")
    if result.translation_mm > MAX_TRANSLATION_MM:
        faults.append(f"it would shift the head by {result.translation_mm:.0f} mm")
    if faults:
        raise InputError(
            f"the registration failed: {' and '.join(faults)}; check that both volumes show the same head, "
            "or register them beforehand"
        )
    return result
