"""A run can begin with what another one has learned."""

from __future__ import annotations

import copy

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.models.architecture import Architecture
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.networks.generator import SourceSlices
from Testing.library.model_examples import example_card
from training.checkpoint import load_checkpoint
from training.config import ConfigError
from training.engine import Run
from training.export import export_bundle
from training.warm_start import start_from

UNKNOWN = {"data_fingerprint": "none", "device": "cpu"}


def changed_generator(config, **parameters):
    generator = msgspec.structs.replace(config.generator, parameters=config.generator.parameters | parameters)
    return msgspec.structs.replace(config, generator=generator)


@pytest.fixture
def finished(tiny_config, tiny_scans, tmp_path):
    run = Run(tiny_config, tiny_scans, tmp_path / "first", data_fingerprint="none", device="cpu")
    run.fit()
    return run


def test_a_new_run_begins_with_the_averaged_weights(finished, tiny_config, tiny_scans, tmp_path):
    run = Run(tiny_config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, finished.folder)
    for kept in ("networks", "averaged"):
        mine, theirs = getattr(run, kept).state_dict(), finished.averaged.state_dict()
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert run.step == 0


def test_networks_that_are_not_asked_for_stay_as_they_are(finished, tiny_config, tiny_scans, tmp_path):
    run = Run(tiny_config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    before = copy.deepcopy(run.networks["generator"].state_dict())
    start_from(run, finished.folder, only=["student"])
    assert all(torch.equal(values, before[name]) for name, values in run.networks["generator"].state_dict().items())


def test_a_run_begun_with_two_others_has_the_mean_of_their_weights(finished, tiny_config, tiny_scans, tmp_path):
    other = Run(tiny_config, tiny_scans, tmp_path / "other", data_fingerprint="none", device="cpu")
    other.folder.mkdir()
    other.save()
    run = Run(tiny_config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, finished.folder, other.folder)
    for name, values in run.networks["generator"].named_parameters():
        both = finished.averaged["generator"].get_parameter(name), other.averaged["generator"].get_parameter(name)
        torch.testing.assert_close(values, (both[0] + both[1]) / 2)


def test_a_level_that_was_never_trained_starts_at_that_of_the_voxel_path(finished, tiny_config, tiny_scans, tmp_path):
    config = changed_generator(tiny_config, level_from_voxels=False)
    with torch.no_grad():
        finished.averaged["generator"].network.fuse.last.bias += 3.0  # invisible while the mean is taken out
    finished.save()
    run = Run(config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, finished.folder)
    batch, _ = run.draw(3)
    slices = SourceSlices(batch.slices.images, batch.slices.availability, batch.slices.height)
    free = run.generator.fast_pred(slices, batch.target_code)
    bound = copy.deepcopy(finished.averaged["generator"]).fast_pred(slices, batch.target_code)
    wanted = batch.target_code[:, :, None, None] * batch.brain
    assert ((free - bound) * wanted).abs().sum() / wanted.sum() < 0.05


def test_another_size_is_refused_by_folder_and_network(finished, tiny_config, tiny_scans, tmp_path):
    config = changed_generator(tiny_config, voxel_width=16)
    run = Run(config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    with pytest.raises(ConfigError, match="first: its generator has another architecture or size"):
        start_from(run, finished.folder)


def test_a_run_may_begin_with_the_generator_of_a_bundle(finished, tiny_config, tiny_scans, tmp_path):
    bundle = export_bundle(
        load_checkpoint(finished.folder), tmp_path / "tiny-model", version="1.0.0", command="fit", hardware="none"
    )
    run = Run(tiny_config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, bundle.folder)
    theirs = finished.averaged["generator"].state_dict()
    for kept in (run.networks, run.averaged):
        mine = kept["generator"].state_dict()
        assert all(torch.equal(mine[name], values.half().float()) for name, values in theirs.items())


def test_a_bundles_student_and_levels_are_left_behind(finished, tiny_config, tiny_scans, tmp_path):
    plain = finished.averaged["generator"].state_dict()
    card = example_card("whole")
    levelled = {
        "architecture": "refined",
        "parameters": {
            "architecture": tiny_config.generator.architecture,
            "parameters": tiny_config.generator.parameters,
            "student": {},
        },
        "levels": [],
    }
    card = msgspec.structs.replace(card, architecture=Architecture(name="levelled", parameters=levelled))
    tensors = {f"generator.{name}": values.numpy() for name, values in plain.items()}
    bundle = write_bundle(tmp_path / "whole", card, tensors | {"student.head": np.zeros(3, np.float32)})
    run = Run(tiny_config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, bundle.folder)
    assert torch.equal(run.generator.state_dict()["network.stem.weight"], plain["network.stem.weight"].half().float())


def test_attention_that_the_other_had_not_starts_as_the_identity(finished, tiny_config, tiny_scans, tmp_path):
    config = changed_generator(tiny_config, widths=[8, 32], context_blocks=1)
    plain = Run(
        changed_generator(config, context_blocks=0),
        tiny_scans,
        tmp_path / "plain",
        data_fingerprint="none",
        device="cpu",
    )
    plain.folder.mkdir()
    plain.save()
    run = Run(config, tiny_scans, tmp_path / "second", data_fingerprint="none", device="cpu")
    start_from(run, plain.folder)
    batch, _ = run.draw(2)
    one, other = (each.fast_pred(batch.slices, batch.target_code) for each in (run.generator, plain.generator))
    assert torch.equal(one, other)


def test_in_a_mean_the_identity_closes_attention_by_half_and_leaves_its_inside(
    finished, tiny_config, tiny_scans, tmp_path
):
    config = changed_generator(tiny_config, widths=[8, 32], context_blocks=1)
    runs = {
        name: Run(changed_generator(config, context_blocks=blocks), tiny_scans, tmp_path / name, **UNKNOWN)
        for name, blocks in (("plain", 0), ("attentive", 1))
    }
    for run in runs.values():
        run.folder.mkdir()
    context = runs["attentive"].averaged["generator"].network.context[0]
    torch.nn.init.ones_(context.answer.weight)
    torch.nn.init.ones_(context.layers[1].bias)
    torch.nn.init.ones_(context.ask.bias)
    for run in runs.values():
        run.save()
    run = Run(config, tiny_scans, tmp_path / "third", **UNKNOWN)
    start_from(run, *(each.folder for each in runs.values()))
    mean = run.generator.network.context[0]
    assert (mean.answer.weight == 0.5).all()
    assert (mean.layers[1].bias == 0.5).all()
    assert (mean.ask.bias == 1).all()
