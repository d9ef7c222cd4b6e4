"""A target acquired at low resolution, made ready: checked, registered, normalised by itself, its geometry understood.

System C calls it y_LR and knows one grid in plane (METHODS 3.1). What differs (proposals): it may lie on any grid in
the first source's space, oblique, with thick slices along any of its axes, with large voxels, or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.prepare import MIN_BRAIN_SHARE, WARN_BRAIN_SHARE, Prepared, registration_record
from MRTranslateLib.inference.sources import NamedVolume
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.components import SuperResolutionCard
from MRTranslateLib.preprocessing import guard
from MRTranslateLib.preprocessing.contrast_check import check_contrast
from MRTranslateLib.preprocessing.normalization import IntensityScale, brain_scale
from MRTranslateLib.preprocessing.registration import RegistrationResult, register_rigid
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import LowResolutionRecord
from MRTranslateLib.volume import Volume, to_canonical

ROLE = "low-resolution target"
MIN_COARSENESS = 1.2
"""A voxel must be this much larger than the first source's along one axis at least."""
SEEN_TOLERANCE = 1.25
"""Up to this much coarser than in training passes without a warning; and a voxel so much larger than in the working
grid counts as coarse."""
THICK = 1.5
"""Slices are those of a multi-slice scan where their distance exceeds both pixel sizes so many times."""
STRIPPED_BELOW = 0.03
SHELL_MM = 15.0
"""The skull was removed where what surrounds the brain this far is darker than this share of its 99.5th percentile."""


@dataclass(frozen=True, eq=False)
class LowResolution:
    """An acquired low-resolution target and how it lies to the working grid.

    Attributes:
        target: Contrast that it shows.
        volume: float32 on its own grid, not negative; 1 is its own brain's 99.5th percentile, brighter is not clipped.
        transform: ``(4, 4)``, RAS mm of a point of the first source to RAS mm of the same point here.
        back: Its inverse.
        working_axes: Which axis of the working grid (0 right, 1 anterior, 2 superior) each of its own lies closest to.
        sizes: Size of its voxels along its own axes in voxels of the working grid.
        slice_axis: Its own axis across which its slices are thick; None where it was acquired in 3D.
        stripped: Whether the skull was removed from it.
        scale: What undoes the normalisation.
        registration: Result, None where it was taken as it lies.
        name: For messages.
        image: As it was given.
        warnings: What is doubtful, a sentence each.
    """

    target: Contrast
    volume: Volume
    transform: NDArray[np.float64]
    back: NDArray[np.float64]
    working_axes: tuple[int, int, int]
    sizes: tuple[float, float, float]
    slice_axis: int | None
    stripped: bool
    scale: IntensityScale
    registration: RegistrationResult | None
    image: NamedVolume
    warnings: tuple[str, ...]

    @property
    def working_sizes(self) -> tuple[float, float, float]:
        """Size of its voxels along right, anterior, superior of the working grid, in voxels of that, at least 1."""
        sizes = [1.0, 1.0, 1.0]
        for axis, size in zip(self.working_axes, self.sizes, strict=True):
            sizes[axis] = max(size, 1.0)
        return sizes[0], sizes[1], sizes[2]

    def entry_ratio(self, ratios: tuple[int, ...]) -> int:
        """At which in-plane ratio it enters a branch that takes these: the largest that loses nothing of it.

        1, which is to re-grid it to the full grid, where no larger ratio fits; then also if 1 is not among ``ratios``.
        """
        right, anterior, _ = self.working_sizes
        return max((ratio for ratio in ratios if ratio <= MIN_COARSENESS * min(right, anterior)), default=1)

    def record(self, bundle: Bundle) -> LowResolutionRecord:
        """For provenance, after the bundle's branch has used it."""
        ratios = tuple(bundle.card.require_super_resolution().parameters["ratios"])
        right, anterior, superior = (round(size, 3) for size in self.working_sizes)
        first, second, third = (round(mm, 3) for mm in self.image.volume.spacing_mm)
        return LowResolutionRecord(
            file=self.image.record,
            percentile_value=self.scale.percentile_value,
            registration=registration_record(self.registration),
            spacing_mm=(first, second, third),
            voxel_size=(right, anterior, superior),
            in_plane_ratio=self.entry_ratio(ratios),
            weights_sha256=bundle.component_sha256("super_resolution"),
        )


