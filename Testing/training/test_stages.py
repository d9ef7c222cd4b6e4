"""Stages: every component learns in its place, reaches only what it may, and resumes exactly."""

from __future__ import annotations

import copy
import csv

import numpy as np
import pytest
import torch

from Testing.training.conftest import tiny_scan
from training.config import ConfigError, config_from_mapping
from training.engine import Run

REGISTRATION = {
    "widths": [8, 8, 8],
    "bottleneck_width": 8,
    "num_bottleneck_blocks": 1,
    "max_flow_voxels": 4.0,
    "diffeomorphic": False,
}
DISCRIMINATOR = {"widths": [8, 8, 16, 16], "normalization": "group", "spectral_norm": True, "sees_sources": True}
STUDENT = {"registration": REGISTRATION, "max_residual": 0.1}
SUPER_RESOLUTION = {
    "ratios": [1, 2, 4],
    "num_neighbours": 1,
    "widths": [16, 8, 8],
    "heads": [2, 1, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 4,
    "blocks_per_scale": 1,
    "modulation_width": 8,
    "deformable_stride": 2,
}
NETWORKS = {
    "label_correction": REGISTRATION,
    "local_discriminator": DISCRIMINATOR | {"logit_stride_voxels": 8},
    "global_discriminator": DISCRIMINATOR,
    "teacher": STUDENT | {"with_sources": True},
    "student": STUDENT,
    "super_resolution": SUPER_RESOLUTION,
    "difference_projection": 4,
}
LABEL_CORRECTION = {
    "learning_rate_share": 0.5,
    "start_step": 1,
    "known_motion_affine_level": 1.0,
    "known_motion_elastic_voxels": 1.0,
    "known_motion_of": "target",
}
ATTENTION = {"form": "difficulty", "strength": 0.5, "start_step": 0, "ramp_steps": 1}
ADVERSARIAL = {
    "loss": "binary_cross_entropy",
    "local_labels": "plain",
    "local_weight": 0.05,
    "global_weight": 0.05,
    "gradient_difference": 0.05,
    "learning_rate_share": 0.5,
    "r1_gamma": 1.0,
    "r1_every_steps": 2,
    "attention": ATTENTION,
}
ATTACK = {
    "attacker": "worst_of_k",
    "probability": 0.7,
    "consistency": 1.0,
    "num_candidates": 2,
    "max_level": 2,
    "curriculum_steps": 2,
    "epsilon": 0.03,
}


def stage_values(kind, optimizer, **changes):
    common = {"kind": kind, "name": kind, "optimizer": optimizer | {"num_steps": 3, "num_warmup_steps": 1}}
    of_kind = {
        "generator": {"label_correction": None, "adversarial": None, "attack": None},
        "refine": {
            "generator_learning_rate_share": 0.0,
            "generator_gradient": 0.0,
            "teacher_steps": 1,
            "teacher": "real",
            "attack": None,
        },
        "super_resolution": {
            "ratios": [2, 4],
            "slice_thickness_mm": [3.0],
            "distinction": 10.0,
            "feature_matching": 1.0,
            "adversarial": 0.01,
        },
    }
    return common | of_kind[kind] | changes


@pytest.fixture
def make_run(tiny_values, tmp_path):
    """A run of the given stages on two balls; every network is there."""

    def make(*stages, folder="run", **changes):
        values = copy.deepcopy(tiny_values)
        optimizer = values["stages"][0]["optimizer"]
        values["networks"] = NETWORKS
        values["data"]["crop_voxels"] = [48, 48]
        values["stages"] = [stage_values(stage.pop("kind"), optimizer, **stage) for stage in copy.deepcopy(stages)]
        config = config_from_mapping(values | changes, where="test")
        scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2), tiny_scan("sub-c", 3)]
        return Run(config, scans, tmp_path / folder, data_fingerprint="none", device="cpu")

    return make


def weights_of(run):
    return {name: copy.deepcopy(network.state_dict()) for name, network in run.networks.items()}


def changed(before, run):
    return {
        name
        for name, network in run.networks.items()
        if any(not torch.equal(values, before[name][key]) for key, values in network.state_dict().items())
    }


