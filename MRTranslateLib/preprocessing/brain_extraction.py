"""The brain of a volume with skull, without learned weights.

An average head is laid onto the volume (:mod:`.head_template`). Then each voxel is weighed: how often its intensity
occurs inside against just outside the present mask, how deep it lies in the average brain, and what its neighbours
are. As the histograms come from the volume itself, the same rule serves T1w, T2w, FLAIR and PDw.

Judged on the five native scans of the open data (14 volumes, slices of 3 to 4 mm, defaced, no manual masks): by eye on
ten slices of each; by the T1w mask against the registered T2w and FLAIR masks of the same scan (Dice 0.95 to 0.98); by
volume (1190 to 1440 ml, within 11 % between the contrasts of a scan); and on phantoms with skull, whose brain is known
(Dice 0.93 to 0.96). Known limits: the outline is smooth to about 2 mm, follows the outer fluid on T2w and the cortex on
FLAIR, may take a few ml of neck muscle below the foramen magnum, and is unsure at the vertex of thick slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.errors import InputError
from MRTranslateLib.preprocessing.head_template import TemplateFit, fit_template, head_template
from MRTranslateLib.preprocessing.registration import coarsen, foreground
from MRTranslateLib.volume import Volume, from_sitk, to_sitk

GRID_MM = 2.0
ROUNDS = 4
HISTOGRAM_BINS = 48
PRIOR_MM, PRIOR_GROWTH_MM = 4.0, 12.0
"""Near the average brain's outline ``PRIOR_MM`` is worth one unit of log odds; the worth doubles 12 mm away."""
PRIOR_INWARD_MM, START_DEPTH_MM = 3.0, 4.0
"""The template's outline encloses all sulcal fluid and fits drift to the skull, which T1w shows as dark as fluid: the
prior is drawn in, and the first mask more so, that the histogram of "just outside" begins with the skull."""
NEIGHBOUR_WEIGHT = 6.0
SMOOTHING_MM = 3.0
PLAUSIBLE_ML = (1000.0, 1900.0)
MIN_INFORMATION = 0.39
"""Template fits of the open data reach 0.51 to 0.75, and 0.42 with the head turned by 25 degrees; a head that lies on
its side or stands on its vertex gives 0.34 to 0.37 on T1w and T2w (0.41 to 0.43 on FLAIR, which goes unnoticed)."""
MIN_AGREEMENT = 0.88
"""Least Dice between the mask and the fitted average brain; the open data reach 0.93 to 0.97."""


@dataclass(frozen=True, eq=False)
class BrainExtraction:
    """An extracted brain and how far to trust it.

    Attributes:
        mask: bool, on the grid of the volume.
        volume_ml: Of the mask, inside the field of view.
        information: Mutual information (nats) of the template fit.
        agreement: Dice of the mask with the template's brain as fitted, 0..1.
        warnings: Why the mask is doubtful, one sentence each; empty if nothing speaks against it.
    """

    mask: Volume
    volume_ml: float
    information: float
    agreement: float
    warnings: tuple[str, ...]


def extract_brain(volume: Volume, *, progress: Callable[[float], None] | None = None) -> BrainExtraction:
    """Find the brain in a volume with skull; the same input gives the same bits.

    Args:
        volume: Finite values, brain-MRI of any contrast, head within 30 degrees of the scanner's axes.
        progress: Told the fraction done, 0..1; what it raises ends the extraction.

    Raises:
        InputError: If nothing like a head is found. A doubtful brain is a warning, not an error.
    """
    tell = progress or (lambda fraction: None)
    head = coarsen(volume, 3.0)
    fit = fit_template(head, foreground(head))
    tell(0.6)
    grid = _isotropic_grid(volume)
    intensity = from_sitk(sitk.Resample(head, to_sitk(grid), sitk.Transform(), sitk.sitkLinear, 0.0)).array
    depth = _template_distance(fit, grid)
    if not (depth < -8.0).any():
        raise InputError("no brain was found in the volume; give a brain mask")
    probability = _refine(intensity, depth)
    tell(0.9)
    onto = sitk.Resample(
        to_sitk(grid.with_array(probability)), to_sitk(volume.with_array(np.zeros(volume.shape, np.uint8))),
        sitk.Transform(), sitk.sitkLinear, 0.0,
    )  # fmt: skip
    mask = volume.with_array(from_sitk(onto).array > 0.5)
    brain = probability > 0.5
    expected = depth < -PRIOR_INWARD_MM
    agreement = float(2 * (brain & expected).sum() / max(1, brain.sum() + expected.sum()))
    volume_ml = float(mask.array.sum() * volume.voxel_volume_ml)
    tell(1.0)
    return BrainExtraction(mask, volume_ml, fit.information, agreement, _doubts(volume_ml, fit, agreement))