@dataclass(frozen=True, eq=False)
class AcquiredSlices:
    """An acquired target at the voxels of the brain's box in the working grid, interpolated and nothing more.

    Attributes:
        values: ``(S, H, W)``, 1 is its own brain's 99.5th percentile, 0..1; the skull is not removed.
        covered: Same shape, where its scan shows anything.
    """

    values: NDArray[np.float32]
    covered: NDArray[np.bool_]


def check_not_a_source(image: NamedVolume, sources: Mapping[Contrast, NamedVolume]) -> None:
    """Refuse a source's own image as the low-resolution target.

    Raises:
        InputError: If the content is that of a source.
    """
    for contrast, source in sources.items():
        if image.record.sha256 == source.record.sha256:
            raise InputError(
                f"{image.name} is the same image as the source {contrast}; give the scan of the target contrast that "
                "was acquired at low resolution, or leave it out"
            )


def prepare_low_resolution(
    image: NamedVolume,
    first: NamedVolume,
    prepared: Prepared,
    *,
    component: SuperResolutionCard,
    target: Contrast,
    registration: str,
    progress: Progress,
) -> LowResolution:
    """Check, register, normalise and measure an acquired low-resolution target.

    Args:
        image: Of the target contrast, on any grid in the first source's space.
        first: The first source.
        prepared: The sources, ready.
        component: What the branch was trained for.
        target: Contrast that is wanted.
        registration: ``never`` takes it as it lies; it always lies on another grid than the first source.
        progress: Asked whether to stop.

    Raises:
        InputError: If it is unsuitable, not coarser than the first source, shows too little of the brain, or cannot be
            registered.
        CancelledError: If the caller asks to stop.
    """
    warnings = guard.check_volume(image.volume, image.name)
    fixed = to_canonical(first.volume)
    move = None if registration == "never" else _register(image, first, fixed, progress)
    transform = np.eye(4) if move is None or move.verdict == "already aligned" else move.transform
    axes, sizes = _axes_and_sizes(image.volume, prepared.grid.grid, transform)
    _require_coarser(image, first, _axes_and_sizes(image.volume, fixed, transform)[1])
    back = np.linalg.inv(transform).astype(np.float64)
    inside = resample(prepared.brain.volume, image.volume, transform=back, interpolation="nearest")
    warnings += _check_coverage(image, first, prepared.brain.volume, transform)
    warnings += guard.check_intensities(image.volume, inside, image.name)
    scale = brain_scale(image.volume, inside)
    low = LowResolution(
        target=target,
        volume=image.volume.with_array(_in_units_of(scale, image.volume.array)),
        transform=transform,
        back=back,
        working_axes=axes,
        sizes=sizes,
        slice_axis=_slice_axis(image.volume),
        stripped=_is_stripped(image.volume, inside, scale),
        scale=scale,
        registration=move,
        image=image,
        warnings=(),
    )
    warnings += check_contrast(image.volume, inside, target, image.name)
    warnings += _check_against_training(low, component, prepared.grid.grid.spacing_mm)
    return replace(low, warnings=tuple(warnings))


