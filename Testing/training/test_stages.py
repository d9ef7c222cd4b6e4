"""Stages: every component learns in its place, reaches only what it may, and resumes exactly."""

from __future__ import annotations

import copy
import csv
import dataclasses

import numpy as np
import pytest
import torch

from MRTranslateLib.robustness.attack.bounds import project
from Testing.training.conftest import DISCRIMINATOR, REGISTRATION, tiny_scan
from training.attackers import worst_of_k
from training.checkpoint import load_checkpoint
from training.config import ConfigError, config_from_mapping
from training.engine import Run
from training.stages import adversary
from training.stages.build import build_stage
from training.stages.refine import others_targets

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
    "patch_discriminator": 8,
}
LABEL_CORRECTION = {
    "learning_rate_share": 0.5,
    "start_step": 1,
    "known_motion_affine_level": 1.0,
    "known_motion_elastic_voxels": 1.0,
    "known_motion_of": "target",
}
JUDGED_CORRECTION = LABEL_CORRECTION | {"adversarial": 0.01, "subtract_mean_flow": True}
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
        "attention": {"real_share": 0.1},
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
        ({"kind": "attention"}, {"local_discriminator"}),
        ({"kind": "generator"}, {"generator"}),
        ({"kind": "generator", "label_correction": LABEL_CORRECTION}, {"generator", "label_correction"}),
        (
            {"kind": "generator", "label_correction": LABEL_CORRECTION | {"known_motion_of": "translation"}},
            {"generator", "label_correction"},
        ),
        (
            {"kind": "generator", "label_correction": JUDGED_CORRECTION},
            {"generator", "label_correction", "patch_discriminator"},
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
        ({"kind": "refine", "teacher_average": 0.9}, {"teacher", "student"}),
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
        {"kind": "generator", "label_correction": JUDGED_CORRECTION, "adversarial": ADVERSARIAL, "attack": ATTACK},
        {"kind": "refine", "generator_learning_rate_share": 0.1, "generator_gradient": 0.1, "teacher_average": 0.9},
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


def test_the_shuffled_teacher_sees_the_same_contrast_of_another_slice_that_shows_any(make_run):
    run = make_run({"kind": "refine", "teacher": "shuffled"})
    batch, _ = run.draw(3)
    truth = batch.truth.clone()
    truth[1] = 0  # somebody without any contrast
    pairs = batch.pairs()
    taught = others_targets(dataclasses.replace(batch, truth=truth), pairs)
    expected = {0: 2, 1: 2, 2: 0}
    for row, channel, target in zip(pairs.rows.tolist(), pairs.channels.tolist(), taught[:, 0], strict=True):
        assert torch.equal(target, truth[expected[row], channel])


def test_a_contrast_that_nobody_else_has_keeps_its_own_target(make_run):
    batch, _ = make_run({"kind": "refine"}).draw(2)
    truth = batch.truth.clone()
    truth[1] = 0
    pairs = dataclasses.replace(batch, truth=truth).pairs()
    mine = pairs.rows == 0
    taught = others_targets(dataclasses.replace(batch, truth=truth), pairs)
    assert torch.equal(taught[mine], pairs.truth[mine])


@pytest.mark.parametrize(
    ("term", "stage", "key"),
    [
        ("consistency", {"attack": ATTACK | {"probability": 1.0}}, ("attack", "consistency")),
        ("fool_local_discriminator", {"adversarial": ADVERSARIAL}, ("adversarial", "local_weight")),
        ("fool_global_discriminator", {"adversarial": ADVERSARIAL}, ("adversarial", "global_weight")),
        ("gradient_difference", {"adversarial": ADVERSARIAL}, ("adversarial", "gradient_difference")),
    ],
)
def test_a_term_of_the_loss_counts_as_much_as_its_weight_says(make_run, term, stage, key):
    section, weight = key
    terms = []
    for factor in (1.0, 2.0):
        given = copy.deepcopy(stage)
        given[section][weight] = 0.05 * factor
        terms.append(make_run({"kind": "generator"} | given, folder=str(factor)).train_step()[term])
    assert terms[0] > 0
    assert terms[1] == pytest.approx(2 * terms[0], rel=1e-4)


def test_attention_moves_the_weight_of_errors_about(make_run):
    errors = []
    for form in ("uniform", "difficulty"):
        adversarial = ADVERSARIAL | {"attention": ATTENTION | {"form": form}}
        run = make_run({"kind": "generator", "adversarial": adversarial}, folder=form)
        errors.append([run.train_step()["absolute_error"] for _ in range(2)])
    assert errors[0][0] == errors[1][0]  # the ramp begins at nothing
    assert errors[0][1] != pytest.approx(errors[1][1], rel=1e-6)


def test_an_additive_attack_stays_within_epsilon(make_run):
    attack = ATTACK | {"attacker": "score_search", "probability": 1.0, "num_candidates": 8, "epsilon": 0.02}
    run = make_run({"kind": "generator", "attack": attack})
    stage = run.stage = build_stage(run.stage_config, run.context)
    for step in range(3):
        batch, random = run.draw(2)
        change = (stage.attack.attacked(batch, step, random).images - batch.slices.images).abs().max()
        run.step += 1
    assert 0.005 < change <= 0.02 + 1e-6


def test_the_students_gradient_reaches_the_generator_by_the_share_that_is_asked(make_run):
    after = []
    for share in (0.0, 0.5):
        stage = {"kind": "refine", "generator_learning_rate_share": 1.0, "generator_gradient": share}
        run = make_run(stage, folder=str(share))
        for _ in range(2):  # the teacher learns alone in the first
            run.train_step()
        after.append(weights_of(run)["generator"])
    assert any(not torch.equal(values, after[1][name]) for name, values in after[0].items())


@pytest.mark.parametrize("count", [1, 6])
def test_the_worst_of_as_many_perturbations_is_taken_as_are_asked_for(make_run, count, monkeypatch):
    run = make_run({"kind": "generator", "attack": ATTACK | {"probability": 1.0, "num_candidates": count}})
    tried = []
    monkeypatch.setattr(worst_of_k, "project", lambda worse, *rest: tried.append(1) or project(worse, *rest))
    run.train_step()
    assert len(tried) == count


def test_attacks_are_held_against_the_accuracy_before_the_first_of_them(make_run):
    told = iter([20.0, 19.5, 19.4, 19.3])
    run = make_run({"kind": "generator", "attack": ATTACK}, validate_every_steps=1, checkpoint_every_steps=2)
    run.fit(lambda generator: {"brain": next(told)})
    remembered = load_checkpoint(run.folder)
    assert remembered.step == 3
    assert next(told, None) is None  # once before the first step, then after each


def test_a_checkpoint_remembers_how_good_the_run_was_at_its_own_step(make_run):
    told = iter([20.0, 19.9, 19.0, 19.0])
    run = make_run({"kind": "generator", "attack": ATTACK}, validate_every_steps=1, checkpoint_every_steps=2)
    saved = []
    save = run.save
    run.save = lambda: (saved.append(copy.deepcopy(run.stage.state_dict()) if run.stage else None), save())
    run.fit(lambda generator: {"brain": next(told)})
    attack = saved[0]["attack"]
    assert (attack["clean_psnr_db"], attack["curriculum"]["is_held"]) == (20.0, True)  # a dB was lost at that step


def test_the_monitor_hears_how_often_a_discriminator_is_right_inside_the_brain(make_run, monkeypatch):
    run = make_run({"kind": "generator", "adversarial": ADVERSARIAL})
    stage = run.stage = build_stage(run.stage_config, run.context)
    heard = []
    monkeypatch.setattr(stage.adversary.monitors["local_discriminator"], "observe", heard.append)
    monkeypatch.setattr(adversary, "accuracy", lambda margins, weight: 0.25 if weight is not None else 0.75)
    run.train_step()
    assert heard == [0.25]


@pytest.mark.parametrize(
    ("stage", "network"),
    [
        ({"kind": "refine"}, "teacher"),
        ({"kind": "generator", "label_correction": JUDGED_CORRECTION}, "patch_discriminator"),
    ],
)
def test_a_stage_without_its_network_is_refused_by_name(make_run, stage, network):
    with pytest.raises(ConfigError, match=rf"stage {stage['kind']} needs networks\.{network}"):
        make_run(stage, networks=NETWORKS | {network: None})


def sharp_and_blurred(step, requires_grad=False):
    sharp = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(step))
    return sharp, ((sharp + sharp.roll(1, -1)) / 2).requires_grad_(requires_grad)