def _isotropic_grid(volume: Volume) -> Volume:
    """Grid of ``GRID_MM`` along the axes of ``volume`` over the same field of view, all zero."""
    spacing = np.array(volume.spacing_mm)
    shape = np.ceil(np.array(volume.shape) * spacing / GRID_MM).astype(int)
    affine = volume.affine.copy()
    affine[:3, :3] *= GRID_MM / spacing
    affine[:3, 3] += volume.affine[:3, :3] @ ((GRID_MM / spacing - 1) / 2)  # the outer voxel faces stay
    return Volume(np.zeros(shape, np.uint8), affine)


def _template_distance(fit: TemplateFit, grid: Volume) -> NDArray[np.float32]:
    """Signed mm to the fitted template's brain outline (mm of the template), negative inside; 60 far outside."""
    outside = to_sitk(head_template().outside_mm)
    laid = sitk.Resample(outside, to_sitk(grid), fit.transform.GetInverse(), sitk.sitkLinear, 60.0)
    return np.asarray(from_sitk(laid).array, dtype=np.float32)


def _refine(intensity: NDArray[np.float32], depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of brain, 0..1, on the isotropic grid; starts from the template's brain."""
    ceiling = 1.25 * max(float(np.percentile(intensity[depth < -8.0], 99.9)), 1e-6)
    bins = np.clip(intensity / ceiling * HISTOGRAM_BINS, 0, HISTOGRAM_BINS - 1).astype(np.intp)
    drawn_in = depth + PRIOR_INWARD_MM
    prior = np.clip(-drawn_in / PRIOR_MM * (1 + np.abs(drawn_in) / PRIOR_GROWTH_MM), -8.0, 8.0)
    sigma = SMOOTHING_MM / GRID_MM
    mask = depth < -START_DEPTH_MM
    for _ in range(ROUNDS):
        evidence = np.clip(_log_ratio(bins, mask), -3.0, 3.0)
        logit = ndimage.gaussian_filter(evidence, sigma) + prior
        smooth = _sigmoid(logit)
        for _ in range(3):
            smooth = _sigmoid(logit + NEIGHBOUR_WEIGHT * (ndimage.gaussian_filter(smooth, sigma) - 0.5))
        mask = _one_body(smooth > 0.5, depth < -8.0)
        if not mask.any():
            break
    # The linear interpolation onto the volume's grid then draws the outline between voxels.
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), 0.7))


def _log_ratio(bins: NDArray[np.intp], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Log of how much more often a voxel's intensity occurs inside (3 mm deep) than just outside (2 to 14 mm)."""
    inside = ndimage.distance_transform_edt(mask) * GRID_MM > 3.0
    away = ndimage.distance_transform_edt(~mask) * GRID_MM
    shares = []
    for region in (inside, (away > 2.0) & (away < 14.0)):
        counts = ndimage.gaussian_filter1d(np.bincount(bins[region], minlength=HISTOGRAM_BINS).astype(np.float64), 1.0)
        shares.append(counts / max(counts.sum(), 1.0) + 1e-3)
    ratio: NDArray[np.float32] = np.log(shares[0] / shares[1]).astype(np.float32)[bins]
    return ratio


def _one_body(mask: NDArray[np.bool_], core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cut thin bridges, keep the piece that holds most of the core, close and fill it."""
    cut, close, ball = round(6 / GRID_MM), round(8 / GRID_MM), ndimage.generate_binary_structure(3, 1)
    padded = np.pad(mask, cut, mode="edge")  # the border of the field of view is no border of the brain
    padded = ndimage.binary_opening(padded, ball, iterations=cut)
    opened = padded[cut:-cut, cut:-cut, cut:-cut]
    labels, _ = ndimage.label(opened)
    sizes = np.bincount(labels[core & opened])
    if sizes.size == 0:
        return np.zeros_like(mask)
    padded = np.pad(labels == sizes.argmax(), close)
    closed = ndimage.binary_closing(padded, ball, iterations=close)[close:-close, close:-close, close:-close]
    return np.asarray(ndimage.binary_fill_holes(closed))


def _sigmoid(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float32)


def _doubts(volume_ml: float, fit: TemplateFit, agreement: float) -> tuple[str, ...]:
    doubts = []
    if not PLAUSIBLE_ML[0] <= volume_ml <= PLAUSIBLE_ML[1]:
        doubts.append(f"holds {volume_ml:.0f} ml where {PLAUSIBLE_ML[0]:.0f} to {PLAUSIBLE_ML[1]:.0f} are plausible")
    if fit.information < MIN_INFORMATION:
        doubts.append(f"comes from a poor fit of the average head ({fit.information:.2f} < {MIN_INFORMATION})")
    if agreement < MIN_AGREEMENT:
        doubts.append(f"differs much from an average brain (Dice {agreement:.2f} < {MIN_AGREEMENT})")
    return tuple(f"the extracted brain mask {doubt}; look at it or give a brain mask" for doubt in doubts)
