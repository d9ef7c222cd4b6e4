"""How far a perturbation may change a result before a report warns, from a model's own errors on people it never saw.

A proposal: METHODS 1.7 measures how results change and states no limit. The triangle inequality gives one a meaning:
for a result ``y``, its perturbed version ``y'`` and the truth ``t``, the mean of ``|y' - t|`` is at most that of
``|y - t|`` plus that of ``|y' - y|``. Below a model's own typical error, a perturbation therefore at most doubles what
has to be expected anyway; above it, the perturbation and not the model decides how far the result may be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.models.bundle import Bundle, rewrite_card
from MRTranslateLib.models.limits import LimitedRegion, RobustnessLimit
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.robustness.regions import region_masks
from training.data.cache import CachedScan
from training.evaluation import Route, predict_slices

EVERY = 8
"""Each such slice of the brain is judged: enough for a mean, and quick."""
SPACING_MM = (1.0, 1.0, 1.0)
"""Of prepared scans, to within 15 %; only the width of the rim hangs on it."""


def derive_limits(
    bundle: Bundle, scans: Sequence[CachedScan], routes: Sequence[Route], *, threads: int, every: int = EVERY
) -> tuple[RobustnessLimit, ...]:
    """The limit of each region: the median own error over people and routes.

    Args:
        bundle: Whose generator is judged.
        scans: People of the val split.
        routes: Which translations; those that the bundle does not offer or nobody has are left out.
        threads: CPU threads.
        every: Judge each ``every``-th slice only.

    Returns:
        For the brain, then those of lesion, rim and healthy remainder for which somebody has a drawn lesion.

    Raises:
        InputError: If nobody has the contrasts of any route.
        ModelError: If the weights do not fit.
    """
    torch.set_num_threads(threads)
    generator = load_generator(bundle)
    errors: dict[LimitedRegion, list[float]] = {region: [] for region in get_args(LimitedRegion)}
    people, with_lesion, judged = set(), set(), set()
    for scan in scans:
        regions = _regions(scan)
        for route in (route for route in routes if {*route[0], route[1]} <= scan.images.keys()):
            if not bundle.card.offers(*route):
                continue
            measured = own_errors(generator, scan, route, regions, every=every)
            for region in errors.keys() & measured.keys():
                errors[region].append(measured[region])
            people.add(scan.case_id)
            judged.add(route)
            if "lesion" in measured:
                with_lesion.add(scan.case_id)
    if not people:
        raise InputError(
            "nobody on the val split has the contrasts of any route: give data that the model can translate"
        )
    told = _derivation(len(people), len(with_lesion), len(judged), every)
    return tuple(
        RobustnessLimit(region=region, max_relative_change=_rounded(np.median(values)), derived_from=told)
        for region, values in errors.items()
        if values
    )


def own_errors(
    generator: Generator, scan: CachedScan, route: Route, regions: dict[str, NDArray[np.bool_]], *, every: int
) -> dict[str, float]:
    """Mean absolute error per region over the translation's mean in it, as a robustness run measures changes.

    Args:
        generator: In evaluation mode.
        scan: Has the route's contrasts.
        route: Sources and target.
        regions: Masks of the whole scan; those that miss the judged slices, or where the result is 0, are left out.
        every: Judge each ``every``-th slice that holds brain.
    """
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))[::every]
    synthetic = predict_slices(generator, scan, route, indices)
    truth = scan.images[route[1]][indices].astype(np.float32) / np.float32(255)
    errors = {}
    for name, mask in regions.items():
        inside = mask[indices]
        mean = float(synthetic[inside].mean(dtype=np.float64)) if inside.any() else 0.0
        if mean > 0:
            errors[name] = float(np.abs(synthetic - truth)[inside].mean(dtype=np.float64)) / mean
    return errors


def write_limits(bundle: Bundle, limits: Sequence[RobustnessLimit]) -> None:
    """Put limits into the card of a bundle, in place of those it had; its weights stay as they are.

    Raises:
        MRTranslateError: If the card cannot be written.
    """
    rewrite_card(bundle, robustness_limits=tuple(limits))


def _regions(scan: CachedScan) -> dict[str, NDArray[np.bool_]]:
    """The regions that have limits; the lesion's only where one was drawn inside the brain."""
    drawn = scan.has_lesion_mask and bool((scan.lesion[scan.brain] > 0).any())
    masks = region_masks(scan.brain, scan.lesion if drawn else None, SPACING_MM)
    return {name: mask for name, mask in masks.items() if name in get_args(LimitedRegion)}


def _rounded(value: np.floating) -> float:
    """Three digits after the point, never 0: a card's limit is above it."""
    return max(round(float(value), 3), 0.001)


def _derivation(num_people: int, num_with_lesion: int, num_routes: int, every: int) -> str:
    return (
        f"median over validation people ({num_people}, of whom {num_with_lesion} with a drawn lesion) and routes "
        f"({num_routes}) of the mean absolute difference between translation and real scan over the "
        f"translation's mean in the region (one slice in {every}): a larger change can outweigh the model's own "
        "typical error."
    )
