"""Alternatives of system C's super-resolution stage: corrected targets, moved scans, a slower discriminator."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from MRTranslateLib.networks.warp import warp
from Testing.training.conftest import REGISTRATION, tiny_scan
from training.config import ConfigError, config_from_mapping
from training.engine import Run
from training.networks.label_correction import CorrectedTarget
from training.stages.build import build_stage

BRANCH = {
    "ratios": [1, 2],
    "num_neighbours": 1,
    "widths": [8, 8],
    "heads": [1, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 4,
    "blocks_per_scale": 1,
    "modulation_width": 8,
    "deformable_stride": 2,
}
STAGE = {
    "kind": "super_resolution",
    "name": "finer",
    "ratios": [2],
    "slice_thickness_mm": [],
    "distinction": 10.0,
    "feature_matching": 1.0,
    "adversarial": 0.01,
}


@pytest.fixture
def make_run(tiny_values, tmp_path):
    def make(folder="run", label_correction=REGISTRATION, **changes):
        values = copy.deepcopy(tiny_values)
        values["voxel_stage"]["num_steps"] = 0
        values["data"]["crop_voxels"] = [48, 48]
        values["networks"] |= {
            "super_resolution": BRANCH,
            "difference_projection": 4,
            "label_correction": label_correction,
        }
        optimizer = values["stages"][0]["optimizer"] | {"num_steps": 5}
        values["stages"] = [STAGE | {"optimizer": optimizer} | changes]
        config = config_from_mapping(values, where="test")
        scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2), tiny_scan("sub-c", 3)]
        return Run(config, scans, tmp_path / folder, data_fingerprint="none", device="cpu")

    return make


def stage_and_batch(run):
    run.stage = build_stage(run.stage_config, run.context)
    batch, random = run.draw(2)
    return run.stage, batch, batch.pairs(), random


def changed_networks(run, count=1):
    before = {name: weight.detach().clone() for name, weight in run.networks.named_parameters()}
    for _ in range(count):
        run.train_step()
    return {name.split(".")[0] for name, weight in run.networks.named_parameters() if (weight != before[name]).any()}


class Shift(torch.nn.Module):
    """A correction that moves every target by one voxel along the rows, with a weight that could learn."""

    def __init__(self):
        super().__init__()
        self.amount = torch.nn.Parameter(torch.ones(1))

    def forward(self, target, sources, availability, target_code):
        flow = torch.zeros(len(target), 2, *target.shape[2:])
        flow[:, 0] = self.amount
        return CorrectedTarget(warp(target, flow), flow)


def test_the_branch_learns_the_corrected_target_and_is_shown_the_one_that_was_scanned(make_run):
    run = make_run(corrected_target=True)
    run.networks["label_correction"] = Shift()
    stage, batch, pairs, random = stage_and_batch(run)
    target = stage._target(pairs)
    torch.testing.assert_close(target[:, :, :-1], pairs.truth[:, :, 1:])
    assert not target.requires_grad
    shown = stage._acquire(batch, pairs, random).images
    plain, batch, pairs, random = stage_and_batch(make_run("plain"))
    assert torch.equal(shown, plain._acquire(batch, pairs, random).images)
    assert torch.equal(plain._target(pairs), pairs.truth)


def test_label_correction_stays_as_it_is(make_run):
    assert changed_networks(make_run(corrected_target=True), 3) == {"super_resolution", "difference_projection"}


def test_a_corrected_target_needs_label_correction(make_run):
    with pytest.raises(ConfigError, match=r"stage finer needs networks\.label_correction, which is null"):
        make_run(label_correction=None, corrected_target=True)


@pytest.mark.parametrize("thickness", [[], [3.0]])
def test_a_moved_scan_is_another_image_of_the_same_target(make_run, thickness):
    changes = {"slice_thickness_mm": thickness, "ratios": [] if thickness else [2]}
    still, batch, pairs, random = stage_and_batch(make_run("still", **changes))
    moving, moved_batch, moved_pairs, moved_random = stage_and_batch(
        make_run("moving", moved_affine_level=1.0, moved_elastic_voxels=1.0, **changes)
    )
    assert torch.equal(moved_pairs.truth, pairs.truth)
    one, other = still._acquire(batch, pairs, random), moving._acquire(moved_batch, moved_pairs, moved_random)
    assert one.images.shape == other.images.shape
    assert (one.images - other.images).abs().max() > 0.02
    assert torch.equal(still._target(pairs), moving._target(moved_pairs))


@pytest.mark.parametrize("thickness", [[], [3.0]])
def test_a_conditioned_branch_is_told_what_the_scan_hides_of_its_sources_and_of_nothing_else(
    make_run, thickness, monkeypatch
):
    monkeypatch.setitem(BRANCH, "conditioned", True)
    run = make_run(slice_thickness_mm=thickness, ratios=[] if thickness else [2])
    stage, batch, pairs, random = stage_and_batch(run)
    hidden = stage._acquire(batch, pairs, random).hidden
    given = pairs.availability[:, :, None, None] > 0
    assert hidden[given.expand_as(hidden)].abs().mean() > 0.005
    assert not hidden[~given.expand_as(hidden)].any()
    flat = dataclasses.replace(
        batch,
        stacks=torch.ones_like(batch.stacks),
        source_stacks=0.4 * torch.ones_like(batch.source_stacks),
        slices=dataclasses.replace(batch.slices, images=torch.full_like(batch.slices.images, 0.4)),
    )
    # sources without any structure, in a brain without end
    assert stage._acquire(flat, flat.pairs(), random).hidden.abs().max() < 1e-5


def test_neighbouring_slices_move_alike(make_run):
    stage, _, pairs, random = stage_and_batch(make_run(moved_affine_level=2.0))
    moved = stage._moved(pairs.truth.expand(-1, 3, -1, -1), random)
    assert torch.equal(moved[:, 0], moved[:, 2])
    assert not torch.equal(moved[:, :1], pairs.truth)


def test_the_discriminator_steps_as_often_as_asked(make_run):
    run = make_run(discriminator_every_steps=3)
    stepped = ["difference_projection" in changed_networks(run) for _ in range(5)]
    assert stepped == [True, False, False, True, False]


def test_the_adversarial_term_waits_for_its_step(make_run):
    run = make_run(adversarial_start_step=2)
    terms = [run.train_step() for _ in range(4)]
    assert [term["adversarial"] > 0 for term in terms] == [False, False, True, True]
    assert all(term["feature_matching"] > 0 for term in terms)


def test_with_every_alternative_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make_run):
    changes = {
        "corrected_target": True,
        "moved_affine_level": 1.0,
        "moved_elastic_voxels": 1.0,
        "discriminator_every_steps": 2,
        "adversarial_start_step": 3,
        "slice_thickness_mm": [3.0],
    }
    whole, first = make_run("whole", **changes), make_run("stopped", **changes)
    whole.fit()
    first.folder.mkdir()
    for _ in range(3):
        first.train_step()
    first.save()
    resumed = make_run("stopped", **changes)
    resumed.resume()
    resumed.fit()
    mine, other = resumed.networks.state_dict(), whole.networks.state_dict()
    assert [name for name in other if not torch.equal(mine[name], other[name])] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discriminator_every_steps": 0}, "discriminator_every_steps >= 1"),
        ({"adversarial_start_step": -1}, "adversarial_start_step >= 0"),
        ({"moved_elastic_voxels": -1.0}, "motion must not be negative, got 0.0 and -1.0"),
    ],
)
def test_impossible_alternatives_are_refused(make_run, change, message):
    with pytest.raises(ConfigError, match=message):
        make_run(**change)
