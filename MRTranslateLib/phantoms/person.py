"""One person: what makes a head differ from the average, drawn once, and the tissues found at any point in space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from MRTranslateLib.phantoms.atlas import BRAIN_TISSUES, FULL, brain_atlas, head_atlas
from MRTranslateLib.phantoms.grid import BRAIN_CENTRE_MM
from MRTranslateLib.phantoms.lattice import Lattice, add_up, random_field
from MRTranslateLib.phantoms.lesion import Fractions, Lesions, apply_lesions
from MRTranslateLib.phantoms.signal import RELAXATION_3T, Relaxation, Tissue

VESSEL_WIDTH = 0.16
"""Where two random fields both stay below this, in standard deviations, a vein runs; about 2 mm wide."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What is at ``n`` points in space.

    Attributes:
        fractions: Share of each tissue, 0..1, shape ``(n,)`` each; the sum is at most 1, the rest is air.
        brain: Share of the brain with its CSF, 0..1.
        texture: Unevenness of the tissue, about unit variance.
    """

    fractions: Fractions
    brain: NDArray[np.float32]
    texture: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Person:
    """Everything random about a head.

    Attributes:
        to_atlas: Shape ``(3, 3)``: turns and scales mm around the brain's centre into atlas mm.
        shift_mm: Position of the brain's centre relative to ``BRAIN_CENTRE_MM``.
        bending_mm: Smooth displacement along x, y, z that gives the folds and ventricles their own shape.
        fluid: Weight of CSF against tissue where both share a voxel; above 1 the furrows are wide.
        texture: Fine unevenness of the tissue, unit variance.
        veins: Two fields whose common zeros are veins.
        lesions: What the pathology adds.
        relaxation: Relaxation times of this person's tissues.
    """

    to_atlas: NDArray[np.float64]
    shift_mm: NDArray[np.float64]
    bending_mm: tuple[Lattice, Lattice, Lattice]
    fluid: float
    texture: Lattice
    veins: tuple[Lattice, Lattice]
    lesions: Lesions
    relaxation: Mapping[Tissue, Relaxation]


def draw_person(rng: np.random.Generator, lesions: Lesions) -> Person:
    """Draw a person who has these lesions."""
    # The template is larger than most brains: 145 x 181 x 155 mm.
    scale = np.clip(rng.normal(0.91, 0.02), 0.87, 0.935) * rng.uniform(0.985, 1.015, 3)
    turn = Rotation.from_euler("xyz", rng.normal(0, 2.0, 3), degrees=True).as_matrix()
    x, y, z = (_draw_bending(rng) for _ in range(3))
    relaxation = {tissue: _vary(rng, values) for tissue, values in RELAXATION_3T.items()}
    return Person(
        to_atlas=np.diag(1 / scale) @ turn.T,
        shift_mm=rng.normal(0, 1.0, 3),
        bending_mm=(x, y, z),
        fluid=float(np.exp(rng.normal(0.25, 0.4))),
        texture=random_field(rng, scale_mm=5, step_mm=2.5),
        veins=(random_field(rng, scale_mm=13, step_mm=4), random_field(rng, scale_mm=13, step_mm=4)),
        lesions=lesions,
        relaxation=relaxation,
    )


def anatomy_at(person: Person, points_mm: NDArray[np.float32], *, with_head: bool, step_mm: int) -> Anatomy:
    """What a person has at positions in the scanner.

    Args:
        person: Whose head.
        points_mm: RAS+ mm, float32, shape ``(3, n)``.
        with_head: Whether skull, scalp, face and neck are there; otherwise air surrounds the brain.
        step_mm: Resolution of the atlas that is read, 1 or 2.
    """
    from_centre = points_mm - (BRAIN_CENTRE_MM + person.shift_mm).astype(np.float32)[:, None]
    atlas_mm = person.to_atlas.astype(np.float32) @ from_centre + BRAIN_CENTRE_MM.astype(np.float32)[:, None]
    atlas_mm += np.stack([field.sample(points_mm) for field in person.bending_mm])
    healthy_mm = person.lesions.undo_push(atlas_mm)
    fractions = _brain(person, healthy_mm, step_mm)
    brain = add_up(fractions.values())
    fractions = apply_lesions(person.lesions, atlas_mm, fractions)
    if with_head:
        _add_head(fractions, healthy_mm)
    return Anatomy(fractions, brain, person.texture.sample(atlas_mm))


def _brain(person: Person, healthy_mm: NDArray[np.float32], step_mm: int) -> Fractions:
    """The healthy brain, with this person's share of fluid and with veins in the furrows."""
    maps = brain_atlas(step_mm).maps
    fractions = {tissue: maps[tissue].sample(healthy_mm) / np.float32(FULL) for tissue in BRAIN_TISSUES}
    brain = np.minimum(add_up(fractions.values()), 1)
    fractions[Tissue.CSF] *= np.float32(person.fluid)
    scale = brain / np.maximum(add_up(fractions.values()), np.float32(1e-6))
    fractions = {tissue: fraction * scale for tissue, fraction in fractions.items()}
    first, second = (field.sample(healthy_mm) for field in person.veins)
    vein = np.clip(1 - (first**2 + second**2) / np.float32(VESSEL_WIDTH**2), 0, 1)
    fractions[Tissue.BLOOD] = np.zeros_like(vein)
    for host in (Tissue.CSF, Tissue.GREY_MATTER):
        taken = vein * fractions[host]
        fractions[host] -= taken
        fractions[Tissue.BLOOD] += taken
    return fractions


def _add_head(fractions: Fractions, healthy_mm: NDArray[np.float32]) -> None:
    """Fill what the brain leaves with the tissues of the head, in place."""
    room = 1 - add_up(fractions.values())
    places = np.flatnonzero(room > 0.01)
    for tissue, lattice in head_atlas().maps.items():
        around = np.zeros_like(room)
        around[places] = lattice.sample(healthy_mm[:, places]) * room[places] / np.float32(FULL)
        fractions[tissue] = fractions[tissue] + around if tissue in fractions else around


def _draw_bending(rng: np.random.Generator) -> Lattice:
    """Displacement along one axis in mm: slow bending of the whole, and a wiggle that moves single folds."""
    slow = random_field(rng, scale_mm=45, step_mm=4)
    quick = random_field(rng, scale_mm=13, step_mm=4)
    return Lattice(slow.values * 2.2 + quick.values * 1.2, slow.origin_mm, slow.step_mm)


def _vary(rng: np.random.Generator, relaxation: Relaxation) -> Relaxation:
    """People differ by a few percent."""
    t1, t2 = np.exp(rng.normal(0, 0.03, 2))
    return Relaxation(relaxation.t1_ms * t1, relaxation.t2_ms * t2, relaxation.proton_density)
