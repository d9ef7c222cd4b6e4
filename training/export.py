"""A finished run as a bundle: averaged weights in fp16, and a card with what the library itself measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from MRTranslateLib.inference.translate import translate
from MRTranslateLib.models.bundle import Bundle, write_bundle
from MRTranslateLib.models.card import (
    SCHEMA_VERSION,
    Architecture,
    ModelCard,
    Preprocessing,
    RouteQuality,
    TrainingData,
    TrainingRun,
    ValueRanges,
)
from MRTranslateLib.preprocessing.normalization import BRAIN_PERCENTILE, SYNTHETIC_UNITS
from MRTranslateLib.volume import Volume, from_slices, to_slices
from training.checkpoint import Checkpoint
from training.config import TRAINED_CONTRASTS
from training.data.cache import CachedScan
from training.evaluation import Predict, Route, RouteScore

METRICS_PROTOCOL = (
    "People of the val split, native thick slices first registered and sampled on one 1 mm grid; whole volumes through "
    "the library's own pipeline; sources and reference divided by the 99.5th percentile of their brain and clipped to "
    "0..1; the prediction never rescaled; PSNR with data range 1 over the voxels of the brain (any contrast above 1 % "
    "of its own range, holes filled; of native scans as the library extracts it) or of the drawn lesions; 3D Gaussian "
    "SSIM (sigma 1.5) averaged in the brain; mean over people. The baseline is a per-voxel gradient-boosted "
    "regression (intensity at three Gaussian scales, and height) trained on the same split, judged in the same way."
)
LIMITS = (
    "Trained on 17 people with glioma or multiple sclerosis: expect less on other diseases, children and scanners.",
    "A lesion that no source shows cannot appear in the result, and a contrast-enhancing rim cannot be inferred: a "
    "synthetic T1wGd does not show whether a tumour enhances.",
    "Small lesions, vessels and sulci come out smoother than they are.",
    "Only the brain is translated; skull, scalp and eyes are left out.",
    "PDw is not offered: nobody in the training data has it.",
)
TRAINING_DATA = (
    TrainingData(
        name="RSNA-ASNR-MICCAI-BraTS-2021 with TCGA-LGG and TCGA-GBM, The Cancer Imaging Archive",
        licence="CC BY 4.0 (BraTS-2021), CC BY 3.0 (TCGA-LGG, TCGA-GBM)",
        attribution="Baid et al. 2021; Menze et al., IEEE TMI 2015; Bakas et al., Scientific Data 2017",
        num_people=11,
    ),
    TrainingData(
        name="3D MR image database of multiple sclerosis patients, Laboratory of Imaging Technologies, Ljubljana",
        licence="CC BY",
        attribution="Lesjak et al., Neuroinformatics 2018",
        num_people=4,
    ),
    TrainingData(
        name="MSLesSeg, ICPR 2024 competition", licence="CC BY 4.0", attribution="Guarnera et al.", num_people=2
    ),
)


def all_routes() -> tuple[Route, ...]:
    """Every non-empty subset of the trained contrasts to every other one of them."""
    return tuple(
        (sources, target)
        for count in range(1, len(TRAINED_CONTRASTS))
        for sources in combinations(TRAINED_CONTRASTS, count)
        for target in TRAINED_CONTRASTS
        if target not in sources
    )


def export_bundle(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    version: str,
    command: str,
    hardware: str,
    quality: Sequence[RouteQuality] = (),
    replace: bool = False,
) -> Bundle:
    """Write the averaged weights of a run as a bundle named like ``folder``; see :func:`write_bundle` for errors.

    Args:
        checkpoint: What is exported.
        folder: Of the bundle; its last part is the model's name.
        version: ``major.minor.patch``.
        command: That trained it.
        hardware: In words, that it was trained on.
        quality: Measured rows of the card.
        replace: Take the place of an existing bundle.
    """
    config = checkpoint.config
    card = ModelCard(
        schema_version=SCHEMA_VERSION,
        name=folder.name,
        version=version,
        title="Any subset of T1w, T1wGd, T2w, FLAIR of the brain to the missing one of them (2.5D U-Net)",
        systems_trained=("supervised",),
        architecture=Architecture(name=config.generator.architecture, parameters=config.generator.parameters),
        sources=TRAINED_CONTRASTS,
        targets=TRAINED_CONTRASTS,
        quality=tuple(quality),
        intended_use="Research on contrast translation of adult brain-MRI with glioma or multiple sclerosis.",
        not_for="Diagnosis, treatment planning, or any decision about a patient.",
        limits=LIMITS,
        preprocessing=Preprocessing(
            percentile=BRAIN_PERCENTILE,
            in_plane_spacing_mm=(0.85, 1.2),
            slice_spacing_mm=(0.85, 1.2),
            neighbour_spacing_mm=1.0,
        ),
        value_ranges=ValueRanges(network_input=(0.0, 1.0), network_output=(0.0, 1.0), written_unit=SYNTHETIC_UNITS),
        training_data=TRAINING_DATA,
        training_run=TrainingRun(
            config=yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False),
            command=command,
            commit=checkpoint.commit,
            seed=config.seed,
            num_steps=checkpoint.step,
            hours=round(checkpoint.seconds / 3600, 2),
            hardware=hardware,
            torch_version=str(torch.__version__),
            data_fingerprint=checkpoint.data_fingerprint,
        ),
        metrics_protocol=METRICS_PROTOCOL,
        metrics_command="python -m training evaluate --model NAME --data FOLDER",
        files={},
    )
    tensors = {name: values.numpy() for name, values in checkpoint.averaged["generator"].items()}
    return write_bundle(folder, card, tensors, replace=replace)


def library_predict(bundle: Bundle, *, threads: int) -> Predict:
    """The shipped way from sources to result, as :func:`training.evaluation.score_routes` wants it."""

    def predict(scan: CachedScan, route: Route, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        def volume(slices: NDArray[np.generic]) -> Volume:
            return Volume(np.ascontiguousarray(from_slices(slices)), np.eye(4))

        result = translate(
            {contrast: volume(scan.images[contrast]) for contrast in route[0]},
            route[1],
            brain_mask=volume(scan.brain.astype(np.uint8)),
            model=bundle.folder,
            device="cpu",
            threads=threads,
        )
        values = to_slices(result.volume.array)[indices].astype(np.float32) / np.float32(SYNTHETIC_UNITS)
        return values.clip(0, 1)

    return predict


def quality_rows(scores: Sequence[RouteScore], baseline: Sequence[RouteScore]) -> tuple[RouteQuality, ...]:
    """Scores of whole volumes on the val split as rows of the card, beside the baseline's where it was measured."""
    bars = {score.route: score for score in baseline}
    rows = []
    for score in scores:
        bar = bars.get(score.route)
        if score.brain_ssim is None:
            raise ValueError("rows of a card are measured on whole volumes: score with every=1")
        rows.append(
            RouteQuality(
                sources=score.route[0],
                target=score.route[1],
                split="val",
                num_cases=score.num_cases,
                brain_psnr=round(score.brain_psnr, 2),
                brain_ssim=round(score.brain_ssim, 4),
                lesion_psnr=None if score.lesion_psnr is None else round(score.lesion_psnr, 2),
                baseline_brain_psnr=None if bar is None else round(bar.brain_psnr, 2),
                baseline_lesion_psnr=None if bar is None or bar.lesion_psnr is None else round(bar.lesion_psnr, 2),
            )
        )
    return tuple(rows)
