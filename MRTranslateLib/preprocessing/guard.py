"""Is this input fit? Each check refuses with an error, or returns what is doubtful, one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, ModelError, UsageError
from MRTranslateLib.volume import Volume

MIN_SLICES = 8
SPACING_REFUSED_MM = (0.05, 20.0)
"""Beyond these a header is wrong, or nothing of a brain can be seen."""
SPACING_SENSIBLE_MM = (0.3, 7.0)
"""What clinical brain-MRI has."""
LARGEST_VALUE = 1e12
"""Beyond it sums over a volume lose meaning or overflow in single precision."""
MIN_BRAIN_EXTENT_MM = 100.0
"""Adult brains measure about 130 x 170 x 110 mm or more with the cerebellum; 85 along the body counts as whole."""
MIN_BRAIN_HEIGHT_MM = 85.0
MAX_BORDER_SHARE = 0.06
"""Largest share of the brain's cross-section that may be cut by the volume's border, against its largest slice."""
MIN_SOURCE_OVERLAP = 0.5


def check_volume(volume: Volume, name: str) -> list[str]:
    """Refuse what cannot be translated, warn of what is unusual.

    Args:
        volume: Any values.
        name: How messages call it, for example ``"T1w (t1.nii.gz)"``.

    Returns:
        Warnings.

    Raises:
        InputError: For NaN or infinite voxels (counted), a constant volume, fewer than 8 voxels along an axis, or an
            impossible spacing.
    """
    broken = int(volume.array.size - np.isfinite(volume.array).sum())
    if broken:
        raise InputError(f"{name} has {broken} voxels that are NaN or infinite; repair it before translating")
    lowest, highest = float(volume.array.min()), float(volume.array.max())
    if max(-lowest, highest) > LARGEST_VALUE:
        raise InputError(
            f"{name} has values from {lowest:g} to {highest:g}, which no scanner writes; check its data type"
        )
    if lowest == highest:
        raise InputError(f"{name} is empty: every voxel is {lowest:g}; give another file")
    if min(volume.shape) < MIN_SLICES:
        shape = " x ".join(map(str, volume.shape))
        raise InputError(
            f"{name} has {shape} voxels where at least {MIN_SLICES} slices are needed; give a whole volume"
        )
    low, high = SPACING_REFUSED_MM
    spacing = " x ".join(f"{mm:.3g}" for mm in volume.spacing_mm)
    if min(volume.spacing_mm) < low or max(volume.spacing_mm) > high:
        raise InputError(f"{name} has voxels of {spacing} mm where {low:g} to {high:g} mm make sense; check its header")
    low, high = SPACING_SENSIBLE_MM
    if min(volume.spacing_mm) < low or max(volume.spacing_mm) > high:
        return [f"{name} has voxels of {spacing} mm, unusual for brain-MRI ({low:g} to {high:g} mm)"]
    return []


def check_spacing(volume: Volume, name: str, seen_mm: tuple[float, float]) -> list[str]:
    """Warn if a voxel size lies outside ``seen_mm``, the smallest and largest the model was trained on."""
    low, high = seen_mm
    outside = [mm for mm in volume.spacing_mm if not low * 0.99 <= mm <= high * 1.01]
    if not outside:
        return []
    sizes = ", ".join(f"{mm:.3g}" for mm in outside)
    return [f"{name} has a voxel size of {sizes} mm; the model saw {low:g} to {high:g} mm, so expect less"]


def check_field_of_view(brain_mask: Volume) -> list[str]:
    """Warn if the volume seems to miss much of the brain.

    Args:
        brain_mask: Nonzero is brain; not empty.

    Returns:
        Warnings: where the border of the volume cuts more than 6 % of the largest cross-section across that axis
        (the brain stem alone is less), and where the brain is too short along an axis.
    """
    inside = brain_mask.array != 0
    directions = np.abs(brain_mask.affine[:3, :3]) / np.array(brain_mask.spacing_mm)
    warnings = []
    for axis in range(3):
        areas = inside.sum(axis=tuple(other for other in range(3) if other != axis))
        if areas.max() == 0:
            return ["the brain mask is empty"]
        body_axis = ("left-right", "back-front", "foot-head")[int(directions[:, axis].argmax())]
        cut = max(areas[0], areas[-1]) / areas.max()
        if cut > MAX_BORDER_SHARE:
            warnings.append(
                f"the border of the volume cuts the brain {body_axis} ({cut:.0%} of its largest cross-section); "
                "what lies outside is not translated"
            )
        present = np.flatnonzero(areas)
        extent = (present[-1] - present[0] + 1) * brain_mask.spacing_mm[axis]
        least = MIN_BRAIN_HEIGHT_MM if body_axis == "foot-head" else MIN_BRAIN_EXTENT_MM
        if extent < least:
            warnings.append(
                f"only {extent:.0f} mm of brain are seen {body_axis} where {least:.0f} mm are usual; "
                "much of the brain may be missing"
            )
    return warnings


def check_sources_overlap(volumes: Mapping[str, Volume]) -> None:
    """Refuse sources whose fields of view hardly overlap in the patient.

    Call it before registration only when the headers are to be trusted; a registration makes up for wrong ones.

    Raises:
        InputError: If less than half of the smaller field of view of a pair lies inside the other one.
    """
    for (first, a), (second, b) in combinations(volumes.items(), 2):
        share = field_of_view_overlap(a, b)
        if share < MIN_SOURCE_OVERLAP:
            raise InputError(
                f"{first} and {second} overlap by only {share:.0%} of the smaller field of view; "
                "check that both are of the same patient and visit"
            )


def field_of_view_overlap(first: Volume, second: Volume) -> float:
    """Share of the smaller field of view inside the other, 0..1, estimated at 20 x 20 x 20 points of each."""

    def share_of(inner: Volume, outer: Volume) -> float:
        axes = [(np.arange(20) + 0.5) / 20 * n - 0.5 for n in inner.shape]
        points = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
        to_outer = np.linalg.inv(outer.affine) @ inner.affine
        index = to_outer[:3, :3] @ points + to_outer[:3, 3:]
        limits = np.array(outer.shape)[:, None] - 0.5
        return float(((index >= -0.5) & (index <= limits)).all(axis=0).mean())

    return max(share_of(first, second), share_of(second, first))


def check_request(
    sources: Collection[Contrast],
    target: Contrast,
    routes: Mapping[Contrast, Collection[Contrast]] | None = None,
    hashes: Mapping[Contrast, str] | None = None,
) -> None:
    """Refuse a request that makes no sense before any file is worked on.

    Args:
        sources: The contrasts given.
        target: The contrast asked for.
        routes: What the model offers: the usable sources of each target; None skips the check.
        hashes: sha256 of each source's file; None skips the check.

    Raises:
        UsageError: If there are no sources, or the target is among them.
        ModelError: If the model does not make the target or cannot use a source.
        InputError: If two contrasts were given the same file.
    """
    if not sources:
        raise UsageError("no sources were given; give at least one, for example --source T1w=t1.nii.gz")
    if target in sources:
        raise UsageError(f"{target} is both source and target; leave it out of the sources or ask for another target")
    if routes is not None:
        _check_route(sources, target, routes)
    for (first, a), (second, b) in combinations((hashes or {}).items(), 2):
        if a == b:
            raise InputError(f"{first} and {second} are the same file; give each contrast its own file")


def _check_route(
    sources: Collection[Contrast], target: Contrast, routes: Mapping[Contrast, Collection[Contrast]]
) -> None:
    if target not in routes:
        raise ModelError(f"the model does not make {target}; it makes {', '.join(routes) or 'nothing'}")
    unusable = [source for source in sources if source not in routes[target]]
    if unusable:
        raise ModelError(
            f"the model cannot use {', '.join(unusable)} for {target}; it uses {', '.join(routes[target]) or 'nothing'}"
        )