@pytest.fixture
def correction_judge(make_run):
    correction = JUDGED_CORRECTION | {"learning_rate_share": 1.0}
    run = make_run({"kind": "generator", "label_correction": correction})
    return build_stage(run.stage_config, run.context).correction_judge


def test_the_patch_discriminator_learns_to_tell_what_interpolation_smoothed(correction_judge):
    losses = []
    for step in range(30):
        sharp, blurred = sharp_and_blurred(step)
        losses.append(correction_judge.update(sharp, blurred, torch.ones_like(sharp), 0)["patch_discriminator"])
    assert losses[0] > 0.5
    assert losses[-1] < 0.5 * losses[0]


def test_the_patch_discriminators_judgement_reaches_the_moved_target_alone(correction_judge):
    sharp, blurred = sharp_and_blurred(0, requires_grad=True)
    given = sharp.requires_grad_()
    correction_judge.correction_term(given, blurred, torch.ones_like(sharp)).backward()
    assert blurred.grad.abs().max() > 0
    assert given.grad is None
    assert all(weights.grad is None for weights in correction_judge.network.parameters())
    assert all(weights.requires_grad for weights in correction_judge.network.parameters())


def test_the_patch_discriminator_gives_the_generator_no_gradient(make_run):
    # The generator takes the same step whether the correction is judged or not; its own targets are as they are.
    weights = []
    for adversarial in (0.0, 100.0):
        correction = LABEL_CORRECTION | {"start_step": 0, "adversarial": adversarial}
        run = make_run({"kind": "generator", "label_correction": correction}, folder=str(adversarial))
        run.train_step()
        weights.append(run.networks["generator"].state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_generators_loss_does_not_reach_label_correction(make_run):
    run = make_run(
        {"kind": "generator", "label_correction": LABEL_CORRECTION | {"start_step": 0, "learning_rate_share": 0.0}}
    )
    run.train_step()
    assert all(weights.grad is None for weights in run.networks["label_correction"].parameters())


@pytest.mark.parametrize("subtracted", [True, False])
def test_a_drift_of_all_flows_reaches_the_target_unless_it_is_taken_off(make_run, subtracted):
    correction = LABEL_CORRECTION | {"start_step": 0, "subtract_mean_flow": subtracted}
    run = make_run({"kind": "generator", "label_correction": correction})
    torch.nn.init.constant_(run.networks["label_correction"].registration.flow_head.bias, 2.0)
    stage, (batch, _) = build_stage(run.stage_config, run.context), run.draw(2)
    pairs = batch.pairs()
    change = ((stage._moved(pairs).image - pairs.truth).abs() * pairs.brain).sum() / pairs.brain.sum()
    assert (change < 1e-3) == subtracted


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_generators_own_losses_count_as_the_configuration_says(make_run, tiny_values, monkeypatch, weight):
    run = make_run({"kind": "generator"}, losses=tiny_values["losses"] | {"own": weight})
    monkeypatch.setattr(type(run.generator), "own_losses", lambda self: {"family": torch.tensor(0.25)})
    assert run.train_step()["family"] == pytest.approx(0.25 * weight)


def test_an_averaged_teacher_is_a_share_behind_the_one_that_learns(make_run):
    run = make_run({"kind": "refine", "teacher_average": 0.9})
    before = copy.deepcopy(run.networks["teacher"].state_dict())
    run.train_step()
    after, averaged = run.networks["teacher"].state_dict(), run.stage.averaged_teacher.state_dict()
    for name, values in averaged.items():  # at the first step a tenth of the untrained one is kept
        torch.testing.assert_close(values, 0.1 * before[name] + 0.9 * after[name])
    assert any(not torch.equal(averaged[name], after[name]) for name in after)


def test_the_student_learns_from_the_averaged_teacher(make_run):
    run = make_run({"kind": "refine", "teacher_average": 0.9, "teacher_steps": 0})
    flows = []
    for _ in range(2):
        run.stage = build_stage(run.stage_config, run.context)
        torch.nn.init.constant_(run.stage.averaged_teacher.body.registration.flow_head.bias, 4.0 * len(flows))
        flows.append(run.train_step()["student_flow"])
    assert flows[1] > flows[0] + 0.1


def test_a_student_is_judged_when_its_stage_ends(make_run, monkeypatch):
    judged = []
    monkeypatch.setattr("training.monitors.STUDENT_WINDOW", 2)
    monkeypatch.setattr("training.monitors.check_student", lambda *measured: judged.append(measured))
    run = make_run({"kind": "refine", "teacher": "none"})
    steps = [run.train_step() for _ in range(2)]
    assert judged == []
    steps.append(run.train_step())
    ((generator_errors, student_errors, _),) = judged
    assert generator_errors == tuple(step["generator_error"] for step in steps[1:])
    assert student_errors == tuple(step["student_error"] for step in steps[1:])


def test_attention_by_difficulty_needs_a_probabilistic_discriminator(make_run):
    with pytest.raises(ConfigError, match="attention by difficulty needs loss binary_cross_entropy"):
        make_run({"kind": "generator", "adversarial": ADVERSARIAL | {"loss": "least_squares"}})
