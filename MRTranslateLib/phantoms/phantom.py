"""Synthetic multi-contrast scans of people who never lived, for tests and demonstrations.

A person (anatomy and lesions) and a scan (timing, coil, gain, noise) are drawn from the seed; the images then follow
from them and from the grid; only the noise is drawn per voxel. The person does not depend on the grid: the same seed
shows the same head on thin, thick or oblique slices, and the same head with and without a disease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms.atlas import block_mean
from MRTranslateLib.phantoms.grid import BRAIN_CENTRE_MM, Grid, brain_grid
from MRTranslateLib.phantoms.lattice import Lattice, add_up, random_field
from MRTranslateLib.phantoms.lesion import Pathology, draw_lesions
from MRTranslateLib.phantoms.person import Anatomy, Person, anatomy_at, draw_person
from MRTranslateLib.phantoms.signal import (
    GADOLINIUM_MMOL_L,
    RELAXATION_3T,
    SEQUENCES,
    PulseSequence,
    Tissue,
    null_inversion_time_ms,
    tissue_signal,
)
from MRTranslateLib.volume import Volume

LESION_LABELS = {Tissue.NECROSIS: 1, Tissue.OEDEMA: 2, Tissue.ENHANCING_TUMOUR: 3, Tissue.MS_LESION: 1}
TEXTURE = 0.025
"""Standard deviation of the tissue's own unevenness, relative to its signal."""
BRAIN_HALF_WIDTHS_MM = np.array([86.0, 104.0, 92.0])
HEAD_HALF_WIDTHS_MM = np.array([104.0, 126.0, 136.0])
"""Boxes about ``BRAIN_CENTRE_MM`` that hold any person's brain and head."""
COARSE_VOXEL_MM3 = 6.0
"""From this volume on, voxels read the 2 mm atlas."""
POINTS_PER_CHUNK = 1 << 19
"""Points computed at once, to bound memory."""


@dataclass(frozen=True, eq=False)
class Scan:
    """Everything random about an examination.

    Attributes:
        sequences: Timing per contrast.
        gain: Intensity that the 99.5th percentile of the brain gets before bias and noise, per contrast.
        coil: Unit-variance fields whose exponential is the bias field, per contrast.
        noise_seeds: Per contrast, for the one draw that depends on the grid.
    """

    sequences: Mapping[Contrast, PulseSequence]
    gain: Mapping[Contrast, float]
    coil: Mapping[Contrast, Lattice]
    noise_seeds: Mapping[Contrast, int]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic examination and the truth about it; all on one grid.

    Attributes:
        volumes: float32 images, in arbitrary units of a few hundred, not negative.
        labels: uint8. Glioma: 1 necrotic core, 2 oedema, 3 enhancing tumour. Multiple sclerosis: 1 lesion. Else 0.
        brain_mask: bool, brain with its CSF.
        fractions: float32, share of each tissue in each voxel, 0..1; what is missing to 1 is air.
        person: Whose head it is.
        scan: How it was scanned.
    """

    volumes: Mapping[Contrast, Volume]
    labels: Volume
    brain_mask: Volume
    fractions: Mapping[Tissue, NDArray[np.float32]]
    person: Person
    scan: Scan


def make_phantom(
    seed: int,
    *,
    pathology: Pathology = "glioma",
    grid: Grid | None = None,
    contrasts: Sequence[Contrast] = tuple(Contrast),
    with_skull: bool = False,
    noise: float = 0.02,
    bias: float = 0.2,
) -> Phantom:
    """Make a synthetic examination; the same arguments give the same bits.

    Args:
        seed: Chooses person and scan, not negative.
        pathology: ``"none"``, ``"glioma"`` or ``"multiple sclerosis"``.
        grid: Where the voxels are; ``brain_grid()`` of 240 x 240 x 155 voxels of 1 mm if None.
        contrasts: Which images to make.
        with_skull: Keep skull, scalp, face and neck, with noise in the air; otherwise all outside the brain is 0.
        noise: Standard deviation of the Gaussian noise in each channel of the complex signal, relative to the 99.5th
            percentile of the brain; the magnitude is Rician.
        bias: Standard deviation of the logarithm of the bias field.

    Raises:
        ValueError: If ``pathology`` is unknown, or ``seed``, ``noise`` or ``bias`` is negative.

    Example:
        >>> phantom = make_phantom(1, grid=brain_grid((6, 6, 6)), contrasts=[Contrast.FLAIR])
        >>> phantom.volumes[Contrast.FLAIR].shape
        (40, 40, 26)
    """
    if min(seed, noise, bias) < 0:
        raise ValueError(f"seed, noise and bias must not be negative, got {seed}, {noise} and {bias}")
    grid = grid or brain_grid()
    lesions = draw_lesions(np.random.default_rng([seed, 0]), pathology)
    person = draw_person(np.random.default_rng([seed, 1]), lesions)
    scan = draw_scan(np.random.default_rng([seed, 2]))
    anatomy = _anatomy_on(grid, person, with_skull)
    brain_mask = anatomy.brain >= 0.5
    volumes = {}
    for contrast in contrasts:
        clean = _clean_image(contrast, person, scan, anatomy)
        image = clean * (scan.gain[contrast] / np.percentile(clean[brain_mask], 99.5) if brain_mask.any() else 1.0)
        image *= np.exp(np.float32(bias) * scan.coil[contrast].sample_grid(grid.shape, grid.affine))
        image = add_rician_noise(image, noise * scan.gain[contrast], np.random.default_rng(scan.noise_seeds[contrast]))
        volumes[contrast] = Volume(image if with_skull else image * brain_mask, grid.affine)
    labels, mask = Volume(lesion_labels(anatomy.fractions), grid.affine), Volume(brain_mask, grid.affine)
    return Phantom(volumes, labels, mask, anatomy.fractions, person, scan)


def draw_scan(rng: np.random.Generator) -> Scan:
    """Draw how a person is examined: timing within a few percent of the typical one, coil, gain."""
    sequences, gain, coil, noise_seeds = {}, {}, {}, {}
    for contrast, typical in SEQUENCES.items():
        sequences[contrast] = replace(
            typical,
            repetition_time_ms=typical.repetition_time_ms * rng.uniform(0.9, 1.1),
            echo_time_ms=typical.echo_time_ms * rng.uniform(0.92, 1.08),
        )
        gain[contrast] = float(rng.uniform(300, 1500))
        coil[contrast] = random_field(rng, scale_mm=95, step_mm=8)
        noise_seeds[contrast] = int(rng.integers(2**32))
    flair = sequences[Contrast.FLAIR]
    # The operator sets TI to null fluid, whatever TR is, and misses by up to 2 %.
    null_ms = null_inversion_time_ms(RELAXATION_3T[Tissue.CSF], flair.repetition_time_ms)
    sequences[Contrast.FLAIR] = replace(flair, inversion_time_ms=null_ms * rng.uniform(0.98, 1.02))
    return Scan(sequences, gain, coil, noise_seeds)


def add_rician_noise(image: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Magnitude of the image with independent normal noise in its real and imaginary channel.

    Args:
        image: Noise-free magnitude, any shape.
        sigma: Standard deviation in each channel, in units of ``image``.
        rng: Source of chance.

    References:
        H. Gudbjartsson, S. Patz. The Rician distribution of noisy MRI data. Magn Reson Med 34 (1995) 910.
    """
    if sigma == 0:
        return image
    real = image + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    magnitude: NDArray[np.float32] = np.hypot(real, imaginary, out=real)
    return magnitude


