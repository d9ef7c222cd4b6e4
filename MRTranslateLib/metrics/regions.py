"""All metrics of one synthetic volume, in the brain, in the lesion and its labels, and in the brain around it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.metrics.flicker import slice_flicker
from MRTranslateLib.metrics.intensity import (
    normalized_mean_absolute_error,
    normalized_root_mean_square_error,
    peak_signal_noise_ratio,
    signed_bias,
)
from MRTranslateLib.metrics.similarity import RADIUS_VOXELS, mask_box, structural_similarity_map
from MRTranslateLib.volume import Volume, same_lattice, to_canonical


class RegionScores(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metrics of one region; definitions in :mod:`MRTranslateLib.metrics`.

    Attributes:
        num_voxels: Size of the region.
        psnr: Decibels; None when synthetic and reference are equal there (infinite, which JSON cannot say).
        ssim: Mean over the region of the SSIM map made from the whole volume, -1..1.
        nmae: Mean absolute error over ``data_range``.
        nrmse: Root mean square error over the root mean square of the reference; None where the reference is all 0.
        bias: Mean of synthetic minus reference over ``data_range``; negative is too dark.
    """

    num_voxels: int
    psnr: float | None
    ssim: float
    nmae: float
    nrmse: float | None
    bias: float


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What :func:`evaluate_regions` measured.

    Attributes:
        data_range: Width of the intensity range that PSNR, SSIM, NMAE and bias are relative to.
        brain: The whole brain mask.
        lesion: Lesion of any label, inside the brain; None without a lesion mask.
        lesion_labels: The same for each label of the lesion mask (for gliomas 1 core, 2 oedema, 3 enhancing).
        healthy: Brain without lesion; None without a lesion mask.
        flicker: Axial slice-to-slice change of the synthetic over that of the reference, in the brain; 1 is ideal.
            None when the reference does not change.
        notes: Sentences a reader of these numbers must know.
    """

    data_range: float
    brain: RegionScores
    lesion: RegionScores | None
    lesion_labels: dict[int, RegionScores]
    healthy: RegionScores | None
    flicker: float | None
    notes: tuple[str, ...]


def evaluate_regions(
    synthetic: Volume,
    reference: Volume,
    brain_mask: Volume,
    lesion_mask: Volume | None,
    *,
    data_range: float = 1.0,
) -> Report:
    """Measure a synthetic volume against the real one, region by region.

    Args:
        synthetic: What is judged, in units of the normalised reference (0..1); never rescaled here.
        reference: The real contrast, normalised by its own brain (0..1).
        brain_mask: Voxels different from 0 are brain.
        lesion_mask: Integer labels, 0 is no lesion; None when there is none. Its voxels outside the brain mask are
            left out, and a note says how many.
        data_range: Width of the range of both images, > 0.

    Raises:
        InputError: If the grids differ (the order of axes does not count), a mask is empty, or a voxel in or beside the
            brain is NaN or infinite.
        ValueError: If ``data_range`` is not a positive number.
    """
    notes: list[str] = []
    for name, volume in (("synthetic", synthetic), ("brain mask", brain_mask), ("lesion mask", lesion_mask)):
        if volume is not None:
            check_grid(name, volume, reference)
    brain = to_canonical(brain_mask).array != 0
    if not brain.any():
        raise InputError("the brain mask is empty: give one that covers the brain")
    labels = None if lesion_mask is None else _labels_in_brain(to_canonical(lesion_mask).array, brain, notes)
    # SSIM looks RADIUS_VOXELS past the brain; nothing beyond that box matters to any number.
    box = mask_box(brain, margin=RADIUS_VOXELS)
    images = Images(to_canonical(reference).array[box], to_canonical(synthetic).array[box], data_range)
    brain, labels = brain[box], None if labels is None else labels[box]

    healthy = None if labels is None else brain & (labels == 0)
    if healthy is not None and not healthy.any():
        notes.append("the lesion fills the whole brain mask: there is no healthy remainder to measure")
        healthy = None
    report = Report(
        data_range=data_range,
        brain=images.scores(brain),
        lesion=None if labels is None else images.scores(labels != 0),
        lesion_labels={}
        if labels is None
        else {int(label): images.scores(labels == label) for label in np.unique(labels[labels != 0])},
        healthy=None if healthy is None else images.scores(healthy),
        flicker=images.flicker(brain),
        notes=(),
    )
    if report.brain.psnr is None:
        notes.append("synthetic and reference are identical in the brain: PSNR is infinite and reported as null")
    elif report.lesion is not None and report.lesion.psnr is None:
        notes.append("synthetic and reference are identical in the lesion: PSNR is infinite there, reported as null")
    return msgspec.structs.replace(report, notes=tuple(notes))


def check_grid(name: str, volume: Volume, reference: Volume) -> None:
    """Refuse a volume that does not lie on the reference's grid; the order of axes does not count.

    Raises:
        InputError: Naming it.
    """
    if not same_lattice(volume, reference):
        raise InputError(
            f"the {name} {volume.shape} lies on another grid than the reference {reference.shape}: "
            "resample it to the reference's grid first"
        )


class Images:
    """A reference and a synthetic image on one canonical grid, with the SSIM map that all regions share."""

    def __init__(self, image_true: NDArray[np.generic], image_test: NDArray[np.generic], data_range: float) -> None:
        for name, image in (("reference", image_true), ("synthetic", image_test)):
            if num_bad := int(np.count_nonzero(~np.isfinite(image))):
                raise InputError(
                    f"the {name} holds {num_bad} NaN or infinite voxels in or beside the brain: repair it first"
                )
        self._true, self._test, self._range = image_true, image_test, data_range
        self._ssim = structural_similarity_map(image_true, image_test, data_range=data_range)

    def scores(self, region: NDArray[np.bool_]) -> RegionScores:
        """The metrics over the voxels of ``region``, which is not empty."""
        true, test = self._true[region], self._test[region]
        return RegionScores(
            num_voxels=int(np.count_nonzero(region)),
            psnr=_finite_or_none(peak_signal_noise_ratio(true, test, data_range=self._range, mask=None)),
            ssim=float(self._ssim[region].mean()),
            nmae=normalized_mean_absolute_error(true, test, data_range=self._range, mask=None),
            nrmse=_finite_or_none(normalized_root_mean_square_error(true, test, mask=None)),
            bias=signed_bias(true, test, data_range=self._range, mask=None),
        )

    def flicker(self, region: NDArray[np.bool_]) -> float | None:
        """Axial flicker in ``region``; None where undefined."""
        if not (region[:, :, 1:] & region[:, :, :-1]).any():
            return None
        return _finite_or_none(slice_flicker(self._true, self._test, mask=region, axis=2))


def _labels_in_brain(lesion: NDArray[np.generic], brain: NDArray[np.bool_], notes: list[str]) -> NDArray[np.generic]:
    """The lesion labels with everything outside the brain set to 0."""
    if not (lesion != 0).any():
        raise InputError("the lesion mask is empty: leave it out when there is no lesion")
    num_outside = int(np.count_nonzero((lesion != 0) & ~brain))
    inside = np.where(brain, lesion, np.zeros_like(lesion))
    if not (inside != 0).any():
        raise InputError(f"all {num_outside} voxels of the lesion mask lie outside the brain mask: check both masks")
    if num_outside:
        notes.append(f"{num_outside} voxels of the lesion mask lie outside the brain mask and were left out")
    return inside


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
