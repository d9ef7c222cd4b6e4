"""A run can begin with what another one has learned."""

from __future__ import annotations

import copy

import msgspec
import pytest
import torch

from MRTranslateLib.networks.generator import SourceSlices
from training.config import ConfigError
from training.engine import Run
from training.warm_start import start_from


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