def lesion_labels(fractions: Mapping[Tissue, NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Label of the commonest lesion tissue in each voxel that is at least half lesion, 0 elsewhere."""
    present = [(label, fractions[tissue]) for tissue, label in LESION_LABELS.items() if tissue in fractions]
    if not present:
        return np.zeros(next(iter(fractions.values())).shape, dtype=np.uint8)
    lesion = add_up(share for _, share in present) >= 0.5
    shares = np.stack([share[lesion] for _, share in present])
    labels = np.zeros(lesion.shape, dtype=np.uint8)
    labels[lesion] = np.array([label for label, _ in present])[shares.argmax(axis=0)]
    return labels


def _clean_image(contrast: Contrast, person: Person, scan: Scan, anatomy: Anatomy) -> NDArray[np.float32]:
    """Signal before coil, gain and noise: tissues add up by their share of the voxel."""
    image = np.zeros_like(anatomy.brain)
    for tissue, share in anatomy.fractions.items():
        concentration = GADOLINIUM_MMOL_L.get(tissue, 0.0)
        image += share * np.float32(tissue_signal(person.relaxation[tissue], scan.sequences[contrast], concentration))
    fluid_free = 1 - anatomy.fractions[Tissue.CSF]
    return image * (1 + np.float32(TEXTURE) * anatomy.texture * fluid_free)


def _anatomy_on(grid: Grid, person: Person, with_head: bool) -> Anatomy:
    """Anatomy averaged over each voxel, arrays of the grid's shape; zero outside the box that holds the head."""
    step_mm = 2 if np.prod(grid.spacing_mm) >= COARSE_VOXEL_MM3 else 1
    i, j, k = (max(1, int(spacing / step_mm + 0.25)) for spacing in grid.spacing_mm)
    start, shape = _head_box(grid, with_head)
    box = tuple(slice(first, first + count) for first, count in zip(start, shape, strict=True))
    brain, texture = np.zeros((2, *grid.shape), dtype=np.float32)
    fractions: dict[Tissue, NDArray[np.float32]] = {}
    slab = max(1, POINTS_PER_CHUNK // (shape[1] * shape[2] * i * j * k))
    for first in range(start[0], start[0] + shape[0], slab):
        count = min(slab, start[0] + shape[0] - first)
        fine = grid.crop((first, start[1], start[2]), (count, shape[1], shape[2])).refine((i, j, k))
        part = anatomy_at(person, fine.points_mm(), with_head=with_head, step_mm=step_mm)
        inside = (slice(first, first + count), *box[1:])
        for tissue, share in part.fractions.items():
            whole = fractions.setdefault(tissue, np.zeros(grid.shape, dtype=np.float32))
            whole[inside] = block_mean(share.reshape(fine.shape), (i, j, k))
        brain[inside] = block_mean(part.brain.reshape(fine.shape), (i, j, k))
        texture[inside] = block_mean(part.texture.reshape(fine.shape), (i, j, k))
    return Anatomy(fractions, brain, texture)


def _head_box(grid: Grid, with_head: bool) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """First voxel and shape of the part of the grid where there is anything but air; at least one voxel."""
    half_widths = HEAD_HALF_WIDTHS_MM if with_head else BRAIN_HALF_WIDTHS_MM
    corners = BRAIN_CENTRE_MM + half_widths * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    indices = np.linalg.solve(grid.affine[:3, :3], (corners - grid.affine[:3, 3]).T)
    last = np.array(grid.shape) - 1
    low = np.clip(np.floor(indices.min(axis=1)), 0, last).astype(int)
    high = np.clip(np.ceil(indices.max(axis=1)), 0, last).astype(int)
    (i, j, k), (ni, nj, nk) = low.tolist(), (high - low + 1).tolist()
    return (i, j, k), (ni, nj, nk)
