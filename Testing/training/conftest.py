"""Small prepared scans, a small configuration and a small study on disk."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import Phantom, brain_grid, make_phantom
from training.config import TrainingConfig, config_from_mapping
from training.data.cache import CachedScan

REGISTRATION = {
    "widths": [8, 8, 8],
    "bottleneck_width": 8,
    "num_bottleneck_blocks": 1,
    "max_flow_voxels": 4.0,
    "diffeomorphic": False,
}
DISCRIMINATOR = {"widths": [8, 8, 16, 16], "normalization": "group", "spectral_norm": True, "sees_sources": True}
TINY = """
name: tiny
seed: 7
precision: fp32
checkpoint_every_steps: 2
validate_every_steps: 1000
log_every_steps: 1
data: {realign: [], crop_voxels: [32, 32], lesion_fraction: 0.5, source_count_weights: [0.5, 0.3, 0.2]}
augmentation: {mirror_probability: 0.5, geometry_probability: 0.5, rotation_deg: 10.0, scale: 0.1, shift_voxels: 2.0,
               warp_voxels: 1.0, gamma: 0.1, gain: 0.1, bias_field: 0.1, noise: 0.02, blur_probability: 0.3}
generator:
  architecture: unet25d
  parameters: {num_neighbours: 3, widths: [8, 16], detail_width: 8, voxel_width: 8, blocks_per_level: 1,
               level_from_voxels: true}
losses: {lesion: 2.0, level: 1.0, absolute_error: 1.0, squared_error: 1.0, structural_similarity: 0.1}
voxel_stage: {num_steps: 2, voxels_per_scan: 200, batch_voxels: 64, learning_rate: 3.0e-3, frozen_afterwards: true}
networks: {label_correction: null, local_discriminator: null, global_discriminator: null, teacher: null, student: null,
           super_resolution: null, difference_projection: null}
stages:
  - kind: generator
    name: base
    label_correction: null
    adversarial: null
    attack: null
    optimizer: {peak_learning_rate: 3.0e-3, weight_decay: 0.0, num_warmup_steps: 2, num_steps: 8, batch_size: 2,
                gradient_clip_norm: 1.0, ema_decay: 0.9}
"""


@pytest.fixture
def tiny_values() -> dict:
    return copy.deepcopy(yaml.safe_load(TINY))


@pytest.fixture
def tiny_config(tiny_values) -> TrainingConfig:
    return config_from_mapping(tiny_values, where="tiny")


def tiny_scan(case_id: str, seed: int, contrasts=(Contrast.T1W, Contrast.T2W, Contrast.FLAIR)) -> CachedScan:
    """A ball whose contrasts are functions of one smooth image, so that a network can learn them."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (12, 40, 36)], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.8
    tissue = 0.5 + 0.3 * np.sin(3 * grid[1] + rng.normal()) * np.cos(4 * grid[2] + rng.normal())
    made = {Contrast.T1W: tissue, Contrast.T2W: 1 - tissue, Contrast.FLAIR: tissue**2, Contrast.T1W_GD: tissue}
    images = {contrast: (made[contrast] * brain * 255).astype(np.uint8) for contrast in contrasts}
    lesion = np.zeros(brain.shape, np.uint8)
    lesion[6, 18:22, 16:20] = 1
    return CachedScan(case_id, images, brain, lesion, has_lesion_mask=True)


@pytest.fixture
def tiny_scans() -> list[CachedScan]:
    return [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2), tiny_scan("sub-c", 3, (Contrast.T1W, Contrast.FLAIR))]


PARTICIPANTS_HEADER = ("participant_id", "session", "split", "contrasts", "one_grid", "skull_stripped")


def write_person(root: Path, participant: str, split: str, phantom: Phantom) -> None:
    """Add a phantom to a BIDS folder as the open data has it, with its row in ``participants.tsv``."""
    contrasts = "+".join(phantom.volumes)
    table = root / "participants.tsv"
    before = table.read_text() if table.exists() else "\t".join(PARTICIPANTS_HEADER) + "\n"
    table.write_text(before + "\t".join((participant, "n/a", split, contrasts, "true", "yes")) + "\n")
    anat, masks = root / participant / "anat", root / "derivatives" / "masks" / participant / "anat"
    for folder in (anat, masks):
        folder.mkdir(parents=True)
    for contrast, volume in phantom.volumes.items():
        write_volume(anat / f"{participant}_{contrast.bids_suffix}.nii.gz", volume)
    if phantom.labels.array.any():
        write_volume(masks / f"{participant}_label-lesion_dseg.nii.gz", phantom.labels)


@pytest.fixture(scope="session")
def phantoms() -> dict[str, Phantom]:
    """A glioma and a healthy head on 3 mm voxels whose axes point left, back and up."""
    contrasts = (Contrast.T1W, Contrast.T2W, Contrast.FLAIR)
    grid = brain_grid((3, 3, 3), field_of_view_mm=(240, 240, 198))
    return {
        participant: make_phantom(seed, pathology=pathology, grid=grid, contrasts=contrasts)
        for participant, seed, pathology in (("sub-a", 3, "glioma"), ("sub-b", 4, "none"))
    }


@pytest.fixture(scope="session")
def phantom_data(phantoms, tmp_path_factory) -> Path:
    """The phantoms as a BIDS folder, for reading only: sub-a to train, sub-b on the val split."""
    root = tmp_path_factory.mktemp("data")
    for participant, split in (("sub-a", "train"), ("sub-b", "val")):
        write_person(root, participant, split, phantoms[participant])
    return root
