"""A small, complete model card and its weights, for the tests of models/ and of the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from MRTranslateLib.contrast import Contrast
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
from MRTranslateLib.models.components import AttentionCalibration, Components, LocalDiscriminatorCard


def example_card(name: str = "tiny", version: str = "1.0.0") -> ModelCard:
    return ModelCard(
        schema_version=SCHEMA_VERSION,
        name=name,
        version=version,
        title="An example that translates nothing",
        systems_trained=("supervised",),
        architecture=Architecture(name="unet25d", parameters={"channels": [8, 16], "num_neighbours": 1}),
        sources=(Contrast.T1W, Contrast.T2W, Contrast.FLAIR),
        targets=(Contrast.T2W, Contrast.FLAIR),
        quality=(
            RouteQuality(
                sources=(Contrast.T1W, Contrast.T2W),
                target=Contrast.FLAIR,
                split="val",
                num_cases=4,
                brain_psnr=21.5,
                brain_ssim=0.875,
                lesion_psnr=17.25,
                baseline_brain_psnr=17.0,
                baseline_lesion_psnr=None,
            ),
        ),
        intended_use="Tests.",
        not_for="Anything else.",
        limits=("It has three weights.",),
        preprocessing=Preprocessing(
            percentile=99.5,
            in_plane_spacing_mm=(0.5, 1.0),
            slice_spacing_mm=(1.0, 3.5),
            neighbour_spacing_mm=2.0,
        ),
        value_ranges=ValueRanges(network_input=(0.0, 1.0), network_output=(0.0, 1.0), written_unit=1000.0),
        training_data=(
            TrainingData(name="Nobody's", licence="CC0", attribution="Drawn by a random generator.", num_people=1),
        ),
        training_run=TrainingRun(
            config="seed: 1\n",
            command="python -m training fit none.yaml",
            commit="0" * 40,
            seed=1,
            num_steps=0,
            hours=0.5,
            hardware="none",
            torch_version="2.13.0",
            data_fingerprint="none",
        ),
        metrics_protocol="Brain-masked, by hand.",
        metrics_command="none",
        files={},
    )


def example_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "stem.weight": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "head.bias": random.normal(size=5).astype(np.float32),
        "scale": np.float32(0.5),
    }


def example_components(calibration: AttentionCalibration | None = None, **parameters: object) -> Components:
    """A local discriminator of the smallest size; ``parameters`` replace some of its own."""
    size = {
        "widths": [8, 8, 8, 8],
        "normalization": "group",
        "spectral_norm": False,
        "sees_sources": True,
        "logit_stride_voxels": 8,
    }
    return Components(local_discriminator=LocalDiscriminatorCard(parameters=size | parameters, calibration=calibration))


def write_example(parent: Path, name: str = "tiny", version: str = "1.0.0", seed: int = 0) -> Bundle:
    return write_bundle(parent / name, example_card(name, version), example_tensors(seed))


def zip_example(parent: Path, name: str = "tiny", version: str = "1.0.0", seed: int = 0) -> Path:
    """A zip file in ``parent`` with one bundle in one folder, as `zip -r tiny.zip tiny` makes it."""
    write_example(parent / f"{name}-{version}", name, version, seed)
    return Path(shutil.make_archive(str(parent / f"{name}-{version}"), "zip", parent / f"{name}-{version}", name))
