"""An average head laid onto a head of any contrast, so that we know about where the brain is.

The file beside this one holds the ICBM 152 average T1w brain and its outline at 3 mm (licence in
``brain_template_LICENSE.txt``). It has no skull, and a bare brain is drawn out to the scalp of a T1w or T2w head; so
skull and scalp are added as two shells with intensities of their own. Mutual information does not mind which
intensity stands for what, hence one template serves every contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.single_thread import single_thread
from MRTranslateLib.volume import Volume, to_sitk

SKULL_MM, SCALP_MM, AIR_MM = 6.5, 12.5, 19.5
"""Outer distances of the shells from the brain: head models have about 6 mm of bone and 6 mm of scalp on the vault."""
SKULL_VALUE, SCALP_VALUE = 10.0, 255.0
SEED = 20240229
BINS = 32
TEMPLATE_CENTRE_RAS = (0.0, -18.0, 10.0)
TEMPLATE_TOP_MM = 97.0
"""Superior RAS mm of the template's scalp."""
SHIFTS_MM = (-30.0, -15.0, 0.0, 15.0, 30.0)
PITCHES_DEG = (-15.0, 0.0, 15.0)
SIMILARITIES_TRIED, AFFINES_TRIED = 4, 2


@dataclass(frozen=True, eq=False)
class HeadTemplate:
    """The average head.

    Attributes:
        head: T1w brain 20..235 with the added skull and scalp, 0..255, float32, 3 mm, RAS.
        trusted: bool, same grid: where the shells resemble a real head, that is not around the face and neck.
        outside_mm: Signed distance to the brain's outline, float32, negative inside, same grid.
    """

    head: Volume
    trusted: Volume
    outside_mm: Volume


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """The template laid onto a head.

    Attributes:
        transform: LPS mm of the template to LPS mm of the head.
        information: Mutual information (nats) at the end; 0.45 to 0.6 on good fits.
        size: Volume of the fitted brain over that of the template's.
    """

    transform: sitk.AffineTransform
    information: float
    size: float


@cache
def head_template() -> HeadTemplate:
    """Read the shipped template and dress it with skull and scalp."""
    path = resources.files("MRTranslateLib.preprocessing") / "brain_template.npz"
    with resources.as_file(path) as file, np.load(file) as stored:
        t1w, outline, affine = stored["t1w"].astype(np.float32), stored["brain"], stored["affine"].astype(np.float64)
    margin, mm = 5, float(affine[0, 0])
    t1w, brain = np.pad(t1w, margin), np.pad(outline, margin) > 127
    affine[:3, 3] -= margin * mm
    distance = (ndimage.distance_transform_edt(~brain) * mm).astype(np.float32)
    head = np.where(brain, np.clip(t1w, 20, 235), 0).astype(np.float32)
    head[(distance > 0) & (distance <= SKULL_MM)] = SKULL_VALUE
    head[(distance > SKULL_MM) & (distance <= SCALP_MM)] = SCALP_VALUE
    _, y, z = np.tensordot(affine[:3, :3], np.indices(t1w.shape), 1) + affine[:3, 3].reshape(3, 1, 1, 1)
    vault = (z > -5) | ((z > -35) & (y < -30))  # below lie orbits, face and neck muscles
    trusted = (distance <= mm) | (vault & (distance <= AIR_MM))
    signed = distance - (ndimage.distance_transform_edt(brain) * mm).astype(np.float32)
    return HeadTemplate(Volume(head, affine), Volume(trusted, affine), Volume(signed, affine))


