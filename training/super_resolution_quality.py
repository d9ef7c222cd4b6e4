"""What an acquired low-resolution target gains on people who were not trained on: the rows of the model card.

Each acquisition is imitated from the real high-resolution target (METHODS 3.4 in plane; thick slices are ours), handed
to the library as a file of that resolution would be, and judged against two controls: the translation without it, and
its own interpolation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.load import load_generator, load_super_resolver
from MRTranslateLib.inference.low_resolution import LowResolution, prepare_low_resolution
from MRTranslateLib.inference.prepare import Prepared, prepare
from MRTranslateLib.inference.sources import NamedVolume, load_image
from MRTranslateLib.inference.super_resolution import (
    as_acquired,
    at_full_resolution_scale,
    resolve_slices,
    synthesize_brain,
)
from MRTranslateLib.metrics import peak_signal_noise_ratio, structural_similarity
from MRTranslateLib.models.bundle import Bundle, rewrite_card
from MRTranslateLib.models.components import SuperResolutionQuality
from MRTranslateLib.networks.low_resolution_target import of_brain
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume, from_slices, to_slices
from training.data.cache import CachedScan
from training.data.degradation import acquire_thick_slices, k_space_downsample
from training.evaluation import FLAIR, T1W, T2W, Route

SUPER_RESOLUTION_ROUTES: tuple[Route, ...] = (((T1W,), T2W), ((T1W, T2W), FLAIR))
SUPER_RESOLUTION_PROTOCOL = (
    "People of the val split, prepared as for training, whole volumes. The target is acquired anew from the real one: "
    "pixels by cropping k-space in plane, slices by averaging over a trapezoidal profile without gaps; then normalised "
    "by the 99.5th percentile of its own brain and handed to the library's own steps without registration, as it lies "
    "where the sources lie. Metrics as for the routes, against the real target. Controls: the translation without the "
    "acquired target, and the acquired target interpolated by cubic B-splines and, as the brain lies in nothing, "
    "divided by the share of brain in each voxel (0.25 at least), so that the border does not count against it."
)
SUPER_RESOLUTION_COMMAND = "python -m training super-resolution --model NAME --data FOLDER"


@dataclass(frozen=True)
class Setting:
    """An acquisition: pixels so many times larger, or slices so thick, in mm."""

    in_plane_ratio: int = 1
    slice_thickness_mm: float | None = None


SETTINGS = (Setting(2), Setting(4), Setting(slice_thickness_mm=3.0), Setting(slice_thickness_mm=5.0))


@dataclass(frozen=True)
class _Scores:
    """Of one volume; no lesion value without a drawn lesion."""

    brain: float
    ssim: float
    lesion: float | None


@dataclass(frozen=True)
class _Case:
    """One person at one setting."""

    resolved: _Scores
    synthesis: _Scores
    interpolation: _Scores


def judge_super_resolution(
    bundle: Bundle,
    scans: Sequence[CachedScan],
    routes: Sequence[Route] = SUPER_RESOLUTION_ROUTES,
    settings: Sequence[Setting] = SETTINGS,
    *,
    threads: int,
) -> tuple[SuperResolutionQuality, ...]:
    """A row per route that somebody has and per setting.

    Args:
        bundle: Has a super-resolution branch.
        scans: People of the val split, slices of 1 mm.
        routes: Which translations; those that nobody has are left out.
        settings: Which acquisitions.
        threads: CPU threads.

    Raises:
        ModelError: If the bundle has no super-resolution branch.
        InputError: If nobody has the contrasts of any route.
    """
    bundle.card.require_super_resolution()
    rows = []
    for route in routes:
        fit = [scan for scan in scans if {*route[0], route[1]} <= scan.images.keys()]
        judged = [list(_judge(bundle, scan, route, settings, threads)) for scan in fit]
        rows += [
            _row(route, setting, [cases[index] for cases in judged]) for index, setting in enumerate(settings) if judged
        ]
    if not rows:
        raise InputError("nobody on the val split has the contrasts of any route: give data that the model can use")
    return tuple(rows)


def acquire(truth: NDArray[np.float32], setting: Setting) -> Volume:
    """What a scan of that setting shows of slices ``(S, H, W)`` of 1 mm whose grid is the world's."""
    if setting.slice_thickness_mm is not None:
        thick = acquire_thick_slices(
            torch.from_numpy(truth), slice_spacing_mm=1.0, thickness_mm=setting.slice_thickness_mm, gap_mm=0.0
        )
        affine = np.diag([1.0, 1.0, setting.slice_thickness_mm, 1.0])
        affine[2, 3] = float(thick.centres[0])
        return Volume(np.ascontiguousarray(from_slices(thick.images.numpy())), affine)
    ratio = setting.in_plane_ratio
    padded = np.pad(truth, [(0, 0), *((0, -length % ratio) for length in truth.shape[1:])])
    affine = np.diag([ratio, ratio, 1.0, 1.0])
    affine[:2, 3] = (ratio - 1) / 2
    coarse = k_space_downsample(torch.from_numpy(padded), ratio).numpy()
    return Volume(np.ascontiguousarray(from_slices(coarse)), affine)


