"""The alternatives of METHODS as switches of stages: each trains, reaches what it should, and resumes exactly."""

import dataclasses

import msgspec
import pytest
import torch

from MRTranslateLib.networks.refiner import RefinementParameters
from Testing.training.test_stages import (
    ADVERSARIAL,
    ATTACK,
    ATTENTION,
    JUDGED_CORRECTION,
    LABEL_CORRECTION,
    NETWORKS,
    STUDENT,
    changed,
    make_run,
    weights_of,
)
from training.components import describe
from training.config import ConfigError, RefinementConfig
from training.stages.build import build_stage

__all__ = ["make_run"]

CORRECTED = LABEL_CORRECTION | {"start_step": 0}
SHOWN = {"real_warp_voxels": 0.5, "augmentation": 0.5}
EDGES = {"form": "edges", "weight": 1.0}


def by(form, **changes):
    return ADVERSARIAL | {"attention": ATTENTION | {"form": form}} | changes


def filled(batch):
    """The batch without background, so that what a warp brings in at the border is seen."""
    slices = dataclasses.replace(batch.slices, images=batch.slices.images + 0.1)
    return dataclasses.replace(
        batch, slices=slices, truth=batch.truth + 0.1, brain=torch.ones_like(batch.brain), stacks=batch.stacks + 0.1
    )


def bent(run, voxels=3.0):
    """Give label correction a flow that it was not trained to."""
    torch.nn.init.constant_(run.networks["label_correction"].registration.flow_head.bias, voxels)
    return run


@pytest.mark.parametrize(
    ("stage", "trained"),
    [
        ({"kind": "generator", "gauge": EDGES}, {"generator"}),
        ({"kind": "generator", "gauge": EDGES | {"form": "mutual_information"}}, {"generator"}),
        (
            {"kind": "generator", "adversarial": ADVERSARIAL | SHOWN | {"feature_matching": 1.0}},
            {"generator", "local_discriminator", "global_discriminator"},
        ),
        (
            {
                "kind": "generator",
                "label_correction": CORRECTED | {"hide_warped_border": True, "initial_smoothness": 10.0},
                "adversarial": ADVERSARIAL | SHOWN | {"local_labels": "error_aware"},
            },
            {"generator", "label_correction", "local_discriminator", "global_discriminator"},
        ),
        (
            {"kind": "generator", "adversarial": by("uniform", loss="wasserstein", slope_penalty=10.0)},
            {"generator", "local_discriminator", "global_discriminator"},
        ),
        ({"kind": "generator", "adversarial": by("sample", local_weight=0.0)}, {"generator", "global_discriminator"}),
        (
            {"kind": "generator", "adversarial": by("difference", global_weight=0.0)},
            {"generator", "local_discriminator"},
        ),
        (
            {
                "kind": "generator",
                "attack": ATTACK | {"attacker": "score_search", "directions": "rademacher", "grid": 4},
            },
            {"generator"},
        ),
        ({"kind": "refine", "teacher_frozen": True, "teacher_steps": 0}, {"student"}),
        ({"kind": "refine", "corrected_target": True, "folding": 1.0}, {"teacher", "student"}),
        ({"kind": "refine", "attacked_sources": True, "attack": ATTACK}, {"teacher", "student"}),
    ],
)
def test_a_stage_with_an_alternative_changes_its_own_networks_and_no_other(make_run, stage, trained):
    run = make_run(stage)
    before = weights_of(run)
    for _ in range(3):
        run.train_step()
    assert changed(before, run) == trained


@pytest.mark.parametrize("stopped_at", [1, 4])
def test_alternatives_resume_bit_for_bit(make_run, stopped_at):
    stages = (
        {
            "kind": "generator",
            "label_correction": JUDGED_CORRECTION
            | {"start_step": 0, "hide_warped_border": True, "initial_smoothness": 10.0},
            "adversarial": by("difference", feature_matching=1.0, **SHOWN),
            "attack": ATTACK,
            "gauge": EDGES,
        },
        {"kind": "refine", "teacher_frozen": True, "teacher_steps": 0, "corrected_target": True}
        | {"attacked_sources": True, "attack": ATTACK, "folding": 1.0},
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
    mine, other = (run.networks.state_dict() for run in (resumed, whole))
    assert [name for name in other if not torch.equal(mine[name], other[name])] == []


def test_the_gauge_gives_label_correction_no_gradient(make_run):
    weights = []
    for gauge in (None, EDGES | {"weight": 100.0}):
        run = make_run({"kind": "generator", "label_correction": CORRECTED, "gauge": gauge}, folder=str(bool(gauge)))
        run.train_step()
        weights.append(run.networks.state_dict())
    differing = {name.split(".")[0] for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])}
    assert differing == {"generator"}


