"""An attack touches what the generator is given and nothing else (METHODS 4.1, rule 5; 4.5)."""

from __future__ import annotations

import copy

import pytest
import torch

from Testing.training.conftest import DISCRIMINATOR, REGISTRATION, tiny_scan
from training.batch import middle_slices
from training.config import config_from_mapping
from training.engine import Run

STAGE = {
    "label_correction": {
        "learning_rate_share": 0.5,
        "start_step": 0,
        "known_motion_affine_level": 1.0,
        "known_motion_elastic_voxels": 1.0,
        "known_motion_of": "target",
    },
    "adversarial": {
        "loss": "binary_cross_entropy",
        "local_labels": "plain",
        "local_weight": 0.05,
        "global_weight": 0.05,
        "gradient_difference": 0.0,
        "learning_rate_share": 0.5,
        "r1_gamma": 0.0,
        "r1_every_steps": 1,
        "attention": {"form": "difficulty", "strength": 0.5, "start_step": 0, "ramp_steps": 1},
    },
    "attack": {
        "attacker": "random",
        "probability": 1.0,
        "consistency": 1.0,
        "num_candidates": 1,
        "max_level": 5,
        "curriculum_steps": 1,
        "epsilon": 0.1,
    },
}


@pytest.fixture
def run(tiny_values, tmp_path):
    values = copy.deepcopy(tiny_values)
    values["data"]["crop_voxels"] = [48, 48]
    values["voxel_stage"]["num_steps"] = 0
    values["networks"] |= {
        "label_correction": REGISTRATION,
        "local_discriminator": DISCRIMINATOR | {"logit_stride_voxels": 8},
        "global_discriminator": DISCRIMINATOR,
    }
    (stage,) = values["stages"]
    values["stages"] = [stage | STAGE]
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2), tiny_scan("sub-c", 3)]
    return Run(config_from_mapping(values, where="test"), scans, tmp_path, data_fingerprint="none", device="cpu")


def test_discriminators_and_label_correction_see_clean_sources_while_the_generator_is_attacked(run):
    run.train_step()  # the curriculum rises from level 0
    clean = run.draw(run.stage_config.optimizer.batch_size)[0]
    expected = middle_slices(clean.slices)[clean.pairs().rows]
    seen = {name: [] for name in ("local_discriminator", "global_discriminator", "label_correction")}
    given = []
    for name, kept in seen.items():
        first = 1 if name == "label_correction" else 0  # the target comes before the sources there
        run.networks[name].register_forward_pre_hook(lambda _, args, kept=kept, first=first: kept.append(args[first]))
    run.generator.register_forward_pre_hook(lambda _, args: given.append(args[0].images))
    run.train_step()
    assert any(not torch.equal(images, clean.slices.images) for images in given)
    for name, kept in seen.items():
        assert kept, name
        assert all(torch.equal(sources, expected) for sources in kept), name