def _in_units_of(scale: IntensityScale, array: NDArray[Any]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.asarray(array, np.float32) / np.float32(scale.percentile_value)
    return values.clip(min=0)


def _register(image: NamedVolume, first: NamedVolume, source: Volume, progress: Progress) -> RegistrationResult:
    """From the source to the target, found the other way round.

    Mutual information is then taken at the coarse voxels themselves. Interpolated between thick slices, the source's
    voxels fit best where most of them fall near the middles: 0.4 instead of 0.3 mm off with slices of 5 mm.
    """
    try:
        found = register_rigid(source, image.volume, progress=lambda _: progress.step("register", 1.0))
    except InputError as error:
        raise InputError(f"{image.name} cannot be registered to {first.name}: {error}") from None
    return replace(found, transform=np.linalg.inv(found.transform).astype(np.float64))


def _axes_and_sizes(
    volume: Volume, grid: Volume, transform: NDArray[np.float64]
) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """The axis of ``grid`` closest to each axis of ``volume``, and how much larger the voxels are along it."""
    steps = np.linalg.inv(transform)[:3, :3] @ volume.affine[:3, :3]
    cosines = (grid.affine[:3, :3] / grid.spacing_mm).T @ (steps / volume.spacing_mm)  # (of grid, of volume)
    theirs, own = linear_sum_assignment(-np.abs(cosines))
    axes = theirs[np.argsort(own)]
    first, second, third = (int(axis) for axis in axes)
    i, j, k = (size / grid.spacing_mm[axis] for size, axis in zip(volume.spacing_mm, axes, strict=True))
    return (first, second, third), (i, j, k)


def _require_coarser(image: NamedVolume, first: NamedVolume, sizes: tuple[float, float, float]) -> None:
    if max(sizes) < MIN_COARSENESS:
        own, theirs = (" x ".join(f"{mm:.3g}" for mm in each.volume.spacing_mm) for each in (image, first))
        raise InputError(
            f"{image.name} has voxels of {own} mm, which are not larger than the {theirs} mm of {first.name}, so there "
            "is no resolution to gain: use it as it is, or give it as the reference when the result is evaluated"
        )


def _slice_axis(volume: Volume) -> int | None:
    """The axis of thick slices, None for a 3D scan."""
    spacing = np.array(volume.spacing_mm)
    thickest = int(spacing.argmax())
    return thickest if spacing[thickest] > THICK * np.delete(spacing, thickest).max() else None


def _check_coverage(image: NamedVolume, first: NamedVolume, brain: Volume, transform: NDArray[np.float64]) -> list[str]:
    """Refuse a field of view that holds too little of the brain, warn of a part."""
    field = image.volume.with_array(np.ones(image.volume.shape, np.uint8))
    seen = resample(field, brain, transform=transform, interpolation="nearest").array[brain.array != 0]
    covered = float(seen.mean())
    if covered < MIN_BRAIN_SHARE:
        raise InputError(
            f"{image.name} shows only {covered:.0%} of the brain seen in {first.name}; give a scan of the same patient "
            "and region, or leave it out"
        )
    if covered < WARN_BRAIN_SHARE:
        return [f"{image.name} shows only {covered:.0%} of the brain; the rest is made from the sources alone"]
    return []


def _is_stripped(volume: Volume, inside: Volume, scale: IntensityScale) -> bool:
    """Whether a shell around the brain is empty; a voxel of it that touches the brain is not asked."""
    distance = ndimage.distance_transform_edt(inside.array == 0, sampling=volume.spacing_mm)
    nearest = max(volume.spacing_mm)
    shell = volume.array[(distance > 1.5 * nearest) & (distance <= nearest + SHELL_MM)]
    return shell.size == 0 or float(shell.mean()) < STRIPPED_BELOW * scale.percentile_value


def _check_against_training(
    low: LowResolution, component: SuperResolutionCard, spacing_mm: tuple[float, float, float]
) -> list[str]:
    """Warn of an acquisition that the branch has not seen the like of."""
    right, anterior, superior = low.working_sizes
    in_plane, thickness_mm = max(right, anterior), superior * spacing_mm[2]
    coarse, thick = in_plane > SEEN_TOLERANCE, superior > SEEN_TOLERANCE
    name, mm = low.image.name, " x ".join(f"{length:.3g}" for length in low.image.volume.spacing_mm)
    most_ratio, most_mm = max(component.in_plane_ratios, default=1), max(component.slice_thickness_mm, default=0.0)
    if (coarse and in_plane > SEEN_TOLERANCE * most_ratio) or (thick and thickness_mm > SEEN_TOLERANCE * most_mm):
        return [f"{name} has voxels of {mm} mm, coarser than the model was trained for ({component.seen})"]
    if (coarse and thick) or (coarse and in_plane > SEEN_TOLERANCE * min(right, anterior)):
        return [f"{name} has voxels of {mm} mm, unlike what the model was trained for ({component.seen}); expect less"]
    return []