@pytest.mark.parametrize(
    ("stage", "trained"),
    [
        ({"kind": "generator"}, {"generator"}),
        ({"kind": "generator", "label_correction": LABEL_CORRECTION}, {"generator", "label_correction"}),
        (
            {"kind": "generator", "label_correction": LABEL_CORRECTION | {"known_motion_of": "translation"}},
            {"generator", "label_correction"},
        ),
        (
            {"kind": "generator", "adversarial": ADVERSARIAL},
            {"generator", "local_discriminator", "global_discriminator"},
        ),
        (
            {"kind": "generator", "adversarial": ADVERSARIAL | {"global_weight": 0.0}},
            {"generator", "local_discriminator"},
        ),
        (
            {"kind": "generator", "adversarial": ADVERSARIAL | {"local_labels": "error_aware"}},
            {"generator", "local_discriminator", "global_discriminator"},
        ),
        ({"kind": "generator", "attack": ATTACK}, {"generator"}),
        ({"kind": "generator", "attack": ATTACK | {"attacker": "score_search", "num_candidates": 4}}, {"generator"}),
        ({"kind": "generator", "attack": ATTACK | {"attacker": "perturbation_generator"}}, {"generator"}),
        ({"kind": "generator", "attack": ATTACK | {"attacker": "random"}}, {"generator"}),
        ({"kind": "refine"}, {"teacher", "student"}),
        ({"kind": "refine", "teacher": "none"}, {"student"}),
        (
            {"kind": "refine", "generator_learning_rate_share": 0.1, "generator_gradient": 0.1},
            {"teacher", "student", "generator"},
        ),
        ({"kind": "super_resolution"}, {"super_resolution", "difference_projection"}),
    ],
)
def test_a_stage_changes_its_own_networks_and_no_other(make_run, stage, trained):
    run = make_run(stage)
    before = weights_of(run)
    for _ in range(3):
        run.train_step()
    assert changed(before, run) == trained


def test_the_whole_schedule_runs_in_order_and_logs_each_stage(make_run, tmp_path):
    run = make_run(
        {"kind": "generator", "name": "base", "label_correction": LABEL_CORRECTION},
        {"kind": "generator", "name": "adversarial", "adversarial": ADVERSARIAL},
        {"kind": "generator", "name": "robust", "adversarial": ADVERSARIAL, "attack": ATTACK},
        {"kind": "refine", "name": "refine"},
        {"kind": "super_resolution", "name": "finer"},
    )
    run.fit()
    assert run.step == 15
    for name in ("base", "adversarial", "robust", "refine", "finer"):
        with (tmp_path / "run" / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 3
        assert all(np.isfinite(float(row["loss"])) for row in rows)


@pytest.mark.parametrize("stopped_at", [2, 3, 5, 7])
def test_a_run_resumed_in_any_stage_equals_an_uninterrupted_one_bit_for_bit(make_run, stopped_at):
    stages = (
        {"kind": "generator", "label_correction": LABEL_CORRECTION, "adversarial": ADVERSARIAL, "attack": ATTACK},
        {"kind": "refine", "generator_learning_rate_share": 0.1, "generator_gradient": 0.1},
        {"kind": "super_resolution"},
    )
    whole = make_run(*stages, folder="whole")
    whole.fit()
    first = make_run(*stages, folder="stopped")
    first.folder.mkdir()
    first._learn_voxels()
    first._freeze()
    for _ in range(stopped_at):
        ends = first.stage_step == 2
        first.train_step()
        first.stage = None if ends else first.stage
    first.save()
    resumed = make_run(*stages, folder="stopped")
    resumed.resume()
    resumed.fit()
    assert resumed.step == whole.step
    for kept in ("networks", "averaged"):
        mine, other = (getattr(run, kept).state_dict() for run in (resumed, whole))
        assert [name for name in other if not torch.equal(mine[name], other[name])] == []


def test_the_result_is_refined_once_a_student_has_been_trained(make_run):
    run = make_run({"kind": "generator"}, {"kind": "refine"})
    run.fit()
    assert type(run.result).__name__ == "RefinedGenerator"
    early = make_run({"kind": "generator"}, {"kind": "refine"}, folder="early")
    for _ in range(3):
        early.train_step()
    assert type(early.result).__name__ == "UNetGenerator"


def test_the_shuffled_teacher_learns_from_the_target_of_another_person(make_run):
    # Its loss against the wrong target is much larger than that of the real teacher at the same step.
    losses = {}
    for teacher in ("real", "shuffled"):
        run = make_run({"kind": "refine", "teacher": teacher}, folder=teacher)
        losses[teacher] = run.train_step()["teacher_absolute_error"]
    assert losses["shuffled"] != losses["real"]


def test_a_stage_without_its_network_is_refused_by_name(make_run):
    with pytest.raises(ConfigError, match=r"stage refine needs networks\.teacher"):
        make_run({"kind": "refine"}, networks=NETWORKS | {"teacher": None})


def test_attention_by_difficulty_needs_a_probabilistic_discriminator(make_run):
    with pytest.raises(ConfigError, match="attention by difficulty needs loss binary_cross_entropy"):
        make_run({"kind": "generator", "adversarial": ADVERSARIAL | {"loss": "least_squares"}})