@pytest.mark.parametrize("hides", [True, False])
def test_discriminators_are_spared_what_came_from_beyond_a_moved_slice(make_run, monkeypatch, hides):
    seen = []
    stage = {"kind": "generator", "label_correction": CORRECTED | {"hide_warped_border": hides}}
    run = bent(make_run(stage | {"adversarial": ADVERSARIAL}))
    discriminator = run.networks["local_discriminator"]
    monkeypatch.setattr(discriminator.condition, "_check", lambda *given: seen.append(given))
    batch, random = run.draw(2)
    build_stage(run.stage_config, run.context).step(filled(batch), 0, random)
    assert len(seen) >= 4  # real and synthetic, for the discriminator's step and for the generator's
    for sources, _, _, candidate in seen[:4]:
        assert (sources[:, :, -2:].abs().max() == 0) == hides
        assert (candidate[:, :, -2:].abs().max() == 0) == hides


def test_the_patch_discriminator_is_spared_it_as_well(make_run, monkeypatch):
    correction = JUDGED_CORRECTION | {"start_step": 0, "subtract_mean_flow": False, "hide_warped_border": True}
    run = bent(make_run({"kind": "generator", "label_correction": correction}))
    stage, seen = build_stage(run.stage_config, run.context), []
    monkeypatch.setattr(stage.correction_judge, "update", lambda *given: seen.append(given) or {})
    batch, random = run.draw(2)
    stage.step(filled(batch), 0, random)
    for image in seen[0][:3]:
        assert image[:, :, -2:].abs().max() == 0
        assert image[:, :, :-4].abs().max() > 0


def test_smoothness_begins_as_high_as_asked_and_ends_at_one(make_run):
    run = make_run({"kind": "generator", "label_correction": CORRECTED | {"initial_smoothness": 10.0}})
    stage = build_stage(run.stage_config, run.context)
    found = [stage._correction_weights(stage.settings.label_correction, step).smoothness for step in range(4)]
    assert found == pytest.approx([10.0, 7.0, 4.0, 1.0])


def test_feature_matching_is_not_scaled_by_the_adversarial_weights(make_run):
    terms = []
    for weight in (0.05, 0.5):
        changes = {"feature_matching": 1.0, "local_weight": weight, "global_weight": weight}
        run = make_run({"kind": "generator", "adversarial": ADVERSARIAL | changes}, folder=str(weight))
        terms.append(run.train_step())
    assert terms[0]["features_local_discriminator"] > 0
    assert terms[0]["features_local_discriminator"] == terms[1]["features_local_discriminator"]
    assert terms[1]["fool_local_discriminator"] == pytest.approx(10 * terms[0]["fool_local_discriminator"])


def test_check_names_the_alternatives_that_are_on(make_run):
    stages = (
        {"kind": "generator", "gauge": EDGES},
        {"kind": "refine", "teacher_frozen": True, "teacher_steps": 0, "corrected_target": True},
    )
    run = make_run(*stages)
    generator, refine = describe(run.config, run.networks).splitlines()[-2:]
    assert "gauge by edges" in generator
    assert "teacher frozen, corrected target" in refine


def test_a_frozen_teacher_teaches_without_losses_of_its_own(make_run):
    run = make_run({"kind": "refine", "teacher_frozen": True, "teacher_steps": 0})
    torch.nn.init.constant_(run.networks["teacher"].body.registration.flow_head.bias, 2.0)
    measured = run.train_step()
    assert not [name for name in measured if name.startswith("teacher")]
    assert measured["student_flow"] > 0.1


@pytest.mark.parametrize("corrected", [True, False])
def test_teacher_and_student_learn_the_corrected_target_if_asked(make_run, corrected):
    errors = []
    for voxels in (0.0, 3.0):
        stage = {"kind": "refine", "corrected_target": corrected, "teacher_steps": 0}
        run = bent(make_run(stage, folder=str(voxels)), voxels)
        measured = run.train_step()
        errors.append([measured["teacher_absolute_error"], measured["student_target"]])
    assert (errors[0] != errors[1]) == corrected


