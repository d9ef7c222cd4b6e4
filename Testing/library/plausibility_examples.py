"""Phantoms as a network might translate them, with planted and erased structures whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms import Grid, Tissue, brain_grid, make_phantom
from MRTranslateLib.phantoms.lattice import random_field
from MRTranslateLib.phantoms.lesion import Pathology
from MRTranslateLib.phantoms.signal import RELAXATION_3T, SEQUENCES, tissue_signal
from MRTranslateLib.plausibility.report import Finding

Image = NDArray[np.float32]
CONTRASTS = (Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR)
OWN_LESION_MM = 15.0
SURROUNDINGS_MM = (2.0, 10.0)
"""Distance from a structure of what it is compared with; the first leaves out its own soft edge."""
EDGE_MM = 1.5
"""A planted structure falls from 88 % to 12 % of its height over twice this."""
MAX_TRIES, MIN_ML = 60, 1.0
"""So many places are tried for a blob before it is made smaller, but never smaller than the second."""


@dataclass(frozen=True, eq=False)
class Case:
    """A translation: images 0..1 on one grid, and what was planted in or erased from the synthetic one."""

    synthetic: Image
    target: Contrast
    sources: Mapping[Contrast, Image]
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]
    truth: NDArray[np.bool_] | None = None

    @property
    def center_mm(self) -> NDArray[np.float64]:
        inside = np.argwhere(self.truth).mean(axis=0)
        return (self.affine @ [*inside, 1.0])[:3]

    @property
    def volume_ml(self) -> float:
        return float(self.truth.sum() * abs(np.linalg.det(self.affine[:3, :3])) / 1000)

    @property
    def visibility(self) -> float:
        """Contrast-to-noise ratio of the structure in the source that shows it best.

        Its mean minus the median of its surroundings, over their robust standard deviation (1.4826 median absolute
        deviations): what anatomy a reader must tell it from counts as noise.
        """
        away = ndimage.distance_transform_edt(~self.truth, sampling=np.linalg.norm(self.affine[:3, :3], axis=0))
        shell = (away > SURROUNDINGS_MM[0]) & (away <= SURROUNDINGS_MM[1]) & self.brain
        ratios = []
        for image in self.sources.values():
            usual = np.median(image[shell])
            noise = 1.4826 * np.median(np.abs(image[shell] - usual))
            ratios.append(abs(image[self.truth].mean() - usual) / noise)
        return float(max(ratios))


@dataclass(frozen=True, eq=False)
class Scans:
    """The acquired images of one phantom."""

    images: Mapping[Contrast, Image]
    labels: NDArray[np.uint8]
    white_matter: Image
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @cached_property
    def points_mm(self) -> NDArray[np.float32]:
        return Grid(self.brain.shape, self.affine).points_mm().reshape(3, *self.brain.shape)


def scan_phantom(seed: int, pathology: Pathology, grid: Grid | None = None) -> Scans:
    """Images of a phantom, 1 is the 99.5th percentile of the brain; 2 mm voxels unless a grid is given."""
    grid = grid or brain_grid((2.0, 2.0, 2.0), field_of_view_mm=(192, 224, 170))
    phantom = make_phantom(seed, pathology=pathology, grid=grid, contrasts=CONTRASTS)
    brain = phantom.brain_mask.array > 0
    images = {
        contrast: np.clip(volume.array / np.percentile(volume.array[brain], 99.5), 0, 1) * brain
        for contrast, volume in phantom.volumes.items()
    }
    return Scans(images, phantom.labels.array, phantom.fractions[Tissue.WHITE_MATTER], brain, grid.affine)


def as_a_network_makes_it(image: Image, scans: Scans, rng: np.random.Generator) -> Image:
    """Blur of 1.5 to 3 mm FWHM, gain, level, uneven brightness of 3 %, a tenth of the fine contrast lost, noise."""
    brain = scans.brain
    blurred = _blurred(image, scans, rng.uniform(0.65, 1.3))
    coarse = _blurred(image, scans, 6.0)
    flattened = coarse + rng.uniform(0.85, 1.0) * (blurred - coarse)
    uneven = random_field(rng, scale_mm=50, step_mm=8).sample_grid(brain.shape, scans.affine)
    made = flattened * rng.uniform(0.92, 1.08) * (1 + 0.03 * uneven) + rng.uniform(-0.02, 0.02)
    grain = ndimage.gaussian_filter(rng.standard_normal(brain.shape), 1.0 / scans.spacing_mm)
    return (np.clip(made + 0.01 * grain / grain.std(), 0, 1) * brain).astype(np.float32)


def clean_case(scans: Scans, sources: tuple[Contrast, ...], target: Contrast, rng: np.random.Generator) -> Case:
    """Nothing planted, nothing erased."""
    synthetic = as_a_network_makes_it(scans.images[target], scans, rng)
    given = {contrast: scans.images[contrast] for contrast in sources}
    return Case(synthetic, target, given, scans.brain, scans.affine)


def plant(case: Case, scans: Scans, rng: np.random.Generator, volume_ml: float, contrast: float) -> Case:
    """A blob in the synthetic image alone, wherever it can be seen.

    ``contrast`` is the mean change within half height; negative for a dark blob.
    """
    while True:
        blob = _blob(scans, rng, volume_ml, scans.brain)
        inside = blob >= 0.5
        change = np.float32(contrast) * blob / blob[inside].mean()
        planted = np.clip(case.synthetic + change, 0, 1) * case.brain
        if abs((planted - case.synthetic)[inside].mean()) >= 0.9 * abs(contrast):  # not cut off by black or white
            return replace(case, synthetic=planted.astype(np.float32), truth=inside)


def erase_lesion(case: Case, scans: Scans, rng: np.random.Generator, volume_ml: float) -> Case:
    """A lesion of white matter that every source shows as the physics has it, and the synthetic image does not.

    Not where the phantom has a lesion of its own, nor opposite: lesions that mirror each other are beyond the method,
    and its statement says so.
    """
    ill = ndimage.distance_transform_edt(scans.labels == 0, sampling=scans.spacing_mm) < OWN_LESION_MM
    blob = _blob(scans, rng, volume_ml, (scans.white_matter > 0.6) & ~ill & ~ill[::-1])
    white = scans.white_matter > 0.9
    sources = {}
    for contrast, image in case.sources.items():
        level = lesion_to_white_matter(contrast) * np.median(image[white])
        grain = image - _blurred(image, scans, 2.0)
        lesion = np.clip(level + grain, 0, 1)
        sources[contrast] = ((image + blob * (lesion - image)) * case.brain).astype(np.float32)
    return replace(case, sources=sources, truth=blob >= 0.5)


def erase_pathology(case: Case, scans: Scans, healthy: Scans, rng: np.random.Generator) -> Case:
    """The phantom's own lesions replaced by what is there in the same person without the disease."""
    away = ndimage.distance_transform_edt(scans.labels == 0, sampling=scans.spacing_mm)
    weight = np.clip(1.5 - away / 6.0, 0, 1)
    image, twin = scans.images[case.target], healthy.images[case.target]
    same = scans.brain & (away > 40)  # an enhancing tumour sets the scale of its own image
    twin = np.clip(twin * np.median(image[same]) / np.median(twin[same]), 0, 1)
    inpainted = (image * (1 - weight) + twin * weight) * scans.brain
    synthetic = as_a_network_makes_it(inpainted.astype(np.float32), scans, rng)
    return replace(case, synthetic=synthetic, truth=scans.labels > 0)


