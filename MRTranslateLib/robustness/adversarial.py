"""The worst a small, smooth, bounded change of the sources can do, looked for from outside (METHODS 1.6 A2, proposal).

The search asks the generator for translations and sees nothing else. What it finds is a lower bound of the worst case:
a longer search may find more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.inference.slices import stack_slices
from MRTranslateLib.networks.generator import SourceSlices, one_hot
from MRTranslateLib.progress import Progress
from MRTranslateLib.robustness.attack.base import Attack, Budget, Predict, error_score
from MRTranslateLib.robustness.attack.bounds import Bounds
from MRTranslateLib.robustness.attack.score_search import ScoreSearch
from MRTranslateLib.robustness.case import Case

NUM_CONTROL_QUERIES = 3
"""The clean sources and one pair of random fields: what chance alone finds within the same bounds."""
MIDDLE = (0.2, 0.8)
"""Slices are taken from this part of the brain's height."""


class AdversarialSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hard to look.

    Attributes:
        level: 1..5; how far a voxel may change, 1, 2, 4, 8 or 16 of 255.
        num_queries: Translations of the chosen slices.
        num_slices: Slices attacked.
        seed: Of the search.
    """

    level: Annotated[int, msgspec.Meta(ge=1, le=5)] = 4
    num_queries: Annotated[int, msgspec.Meta(ge=3)] = 100
    num_slices: Annotated[int, msgspec.Meta(ge=1)] = 4
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0


class AdversarialResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found; scores are mean absolute differences in the brain of the chosen slices, 0..1.

    Attributes:
        settings: As asked.
        max_change: Largest allowed change of a voxel, 0..1.
        min_psnr_db: Each perturbed source stays at least this close to the clean one.
        min_ssim: The same as structural similarity.
        score: Whether differences are from the unperturbed result (``change``) or the real scan (``error``).
        clean_score: Before; 0 for ``change``.
        random_score: Of the worse of two random fields within the same bounds.
        worst_score: Of what the search found.
        relative: ``worst_score - clean_score`` over the mean of the unperturbed result; 0.1 is 10 %.
        slices: Which of the translated slices were attacked.
        seconds: Time of the search.
    """

    settings: AdversarialSettings
    max_change: float
    min_psnr_db: float
    min_ssim: float
    score: Literal["change", "error"]
    clean_score: float
    random_score: float
    worst_score: float
    relative: float
    slices: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class FoundSlice:
    """The slice that suffered most, all ``(H, W)``, 0..1.

    Attributes:
        source: First source, clean.
        perturbed: The same, perturbed.
        clean: Result for the clean sources.
        worst: Result for the perturbed ones.
    """

    source: NDArray[np.float32]
    perturbed: NDArray[np.float32]
    clean: NDArray[np.float32]
    worst: NDArray[np.float32]


def search_worst_case(
    case: Case, settings: AdversarialSettings, progress: Progress
) -> tuple[AdversarialResult, FoundSlice]:
    """Look for the worst allowed change of the sources of a few slices.

    Args:
        case: Its reference, where there is one, is what results are held against; else the unperturbed result.
        settings: How hard.
        progress: Told of each query as stage ``adversarial``, 0..1; cancels.

    Raises:
        CancelledError: If the caller asks to stop.
    """
    chosen = chosen_slices(case, settings.num_slices)
    rows = case.prepared.indices[chosen]
    job = case.job(case.sources)
    slices = stack_slices(case.generator, job, rows)
    height, width = slices.images.shape[-2:]

    def padded(planes: NDArray[np.generic]) -> Tensor:
        missing = (0, width - planes.shape[2], 0, height - planes.shape[1])
        return functional.pad(torch.from_numpy(planes.astype(np.float32)), missing)[:, None]

    brain = padded(case.brain[rows])
    raw = _predictor(case, slices, settings, progress)
    made = raw(slices.images)
    curve = case.level_curve(Progress(cancelled=progress.cancelled))

    def levelled(predicted: Tensor) -> Tensor:
        return predicted if curve is None else torch.from_numpy(curve(predicted.numpy()))

    def predict(images: Tensor) -> Tensor:
        return levelled(raw(images))

    clean = levelled(made)
    truth = clean if case.reference is None else padded(case.reference[chosen])
    score = error_score(predict, truth, brain)
    bounds = Bounds.of_level(settings.level)

    def attacked(num_queries: int) -> Attack:
        return ScoreSearch().attack(slices.images, brain, score, Budget(num_queries, bounds), seed=settings.seed)

    control, found = attacked(NUM_CONTROL_QUERIES), attacked(settings.num_queries)
    mean = float((clean * brain).sum() / brain.sum().clamp(min=1))
    gain = float((found.score - found.clean_score).mean())
    result = AdversarialResult(
        settings=settings,
        max_change=bounds.linf or 0.0,
        min_psnr_db=bounds.min_psnr_db,
        min_ssim=bounds.min_ssim,
        score="change" if case.reference is None else "error",
        clean_score=float(found.clean_score.mean()),
        random_score=float(control.score.mean()),
        worst_score=float(found.score.mean()),
        relative=gain / mean if mean > 0 else 0.0,
        slices=tuple(int(at) for at in chosen),
        seconds=0.0,
    )
    return result, _worst_slice(case, slices, clean * brain, predict(found.images) * brain, found)


def chosen_slices(case: Case, count: int) -> NDArray[np.intp]:
    """Positions among the translated slices: the one that pictures show, and others evenly from the middle."""
    last = len(case.prepared.indices) - 1
    evenly = np.linspace(MIDDLE[0] * last, MIDDLE[1] * last, count - 1).round().astype(int)
    return np.unique([case.shown_slice, *evenly]).astype(np.intp)


def _predictor(case: Case, slices: SourceSlices, settings: AdversarialSettings, progress: Progress) -> Predict:
    """The generator from outside: images in, the target's channel out; it tells of each question."""
    total = settings.num_queries + NUM_CONTROL_QUERIES + 2
    asked = 0
    device = next(case.generator.parameters()).device
    code = one_hot(case.target, len(slices.images)).to(device)
    others = slices.availability.to(device), slices.height.to(device)

    def predict(images: Tensor) -> Tensor:
        nonlocal asked
        progress.step("adversarial", asked / total)
        asked += 1
        predicted = case.generator.fast_pred(SourceSlices(images.to(device), *others), code)
        return predicted[:, case.target.channel, None].float().clamp(0, 1).cpu()

    return predict


def _worst_slice(case: Case, slices: SourceSlices, clean: Tensor, worst: Tensor, found: Attack) -> FoundSlice:
    height, width = case.brain.shape[1:]
    at = int((found.score - found.clean_score).argmax())
    first, middle = next(iter(case.sources)).channel, slices.images.shape[2] // 2

    def plane(images: Tensor) -> NDArray[np.float32]:
        cropped: NDArray[np.float32] = images[:height, :width].numpy()
        return cropped

    return FoundSlice(
        plane(slices.images[at, first, middle]),
        plane(found.images[at, first, middle]),
        plane(clean[at, 0]),
        plane(worst[at, 0]),
    )