@pytest.mark.parametrize("attacked", [True, False])
def test_the_student_sees_attacked_sources_if_asked_and_the_teacher_never_does(make_run, monkeypatch, attacked):
    run = make_run({"kind": "refine", "attacked_sources": attacked, "attack": ATTACK, "teacher_steps": 0})
    run.stage, seen = build_stage(run.stage_config, run.context), {}
    batch, random = run.draw(2)
    worse = dataclasses.replace(batch.slices, images=batch.slices.images * 0.5)
    monkeypatch.setattr(run.stage.attack, "attacked", lambda *given: worse)
    for name, position in (("student", 1), ("teacher", 2)):
        run.networks[name].register_forward_pre_hook(
            lambda module, given, name=name, position=position: seen.update({name: given[position]})
        )
    run.stage.step(batch, 0, random)
    clean = batch.pairs().sources
    torch.testing.assert_close(seen["student"], 0.5 * clean if attacked else clean)
    torch.testing.assert_close(seen["teacher"], clean)


def test_folds_of_a_student_cost_what_the_configuration_says(make_run):
    values = []
    for weight in (1.0, 3.0):
        run = make_run({"kind": "refine", "teacher": "none", "folding": weight}, folder=str(weight))
        torch.nn.init.normal_(run.networks["student"].body.registration.flow_head.weight, std=3.0)
        values.append(run.train_step()["student_folding"])
    assert values[0] > 0.01
    assert values[1] == pytest.approx(3 * values[0], rel=1e-4)


def test_a_student_without_sources_looks_at_the_translation_alone(make_run):
    run = make_run({"kind": "refine"}, networks=NETWORKS | {"student": STUDENT | {"with_sources": False}})
    student = run.networks["student"]
    torch.nn.init.normal_(student.body.registration.flow_head.weight, std=0.1)
    image, code = torch.rand(1, 1, 32, 32), torch.eye(5)[:1]
    one, other = (student(image, torch.rand(1, 5, 32, 32), code, code).image for _ in range(2))
    assert torch.equal(one, other)
    run.train_step()


def test_a_student_with_sources_is_written_down_as_before_the_choice_existed():
    sizes = msgspec.convert(STUDENT, RefinementParameters)
    assert "with_sources" not in msgspec.to_builtins(sizes)
    alone = msgspec.structs.replace(sizes, with_sources=False)
    assert msgspec.convert(msgspec.to_builtins(alone), RefinementParameters) == alone


def test_a_teacher_says_whether_it_sees_sources():
    with pytest.raises(msgspec.ValidationError, match="missing required field `with_sources`"):
        msgspec.convert(STUDENT, RefinementConfig)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"kind": "generator", "gauge": EDGES | {"weight": 0.0}}, r"weight must be positive, got 0\.0"),
        ({"kind": "generator", "gauge": EDGES | {"form": "corners"}}, "Invalid enum value 'corners'"),
        ({"kind": "generator", "adversarial": by("sample", loss="wasserstein")}, "attention by sample needs loss"),
        ({"kind": "generator", "adversarial": by("uniform", slope_penalty=10.0)}, "slope_penalty belongs to loss"),
        (
            {"kind": "generator", "adversarial": by("uniform", real_warp_voxels=1.0)},
            r"real_warp_voxels must be in \[0, 1",
        ),
        ({"kind": "generator", "adversarial": by("uniform", augmentation=1.1)}, r"augmentation must be in 0\.\.1"),
        ({"kind": "generator", "adversarial": by("uniform", feature_matching=-1.0)}, "feature_matching and"),
        (
            {"kind": "generator", "adversarial": ADVERSARIAL | {"attention": ATTENTION | {"exponent": 0.0}}},
            r"exponent must be positive, got 0\.0",
        ),
        (
            {"kind": "generator", "label_correction": LABEL_CORRECTION | {"initial_smoothness": 0.5}},
            r"initial_smoothness must be 1 or more, got 0\.5",
        ),
        ({"kind": "generator", "attack": ATTACK | {"grid": 0}}, "grid must be 1 or more, got 0"),
        ({"kind": "refine", "folding": -1.0}, r"folding must not be negative, got -1\.0"),
        ({"kind": "refine", "teacher_frozen": True}, "teacher_frozen needs a teacher, with teacher_steps 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make_run, stage, message):
    with pytest.raises(ConfigError, match=message):
        make_run(stage)


@pytest.mark.parametrize(
    ("stage", "network"),
    [
        ({"kind": "generator", "adversarial": by("sample", global_weight=0.0)}, "global_discriminator"),
        ({"kind": "generator", "adversarial": by("difference", local_weight=0.0)}, "local_discriminator"),
        ({"kind": "refine", "corrected_target": True}, "label_correction"),
    ],
)
def test_an_alternative_without_its_network_is_refused_by_name(make_run, stage, network):
    with pytest.raises(ConfigError, match=rf"needs networks\.{network}"):
        make_run(stage, networks=NETWORKS | {network: None})
