"""Is this input fit? Each check refuses with an error, or returns what is doubtful, one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.volume import Volume

REGISTRATIONS = ("auto", "always", "never")
MIN_SLICES = 8
SPACING_REFUSED_MM = (0.05, 20.0)
"""Beyond these a header is wrong, or nothing of a brain can be seen."""
SPACING_SENSIBLE_MM = (0.3, 7.0)
"""What clinical brain-MRI has."""
LARGEST_VALUE = 1e12
"""Beyond it sums over a volume lose meaning or overflow in single precision."""
MAX_NEGATIVE_SHARE = 0.05
"""Ringing and subtraction leave a few negative voxels in a brain; z-scoring makes about half of them negative."""
MAX_DARKEST = 0.2
"""Air, bone or fluid is darker than this share of the brain's median in every scan that starts from 0."""
MIN_LEVELS = 8
"""A scan holds hundreds of values, a mask or a segmentation of tissues a few."""
MIN_BRAIN_EXTENT_MM = 100.0
"""Adult brains measure about 130 x 170 x 110 mm or more with the cerebellum; 85 along the body counts as whole."""
MIN_BRAIN_HEIGHT_MM = 85.0
MAX_BORDER_SHARE = 0.06
"""Largest share of the brain's cross-section that may be cut by the volume's border, against its largest slice."""


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


def check_intensities(volume: Volume, brain_mask: Volume, name: str) -> list[str]:
    """Refuse what is no scan or has other intensities than a scanner writes, warn of an offset.

    Args:
        volume: As it was given, not resampled, so that its values are its own.
        brain_mask: Nonzero is brain; on the grid of ``volume``, not empty.
        name: As for :func:`check_volume`.

    Returns:
        Warnings.

    Raises:
        InputError: If more than 5 % of the brain are negative, or the brain holds fewer than 8 different values.
    """
    brain = volume.array[brain_mask.array != 0]
    levels = len(np.unique(brain))
    if levels < MIN_LEVELS:
        raise InputError(
            f"{name} holds only {levels} different values in the brain, as a mask or label map does; give the "
            "scan itself"
        )
    negative = float((brain < 0).mean())
    if negative > MAX_NEGATIVE_SHARE:
        raise InputError(
            f"{name} is negative in {negative:.0%} of the brain; give intensities as they were scanned, not z-scored "
            "or with their mean subtracted"
        )
    lowest, median = float(volume.array.min()), float(np.median(brain))
    if lowest > MAX_DARKEST * median:
        return [
            f"{name} is nowhere darker than {lowest:g}, which is {lowest / median:.0%} of the brain's median: if an "
            "offset was added to its intensities, subtract it"
        ]
    return []


def check_spacings(
    spacing_mm: tuple[float, float, float],
    name: str,
    *,
    in_plane_seen_mm: tuple[float, float],
    between_slices_seen_mm: tuple[float, float],
) -> list[str]:
    """Warn of voxel sizes that the model has not seen; they are resampled, which cannot add what was not acquired.

    Args:
        spacing_mm: Voxel size along right, anterior, superior (canonical axes).
        name: As for :func:`check_volume`.
        in_plane_seen_mm: Smallest and largest axial pixel size the model was trained on.
        between_slices_seen_mm: Smallest and largest distance of its axial slices.

    Returns:
        Warnings: at most one in plane and one between slices.
    """
    warnings = []
    *in_plane, between = spacing_mm
    for what, sizes, (low, high) in (
        ("in-plane voxel size", in_plane, in_plane_seen_mm),
        ("slice spacing", [between], between_slices_seen_mm),
    ):
        outside = sorted({f"{mm:.3g}" for mm in sizes if not low * 0.99 <= mm <= high * 1.01})
        if outside:
            warnings.append(
                f"{name} has {what} {' and '.join(outside)} mm; the model saw {low:g} to {high:g} mm, so expect less"
            )
    return warnings


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


def check_request(sources: Collection[Contrast], target: Contrast, registration: str = "auto") -> None:
    """Refuse a request that makes no sense whatever the files and the model.

    Args:
        sources: The contrasts given.
        target: The contrast asked for.
        registration: Which sources to register.

    Raises:
        UsageError: If there are no sources, the target is among them, or the registration is unknown.
    """
    if registration not in REGISTRATIONS:
        raise UsageError(f"unknown registration {registration!r}: use auto, always or never")
    if not sources:
        raise UsageError("no sources were given; give at least one, for example --source T1w=t1.nii.gz")
    if target in sources:
        raise UsageError(f"{target} is both source and target; leave it out of the sources or ask for another target")


def check_distinct(hashes: Mapping[Contrast, str]) -> None:
    """Refuse the same image given as two contrasts.

    Args:
        hashes: Of each source's content.

    Raises:
        InputError: If two are equal.
    """
    for (first, a), (second, b) in combinations(hashes.items(), 2):
        if a == b:
            raise InputError(f"{first} and {second} are the same file; give each contrast its own file")
