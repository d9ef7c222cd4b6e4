"""The uncertainty map's calibration where the target was also acquired at low resolution: tables of their own.

An acquired target takes away most of the error that no perturbation of the sources shows, so the tables of translations
would be far too wide. It costs more per slice, as every judged one needs the synthesis of its surroundings: a block of
each brain is judged, one acquisition after the other from the same syntheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_generator, load_super_resolver
from MRTranslateLib.inference.low_resolution import LowResolution
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.slices import SliceJob
from MRTranslateLib.inference.super_resolution import at_full_resolution_scale, resolve_slices, synthesize_brain
from MRTranslateLib.inference.uncertainty import SEED
from MRTranslateLib.models.bundle import Bundle
from MRTranslateLib.models.components import acquisition_in_words
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty
from MRTranslateLib.progress import Progress
from MRTranslateLib.uncertainty.resolved_spread import ResolvedSpread, source_noise, synthesis_variants
from MRTranslateLib.uncertainty.signal import error_signal
from training.data.cache import CachedScan
from training.evaluation import Route
from training.super_resolution_quality import (
    SETTINGS,
    SUPER_RESOLUTION_ROUTES,
    Setting,
    in_whole_scan,
    prepare_scan,
    prepare_setting,
)
from training.uncertainty_calibration import (
    Case,
    UncertaintyEvidence,
    calibrate_target,
    case_of,
    judge_uncertainty,
)

HEIGHTS = (0.55, 0.4, 0.7)
"""Of the middle of the block in the brain, from below: one per person, in turn."""
JUDGED = (-8, -4, 0, 4, 8)
"""Slices about the middle; where thick slices of 3 or 5 mm begin differs among them."""
SURROUNDINGS = 12
"""Slices on either side of the outermost: what the thick slices that reach into it average, and its neighbours."""


def judge_every_uncertainty(
    bundle: Bundle, scans: Sequence[CachedScan], routes: Sequence[Route], *, threads: int
) -> UncertaintyEvidence:
    """As :func:`judge_uncertainty`, and with an acquired low-resolution target where the bundle takes one."""
    evidence = judge_uncertainty(bundle, scans, routes, threads=threads)
    if bundle.card.components.super_resolution is None:
        return evidence
    return replace(evidence, low_resolution=judge_low_resolution_uncertainty(bundle, scans, threads=threads))


def judge_low_resolution_uncertainty(
    bundle: Bundle,
    scans: Sequence[CachedScan],
    routes: Sequence[Route] = SUPER_RESOLUTION_ROUTES,
    settings: Sequence[Setting] = SETTINGS,
    *,
    threads: int,
) -> tuple[LowResolutionUncertainty, ...]:
    """Measure the map and fit a table per target and acquisition.

    Args:
        bundle: Has a super-resolution branch.
        scans: People of the val split, slices of 1 mm.
        routes: Which translations; those that nobody has are left out.
        settings: Which acquisitions.
        threads: CPU threads.

    Raises:
        ModelError: If the bundle has no super-resolution branch.
    """
    bundle.card.require_super_resolution()
    judged: dict[Route, list[list[Case]]] = {}
    for route in routes:
        fit = [(place, scan) for place, scan in enumerate(scans) if {*route[0], route[1]} <= scan.images.keys()]
        if fit:
            judged[route] = [
                _judge(bundle, scan, route, settings, HEIGHTS[place % len(HEIGHTS)], threads) for place, scan in fit
            ]
    rows = []
    for target in dict.fromkeys(target for _, target in judged):
        for number, setting in enumerate(settings):
            cases = {
                route: [of_scan[number] for of_scan in scans_cases]
                for route, scans_cases in judged.items()
                if route[1] == target
            }
            rows.append(_calibrated(cases, setting))
    return tuple(rows)


def _calibrated(cases: dict[Route, list[Case]], setting: Setting) -> LowResolutionUncertainty:
    named = acquisition_in_words(setting.in_plane_ratio, setting.slice_thickness_mm)
    table, quality = calibrate_target(cases, acquired=named)
    return LowResolutionUncertainty(
        in_plane_ratio=setting.in_plane_ratio,
        slice_thickness_mm=setting.slice_thickness_mm,
        calibration=table,
        quality=tuple(quality),
    )


def _judge(
    bundle: Bundle, scan: CachedScan, route: Route, settings: Sequence[Setting], height: float, threads: int
) -> list[Case]:
    """One person, a case per setting: the steps of the library on a block of the brain."""
    execution, target, silent = Execution("cpu", "fp32", threads), route[1], Progress()
    generator, resolver = load_generator(bundle), load_super_resolver(bundle)
    component = bundle.card.require_super_resolution()
    first, whole = prepare_scan(bundle, scan, route[0])
    prepared = block_of(whole, height)
    lows = [within(prepared, prepare_setting(bundle, scan, target, each, first, whole)) for each in settings]
    synthetic = synthesize_brain(generator, prepared, target, execution, silent).slices
    results, spreads = [], []
    for low in lows:
        scaled = at_full_resolution_scale(low, prepared, synthetic)
        made = resolve_slices(resolver, component, prepared, scaled, synthetic, execution, silent).slices
        results.append(made)
        spreads.append(ResolvedSpread(resolver, component, low, prepared, made))
    noise = source_noise(prepared)
    for variant in synthesis_variants(generator, prepared, target, noise, execution, silent, seed=SEED):
        for spread in spreads:
            spread.add(variant, execution, silent)
    job, indices = SliceJob.of(prepared, target), prepared.indices + prepared.box[2].start
    cases = []
    for made, spread in zip(results, spreads, strict=True):
        signal = error_signal(spread.spread(noise), job, made)
        shown, doubted = (in_whole_scan(each, prepared, scan)[indices] for each in (made, signal))
        cases.append(case_of(scan, route, indices, shown, doubted))
    return cases


def block_of(prepared: Prepared, height: float) -> Prepared:
    """A part of the slices, of which a few are to be translated.

    Args:
        prepared: A whole brain at 1 mm.
        height: Of the block's middle in the brain, 0 is below, 1 above.
    """
    lowest, highest = prepared.brain_range
    judged = round(lowest + height * (highest - lowest)) + np.array(JUDGED)
    judged = judged[(judged >= lowest) & (judged <= highest)]
    num_slices = len(next(iter(prepared.slices.values())))
    begin, end = max(int(judged[0]) - SURROUNDINGS, 0), min(int(judged[-1]) + SURROUNDINGS + 1, num_slices)
    right, anterior, superior = prepared.box
    return replace(
        prepared,
        slices={contrast: slices[begin:end] for contrast, slices in prepared.slices.items()},
        indices=(judged - begin).astype(np.intp),
        indices_in_output=(judged + superior.start).astype(np.intp),
        brain_range=(lowest - begin, highest - begin),
        box=(right, anterior, slice(superior.start + begin, superior.start + end)),
    )


def within(prepared: Prepared, low: LowResolution) -> LowResolution:
    """The slices of an acquired axial target that lie in a block of a scan whose grid is the world's."""
    part = prepared.box[2]
    centres = low.volume.affine[2, 3] + low.volume.affine[2, 2] * np.arange(low.volume.shape[2])
    half = low.volume.spacing_mm[2] / 2
    inside: NDArray[np.intp] = np.flatnonzero(
        (centres - half >= part.start - 0.5) & (centres + half <= part.stop - 0.5)
    )
    affine = low.volume.affine.copy()
    affine[2, 3] = centres[inside[0]]
    array = np.ascontiguousarray(low.volume.array[:, :, inside[0] : inside[-1] + 1])
    return replace(low, volume=replace(low.volume, array=array, affine=affine))