def lesion_to_white_matter(
    contrast: Contrast, lesion: Literal[Tissue.MS_LESION, Tissue.OEDEMA] = Tissue.OEDEMA
) -> float:
    """How many times as bright as white matter a lesion is, without enhancement."""
    sequence = SEQUENCES[contrast]
    return tissue_signal(RELAXATION_3T[lesion], sequence) / tissue_signal(RELAXATION_3T[Tissue.WHITE_MATTER], sequence)


def _blurred(image: Image, scans: Scans, sigma_mm: float) -> Image:
    sigma = sigma_mm / scans.spacing_mm
    share = ndimage.gaussian_filter(scans.brain.astype(np.float32), sigma)
    return ndimage.gaussian_filter(image, sigma) / np.maximum(share, 1e-3) * scans.brain


def _blob(scans: Scans, rng: np.random.Generator, volume_ml: float, where: NDArray[np.bool_]) -> Image:
    """An irregular ellipsoid with smooth edges, 0..1; at least 70 % of it lies in ``where``, all in the brain.

    Smaller than asked for where there is no room.
    """
    radius_mm = (volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    share = ndimage.gaussian_filter(where.astype(np.float32), 0.6 * radius_mm / scans.spacing_mm)
    candidates = np.argwhere(where & (share >= min(0.75, np.quantile(share[where], 0.95))))
    roughness = random_field(rng, scale_mm=9, step_mm=3)
    reach = np.ceil((1.6 * radius_mm + 8) / scans.spacing_mm).astype(int)
    for _ in range(MAX_TRIES):
        middle = rng.choice(candidates)
        box = tuple(slice(max(at - far, 0), at + far + 1) for at, far in zip(middle, reach, strict=True))
        points = scans.points_mm[(slice(None), *box)]
        away = points - scans.points_mm[(slice(None), *middle)][:, None, None, None]
        axes = rng.uniform(0.8, 1.25, 3)
        axes *= radius_mm / axes.prod() ** (1 / 3)
        depth = radius_mm * (1 - np.sqrt(((away / axes[:, None, None, None]) ** 2).sum(axis=0)))
        depth += 0.12 * radius_mm * roughness.sample(points.reshape(3, -1)).reshape(depth.shape)
        blob = np.zeros(scans.brain.shape, np.float32)
        blob[box] = 1 / (1 + np.exp(-np.clip(depth / EDGE_MM, -30, 30)))
        inside = blob >= 0.5
        if inside.any() and where[inside].mean() >= 0.7 and scans.brain[inside].mean() >= 0.95:
            return blob * scans.brain
    return _blob(scans, rng, max(0.8 * volume_ml, MIN_ML), where)


def is_found_by(case: Case, finding: Finding) -> bool:
    """Whether the finding's centre lies in the true structure or within 4 mm of it."""
    away = ndimage.distance_transform_edt(~case.truth, sampling=np.linalg.norm(case.affine[:3, :3], axis=0))
    index = np.rint(np.linalg.inv(case.affine) @ [*finding.center_ras_mm, 1.0])[:3].astype(int)
    inside = (index >= 0).all() and (index < case.truth.shape).all()
    return bool(inside and away[tuple(index)] <= 4.0)
