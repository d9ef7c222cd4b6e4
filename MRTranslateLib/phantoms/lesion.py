"""Lesions in atlas space: where and how large they are is drawn here, their tissue fractions are computed from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.phantoms.atlas import FULL, brain_atlas, brain_depth, ventricle_distance
from MRTranslateLib.phantoms.lattice import Lattice, add_up, random_field
from MRTranslateLib.phantoms.signal import Tissue

Pathology = Literal["none", "glioma", "multiple sclerosis"]
Fractions = dict[Tissue, NDArray[np.float32]]

EDGE_MM = {Tissue.OEDEMA: 5.0, Tissue.NECROSIS: 1.5, Tissue.ENHANCING_TUMOUR: 1.5, Tissue.MS_LESION: 1.5}
"""Width over which a lesion's border passes from none to all; oedema is hazy."""
OEDEMA_AFFINITY = {Tissue.WHITE_MATTER: 1.0, Tissue.GREY_MATTER: 0.15, Tissue.DEEP_GREY_MATTER: 0.5}
"""Oedema spreads along white matter and spares the cortex."""
MS_AFFINITY = {Tissue.WHITE_MATTER: 1.0, Tissue.GREY_MATTER: 0.5, Tissue.DEEP_GREY_MATTER: 0.5}


@dataclass(frozen=True, eq=False)
class Lesions:
    """What a pathology adds to a healthy brain.

    Attributes:
        depth_mm: Per lesion tissue, how deep inside its region a position lies, in mm; negative outside. The enhancing
            tumour's region includes the necrosis in it.
        push_centre_mm: Centre of the mass that displaces the brain around it.
        push_radius_mm: Radius of that mass.
        push_mm: Displacement at that radius; 0 without mass.
    """

    depth_mm: Mapping[Tissue, Lattice] = field(default_factory=dict)
    push_centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    push_radius_mm: float = 1.0
    push_mm: float = 0.0

    def undo_push(self, points_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where in the healthy brain the tissue now at ``points_mm``, shape ``(3, n)``, comes from."""
        if self.push_mm == 0:
            return points_mm
        away = points_mm - np.array(self.push_centre_mm, dtype=np.float32)[:, None]
        squared = np.einsum("dn,dn->n", away, away) / np.float32(self.push_radius_mm**2)
        # r exp((1 - r^2) / 2) peaks at r = 1 with value 1.
        away *= np.float32(self.push_mm / self.push_radius_mm) * np.exp((1 - squared) / 2)
        return points_mm - away


def draw_lesions(rng: np.random.Generator, pathology: Pathology) -> Lesions:
    """Draw the lesions of one person.

    Raises:
        ValueError: If ``pathology`` is unknown.
    """
    makers: dict[str, Callable[[np.random.Generator], Lesions]] = {
        "none": lambda _: Lesions(),
        "glioma": _draw_glioma,
        "multiple sclerosis": _draw_multiple_sclerosis,
    }
    if pathology not in makers:
        raise ValueError(f"pathology must be one of {', '.join(makers)}, got {pathology!r}")
    return makers[pathology](rng)


def apply_lesions(lesions: Lesions, points_mm: NDArray[np.float32], healthy: Fractions) -> Fractions:
    """Put the lesions' tissues into ``healthy`` fractions at ``points_mm``, atlas space, shape ``(3, n)``.

    Fractions keep their sum at every point.
    """
    region = {
        tissue: np.clip(depth.sample(points_mm) / np.float32(EDGE_MM[tissue]) + np.float32(0.5), 0, 1)
        for tissue, depth in lesions.depth_mm.items()
    }
    result = dict(healthy)
    if Tissue.OEDEMA in region:
        _invade(result, Tissue.OEDEMA, region[Tissue.OEDEMA], OEDEMA_AFFINITY)
    if Tissue.MS_LESION in region:
        _invade(result, Tissue.MS_LESION, region[Tissue.MS_LESION], MS_AFFINITY)
    if Tissue.ENHANCING_TUMOUR in region:
        tumour = region[Tissue.ENHANCING_TUMOUR]
        necrosis = np.minimum(region[Tissue.NECROSIS], tumour)
        brain = add_up(healthy.values())
        result = {tissue: fraction * (1 - tumour) for tissue, fraction in result.items()}
        result[Tissue.NECROSIS] = necrosis * brain
        result[Tissue.ENHANCING_TUMOUR] = (tumour - necrosis) * brain
    return result


def _invade(
    fractions: Fractions, tissue: Tissue, coverage: NDArray[np.float32], affinity: Mapping[Tissue, float]
) -> None:
    """Turn the share ``coverage * affinity`` of each host tissue into ``tissue``, in place."""
    fractions[tissue] = np.zeros_like(coverage)
    for host, share in affinity.items():
        taken = fractions[host] * coverage * np.float32(share)
        fractions[host] = fractions[host] - taken
        fractions[tissue] += taken


def _draw_glioma(rng: np.random.Generator) -> Lesions:
    """An irregular mass in white matter: necrotic core, enhancing rim of uneven thickness, oedema around it."""
    white = brain_atlas(2).maps[Tissue.WHITE_MATTER]
    deep_white = _candidates(white, (white.values > 0.8 * FULL) & (_height(white) > -25) & (_side(white) > 16))
    centre = rng.choice(deep_white) + rng.uniform(-1, 1, 3)
    radius = rng.uniform(10, 21)
    axes = rng.uniform(0.75, 1.25, 3)
    rim = rng.uniform(2.5, 5.0)
    swelling = rng.uniform(8, 18)
    coarse = random_field(rng, scale_mm=14, step_mm=4)
    fine = random_field(rng, scale_mm=7, step_mm=2)
    spread = random_field(rng, scale_mm=18, step_mm=4)

    box, points = _box(centre, 2.2 * radius + 2.8 * swelling)
    away = points - centre[:, None]
    distance = np.linalg.norm(away / axes[:, None], axis=0)
    roughness = coarse.sample(points) * (0.22 * radius) + fine.sample(points) * 1.3
    depth = radius - distance + roughness
    # Rim thickness and the reach of oedema vary around the mass.
    necrosis = depth - rim * np.exp(0.5 * spread.sample(points) + 0.35 * fine.sample(points))
    septa = random_field(rng, scale_mm=8, step_mm=2)
    necrosis = np.minimum(necrosis, 3.0 + 2.5 * septa.sample(points))  # strands of living tumour cross the core
    necrosis = np.minimum(necrosis, brain_depth().sample(points) - rim)  # the rim closes below the surface, too
    oedema = depth + swelling * np.clip(0.9 + 0.6 * spread.sample(points) + 0.15 * fine.sample(points), 0.1, 2.2)
    oedema = np.minimum(oedema, np.sign(centre[0]) * points[0] - 1)  # the falx holds it on its side
    levels = {Tissue.OEDEMA: oedema, Tissue.NECROSIS: necrosis, Tissue.ENHANCING_TUMOUR: depth}
    push = rng.uniform(0.12, 0.28) * radius
    x, y, z = (float(value) for value in centre)
    return Lesions({tissue: box(level) for tissue, level in levels.items()}, (x, y, z), 1.15 * radius, push)


def _draw_multiple_sclerosis(rng: np.random.Generator) -> Lesions:
    """Ovoid lesions of a few millimetres, most beside the ventricles and pointing away from them, some elsewhere."""
    white = brain_atlas(2).maps[Tissue.WHITE_MATTER]
    distance = ventricle_distance().values
    white_matter = (white.values > 0.75 * FULL) & (_height(white) > -8)
    beside = _candidates(white, white_matter & (distance > 2) & (distance < 9) & (_side(white) > 8))
    elsewhere = _candidates(white, white_matter & (distance > 9) & (_side(white) > 10))
    roughness = random_field(rng, scale_mm=6, step_mm=2)
    box, points = _box(np.array([0.0, -17.0, 20.0]), 92.0)
    depth = np.full(points.shape[1], -100.0, dtype=np.float32)
    for number in range(rng.integers(10, 26)):
        centre = rng.choice(beside if number % 4 else elsewhere) + rng.uniform(-1, 1, 3)
        short = rng.uniform(1.8, 4.2)
        long = short * rng.uniform(1.2, 2.4)
        # "Dawson's fingers": along the veins, perpendicular to the ventricle, which here is sideways and up.
        axis = np.array([np.sign(centre[0]), 0.0, 0.4]) + rng.normal(0, 0.25, 3)
        near = np.flatnonzero(np.abs(points - centre[:, None]).max(axis=0) < 2 * long)
        away = points[:, near] - centre[:, None]
        along = axis @ away / np.linalg.norm(axis)
        across = np.sqrt(np.maximum((away**2).sum(axis=0) - along**2, 0))
        level = short * (1 - np.hypot(along / long, across / short)) + 0.5 * roughness.sample(points[:, near])
        depth[near] = np.maximum(depth[near], level)
    return Lesions({Tissue.MS_LESION: box(depth)})


def _box(
    centre_mm: NDArray[np.float64], half_width_mm: float
) -> tuple[Callable[[NDArray[Any]], Lattice], NDArray[np.float32]]:
    """Points of a cube on a 2 mm lattice, shape ``(3, n)``, and the function that makes a lattice of values there."""
    count = 2 * int(np.ceil(half_width_mm / 2)) + 1
    origin = centre_mm - (count - 1)
    points = np.indices((count,) * 3, dtype=np.float32).reshape(3, -1) * 2 + origin.astype(np.float32)[:, None]

    def lattice(values: NDArray[Any]) -> Lattice:
        return Lattice(values.astype(np.float32).reshape((count,) * 3), origin, 2.0, outside=-100.0)

    return lattice, points


def _candidates(lattice: Lattice, where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Positions of the lattice points that are true, shape ``(n, 3)``, mm."""
    positions: NDArray[np.float64] = lattice.origin_mm + lattice.step_mm * np.argwhere(where)
    return positions


def _height(lattice: Lattice) -> NDArray[np.float64]:
    """z of each lattice plane, shaped to broadcast."""
    heights: NDArray[np.float64] = np.arange(lattice.values.shape[2]) * lattice.step_mm + lattice.origin_mm[2]
    return heights


def _side(lattice: Lattice) -> NDArray[np.float64]:
    """Distance of each lattice plane from the middle plane, shaped to broadcast."""
    across = np.arange(lattice.values.shape[0]) * lattice.step_mm + lattice.origin_mm[0]
    distance: NDArray[np.float64] = np.abs(across)[:, None, None]
    return distance