def _judge(
    bundle: Bundle, scan: CachedScan, route: Route, settings: Sequence[Setting], threads: int
) -> Iterator[_Case]:
    """The steps of :func:`MRTranslateLib.translate`, with one synthesis for all settings."""
    execution, target = Execution("cpu", "fp32", threads), route[1]
    first, prepared = prepare_scan(bundle, scan, route[0])
    synthetic = synthesize_brain(load_generator(bundle), prepared, target, execution, Progress()).slices
    by_itself = _score(scan, target, in_whole_scan(synthetic[prepared.indices], prepared, scan))
    for setting in settings:
        low = prepare_setting(bundle, scan, target, setting, first, prepared)
        low = at_full_resolution_scale(low, prepared, synthetic)  # for the control too: it is no merit of the branch
        resolved = resolve_slices(
            load_super_resolver(bundle),
            bundle.card.require_super_resolution(),
            prepared,
            low,
            synthetic,
            execution,
            Progress(),
        )
        yield _Case(
            _score(scan, target, in_whole_scan(resolved.slices, prepared, scan)),
            by_itself,
            _score(scan, target, interpolated(low, scan.brain)),
        )


def interpolated(low: LowResolution, brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The control: the acquired target by cubic B-splines, of brain alone.

    Args:
        low: Without surroundings.
        brain: ``(S, H, W)``, slices of 1 mm whose grid is the world's.
    """
    onto = _volume(brain.astype(np.float32))

    def at_slices(array: NDArray[np.float32]) -> torch.Tensor:
        coarse = low.volume.with_array(array)
        fine = to_slices(resample(coarse, onto, transform=low.transform, interpolation="bspline").array)
        return torch.from_numpy(np.ascontiguousarray(fine))

    values = of_brain(at_slices(low.volume.array), at_slices(as_acquired(low, onto)))
    return values.clamp(0, 1).numpy()


def _named(slices: NDArray[np.float32], contrast: Contrast) -> NamedVolume:
    return load_image(_volume(slices), contrast.value)


def _volume(slices: NDArray[np.generic]) -> Volume:
    return Volume(np.ascontiguousarray(from_slices(slices)), np.eye(4))


def prepare_scan(bundle: Bundle, scan: CachedScan, sources: Sequence[Contrast]) -> tuple[NamedVolume, Prepared]:
    """The first source and all of them, ready for the library's steps."""
    images = {contrast: _named(scan.images[contrast].astype(np.float32), contrast) for contrast in sources}
    prepared = prepare(
        images,
        load_image(_volume(scan.brain.astype(np.uint8)), "brain mask", labels=True),
        preprocessing=bundle.card.preprocessing,
        registration="never",
        bias_correction=False,
        progress=Progress(),
    )
    return next(iter(images.values())), prepared


def prepare_setting(
    bundle: Bundle, scan: CachedScan, target: Contrast, setting: Setting, first: NamedVolume, prepared: Prepared
) -> LowResolution:
    """The real target as a scan of that setting would show it, as the library prepares such a scan."""
    truth = scan.images[target].astype(np.float32) / np.float32(255)
    return prepare_low_resolution(
        load_image(acquire(truth, setting), target.value),
        first,
        prepared,
        component=bundle.card.require_super_resolution(),
        target=target,
        registration="never",
        progress=Progress(),
    )


def in_whole_scan(slices: NDArray[np.float32], prepared: Prepared, scan: CachedScan) -> NDArray[np.float32]:
    """Slices of the brain's box ``(len(prepared.indices), H, W)`` in the whole scan, zero elsewhere."""
    right, anterior, superior = prepared.box
    whole = np.zeros(scan.brain.shape, np.float32)
    whole[np.ix_(prepared.indices + superior.start, _range(anterior), _range(right))] = slices
    return whole


def _range(part: slice) -> NDArray[np.intp]:
    return np.arange(part.start, part.stop)


def _score(scan: CachedScan, target: Contrast, values: NDArray[np.float32]) -> _Scores:
    truth, lesion = scan.images[target].astype(np.float32) / 255, scan.lesion > 0
    return _Scores(
        peak_signal_noise_ratio(truth, values, data_range=1.0, mask=scan.brain),
        structural_similarity(truth, values * scan.brain, data_range=1.0, mask=scan.brain),
        peak_signal_noise_ratio(truth, values, data_range=1.0, mask=lesion) if lesion.any() else None,
    )


def _row(route: Route, setting: Setting, cases: Sequence[_Case]) -> SuperResolutionQuality:
    resolved, synthesis, interpolation = (
        _means([getattr(case, name) for case in cases]) for name in ("resolved", "synthesis", "interpolation")
    )
    return SuperResolutionQuality(
        sources=route[0],
        target=route[1],
        split="val",
        in_plane_ratio=setting.in_plane_ratio,
        slice_thickness_mm=setting.slice_thickness_mm,
        num_cases=len(cases),
        num_lesion_cases=sum(case.resolved.lesion is not None for case in cases),
        brain_psnr=resolved.brain,
        brain_ssim=resolved.ssim,
        lesion_psnr=resolved.lesion,
        synthesis_brain_psnr=synthesis.brain,
        synthesis_brain_ssim=synthesis.ssim,
        synthesis_lesion_psnr=synthesis.lesion,
        interpolation_brain_psnr=interpolation.brain,
        interpolation_brain_ssim=interpolation.ssim,
        interpolation_lesion_psnr=interpolation.lesion,
    )


def _means(scores: Sequence[_Scores]) -> _Scores:
    lesions = [score.lesion for score in scores if score.lesion is not None]
    return _Scores(
        round(fmean(score.brain for score in scores), 2),
        round(fmean(score.ssim for score in scores), 4),
        round(fmean(lesions), 2) if lesions else None,
    )


def write_super_resolution(bundle: Bundle, rows: Sequence[SuperResolutionQuality]) -> None:
    """Put rows into the card of a bundle, in place of those it had; its weights stay as they are.

    Raises:
        MRTranslateError: If the card cannot be written.
    """
    rewrite_card(
        bundle,
        super_resolution_quality=tuple(rows),
        super_resolution_protocol=SUPER_RESOLUTION_PROTOCOL,
        super_resolution_command=SUPER_RESOLUTION_COMMAND,
    )