@single_thread()
def fit_template(head: sitk.Image, foreground: NDArray[np.bool_]) -> TemplateFit:
    """Affine registration of the template to a head lying roughly as in the scanner (within 30 degrees).

    Args:
        head: Float32, about 3 mm a voxel.
        foreground: Head against air, ``(K, J, I)`` as SimpleITK has it.

    Raises:
        InputError: If the template finds no place in the volume.
    """
    template = head_template()
    fixed, mask = to_sitk(template.head), to_sitk(template.trusted)
    factors = [2 if mm < 4.5 else 1 for mm in head.GetSpacing()]
    coarse = (sitk.BinShrink(fixed, [2] * 3), sitk.BinShrink(mask, [2] * 3) > 0, sitk.BinShrink(head, factors))
    fine = (fixed, mask, head)
    starts = sorted(_starts(head, foreground), key=lambda start: _information(coarse, start), reverse=True)
    similar = [_optimized(coarse, _similarity(start), 4.0) for start in starts[:SIMILARITIES_TRIED]]
    similar.sort(key=lambda transform: _information(coarse, transform), reverse=True)
    # Affine steps stay small: long ones leave the optimum, and the optimiser does not come back by itself.
    affine = [_optimized(coarse, _affine(transform), 0.6) for transform in similar[:AFFINES_TRIED]]
    affine = [_optimized(fine, transform, 0.4) for transform in affine]
    best = max([*affine, _affine(similar[0])], key=lambda transform: _information(fine, transform))
    information = _information(fine, best)
    if information <= 0:
        raise InputError("no head was found in the volume; give a brain mask")
    size = float(np.linalg.det(np.array(best.GetMatrix()).reshape(3, 3)))
    return TemplateFit(best, information, size)


def _starts(head: sitk.Image, foreground: NDArray[np.bool_]) -> list[sitk.Euler3DTransform]:
    """Template centred on the upper 110 mm of the head, at several heights and pitches."""
    voxels = np.argwhere(foreground)
    if len(voxels) == 0:
        raise InputError("no head was found in the volume; give a brain mask")
    chosen = voxels[:: max(1, len(voxels) // 5000)]
    points = np.array([head.TransformIndexToPhysicalPoint([int(i) for i in voxel[::-1]]) for voxel in chosen])
    top = np.percentile(points[:, 2], 99.8)
    upper = points[points[:, 2] > top - 110]
    middle = np.percentile(upper[:, :2], (1, 99), axis=0).mean(axis=0)
    centre = np.array(TEMPLATE_CENTRE_RAS) * (-1, -1, 1)
    return [
        sitk.Euler3DTransform(centre.tolist(), np.radians(pitch), 0.0, 0.0, [*(middle - centre[:2]), float(height)])
        for height in top - TEMPLATE_TOP_MM + np.array(SHIFTS_MM)
        for pitch in PITCHES_DEG
    ]


def _similarity(rigid: sitk.Euler3DTransform) -> sitk.Similarity3DTransform:
    transform = sitk.Similarity3DTransform()
    transform.SetCenter(rigid.GetCenter())
    transform.SetMatrix(rigid.GetMatrix())
    transform.SetTranslation(rigid.GetTranslation())
    return transform


def _affine(linear: sitk.Transform) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(3)
    transform.SetCenter(linear.GetCenter())
    transform.SetMatrix(linear.GetMatrix())
    transform.SetTranslation(linear.GetTranslation())
    return transform


def _method(mask: sitk.Image) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.5, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _information(level: tuple[sitk.Image, sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
    fixed, mask, head = level
    method = _method(mask)
    method.SetInitialTransform(transform)
    try:
        return -float(method.MetricEvaluate(fixed, head))
    except RuntimeError:  # too few samples fall into the head's grid
        return 0.0


def _optimized(
    level: tuple[sitk.Image, sitk.Image, sitk.Image], start: sitk.Transform, step_mm: float
) -> sitk.Transform:
    """The better of the optimum found and the start."""
    fixed, mask, head = level
    method = _method(mask)
    method.SetOptimizerAsRegularStepGradientDescent(
        step_mm, 0.02, 100, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = type(start)(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, head)
    except RuntimeError:
        return start
    return transform if _information(level, transform) >= _information(level, start) else start
