"""Gives a model bundle a second generator for the routes on which it is better than the first.

One generator for every route is a compromise: most of what it learns from are slices with several sources, and a lesion
that a single source hardly shows is a rare case to it. A second one that learned from such slices alone costs a file in
the bundle and no time at inference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.card import RouteQuality
from MRTranslateLib.models.components import SpecialistCard
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.networks.level_model import LevelModel
from MRTranslateLib.networks.specialised import SpecialisedGenerator
from training.bundle_component import write_with_component
from training.checkpoint import Checkpoint
from training.evaluation import Route
from training.export import (
    all_routes,
    shipped_generator,
    title_of,
    training_run_of,
    with_levels,
    without_refined,
)
from training.mean_weights import learned, load_mean


def learned_routes(checkpoint: Checkpoint) -> tuple[Route, ...]:
    """The routes from the sets of sources that a run's configuration names; all where it names none."""
    sets = {frozenset(names) for names in checkpoint.config.data.source_sets}
    return tuple(route for route in all_routes() if not sets or frozenset(route[0]) in sets)


def routes_of_targets(rows: Sequence[RouteQuality], targets: Collection[Contrast]) -> tuple[Route, ...]:
    """Measured routes whose results a new level changes, with the source that tells it or not."""
    return tuple((row.sources, row.target) for row in rows if row.target in targets)


def add_specialist(
    bundle: Bundle,
    generator: Generator,
    checkpoint: Checkpoint,
    folder: Path,
    routes: Sequence[Route],
    *,
    version: str,
    command: str,
    hardware: str,
    levels: Sequence[LevelModel] = (),
    quality: Sequence[RouteQuality] = (),
    replace: bool = False,
) -> Bundle:
    """Write a bundle again with a specialist; see :func:`write_bundle` for errors.

    Args:
        bundle: What is added to; a specialist that it has is replaced.
        generator: The specialist, see :func:`mean_generator`.
        checkpoint: Of the run that trained it.
        folder: Of the new bundle, named like the old one; it may be the old one's.
        routes: What the specialist translates.
        version: Of the new bundle.
        command: That trained the specialist.
        hardware: In words, that it was trained on.
        levels: How bright targets are, in place of what the bundle has; none leaves that as it is.
        quality: Rows of ``routes``; those that the card has of other routes stay, and so does the baseline of its
            rows where these have none.
        replace: Take the place of a bundle that lies there.
    """
    card, inner = bundle.card, checkpoint.config.generator
    specialist = SpecialistCard(
        architecture=Architecture(name=inner.architecture, parameters=inner.parameters),
        routes=tuple(CardRoute(sources=sources, target=target) for sources, target in routes),
        training_run=training_run_of(checkpoint, command=command, hardware=hardware),
    )
    architecture = with_levels(without_refined(card.architecture, routes), levels)
    return write_with_component(
        bundle,
        "specialist",
        specialist,
        generator,
        folder,
        replace=replace,
        title=title_of(architecture, specialist),
        version=version,
        architecture=architecture,
        quality=_joined(card.quality, quality),
    )


def joined_generator(bundle: Bundle, specialist: Generator, routes: Sequence[Route]) -> Generator:
    """What a bundle's generator becomes with a specialist, before any level; shares their weights."""
    general = load_generator(bundle)
    if isinstance(general, SpecialisedGenerator):
        general = general.general
    joined = SpecialisedGenerator(general, specialist, routes)
    joined.levels = ()
    return joined.eval()


def mean_generator(checkpoint: Checkpoint, folders: Sequence[Path]) -> Generator:
    """The generator of a run's configuration with the mean of the weights that several runs and bundles have learned.

    Raises:
        InputError: If a folder holds no readable checkpoint.
        ModelError: If one is a bundle that is damaged.
        ConfigError: If one has another architecture or size.
    """
    generator = shipped_generator(checkpoint, with_student=False)
    load_mean(generator, "generator", [learned(folder) for folder in folders])
    return generator


def _joined(former: Sequence[RouteQuality], measured: Sequence[RouteQuality]) -> tuple[RouteQuality, ...]:
    """Rows in the order of the former ones, new ones in their places, surplus ones behind."""
    rows = {(row.sources, row.target): row for row in former}
    for row in measured:
        before = rows.get((row.sources, row.target))
        if before is not None and row.baseline_brain_psnr is None:
            row = msgspec.structs.replace(
                row,
                baseline_brain_psnr=before.baseline_brain_psnr,
                baseline_lesion_psnr=before.baseline_lesion_psnr,
            )
        rows[row.sources, row.target] = row
    return tuple(rows.values())
