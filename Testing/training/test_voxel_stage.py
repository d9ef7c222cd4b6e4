"""The first stage: single voxels of everybody."""

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from training.config import ConfigError
from training.data.sampler import SliceSampler
from training.engine import Run
from training.voxel_stage import _draw_sources, _draw_voxels, _voxel_table, train_voxel_path


@pytest.fixture
def run(tiny_config, tiny_scans, tmp_path):
    return Run(tiny_config, tiny_scans, tmp_path, data_fingerprint="none", device="cpu")


def test_it_trains_the_voxel_path_and_nothing_else(run, tiny_config):
    before = {name: values.clone() for name, values in run.generator.state_dict().items()}
    train_voxel_path(run.generator, run.sampler, tiny_config)
    changed = {name for name, values in run.generator.state_dict().items() if not torch.equal(values, before[name])}
    assert any(name.startswith("network.voxel.") for name in changed)
    assert all(name.startswith(("network.voxel.", "network.embed.")) for name in changed)


def test_it_learns_contrasts_that_are_functions_of_each_other(run, tiny_config):
    stage = msgspec.structs.replace(tiny_config.voxel_stage, num_steps=400, voxels_per_scan=2000, batch_voxels=512)
    train_voxel_path(run.generator, run.sampler, msgspec.structs.replace(tiny_config, voxel_stage=stage))
    table = _voxel_table(run.generator.network, run.sampler, tiny_config, np.random.default_rng(0))
    both = table.acquired[:, Contrast.T2W.channel] == 1
    availability = torch.zeros(int(both.sum()), 5)
    availability[:, Contrast.T1W.channel] = 1
    given = torch.cat([availability, torch.ones(len(availability), 1)], dim=1).repeat(1, 4)
    views, truth, height = (values[both].float() for values in (table.views, table.truth, table.height))
    with torch.no_grad():
        predicted = run.generator.network.predict_voxels(views * given, availability, height)
    error = (predicted - truth)[:, Contrast.T2W.channel]
    assert error.std() < 0.3 * truth[:, Contrast.T2W.channel].std()


def test_the_same_seed_gives_the_same_weights(tiny_config, tiny_scans, tmp_path):
    weights = []
    for _ in range(2):
        run = Run(tiny_config, tiny_scans, tmp_path, data_fingerprint="none", device="cpu")
        train_voxel_path(run.generator, run.sampler, tiny_config)
        weights.append(run.generator.network.voxel.last.weight.detach().clone())
    assert torch.equal(*weights)


def test_voxels_are_drawn_evenly_from_the_brain(tiny_scans, tiny_config):
    scan = tiny_scans[0]
    stage = msgspec.structs.replace(tiny_config.voxel_stage, voxels_per_scan=50_000)
    config = msgspec.structs.replace(tiny_config, voxel_stage=stage)
    chosen = tuple(_draw_voxels(scan, config, np.random.default_rng(0)).T)
    assert scan.brain[chosen].all()
    assert (scan.lesion[chosen] > 0).mean() == pytest.approx((scan.lesion[scan.brain] > 0).mean(), rel=0.2)


def test_the_table_holds_the_truth_of_the_voxel_it_was_drawn_at(tiny_scans, tiny_config, run):
    sampler = SliceSampler(tiny_scans[:1], tiny_config.data, num_neighbours=3, seed=1)
    table = _voxel_table(run.generator.network, sampler, tiny_config, np.random.default_rng(3))
    chosen = tuple(_draw_voxels(tiny_scans[0], tiny_config, np.random.default_rng(3)).T)
    expected = tiny_scans[0].images[Contrast.FLAIR][chosen] / 255
    np.testing.assert_allclose(table.truth[:, Contrast.FLAIR.channel].numpy(), expected, atol=1e-3)


def test_sources_are_a_proper_subset_of_what_was_acquired(tiny_config):
    acquired = torch.tensor([[1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1]]).float().repeat(200, 1)
    sources = _draw_sources(acquired, tiny_config, np.random.default_rng(0))
    assert ((acquired - sources) >= 0).all()
    assert (sources.sum(dim=1) >= 1).all()
    assert ((acquired - sources).sum(dim=1) >= 1).all()
    assert {int(count) for count in sources[::3].sum(dim=1)} == {1, 2, 3}


def test_a_generator_without_the_path_is_refused(run, tiny_config):
    with pytest.raises(ConfigError, match="no voxel path"):
        train_voxel_path(torch.nn.Identity(), run.sampler, tiny_config)


@pytest.mark.parametrize("frozen", [True, False])
def test_later_steps_leave_a_frozen_voxel_path_as_it_was(tiny_config, tiny_scans, tmp_path, frozen):
    stage = msgspec.structs.replace(tiny_config.voxel_stage, frozen_afterwards=frozen)
    config = msgspec.structs.replace(tiny_config, voxel_stage=stage)
    alone = Run(config, tiny_scans, tmp_path / "alone", data_fingerprint="none", device="cpu")
    train_voxel_path(alone.generator, alone.sampler, config)
    whole = Run(config, tiny_scans, tmp_path / "whole", data_fingerprint="none", device="cpu")
    whole.fit()
    pairs = zip(alone.generator.network.voxel.parameters(), whole.generator.network.voxel.parameters(), strict=True)
    assert all(torch.equal(before, after) for before, after in pairs) == frozen
