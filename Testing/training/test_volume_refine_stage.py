"""The stage of the 3-D refiner translates blocks as inference does, trains the refiner alone and resumes exactly."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from Testing.training.conftest import tiny_scan
from training.checkpoint import load_checkpoint
from training.config import ConfigError, config_from_mapping
from training.data.views import scans_in_views
from training.engine import Run
from training.evaluation import predict_slices, score_routes
from training.export import export_bundle
from training.flicker import remedies
from training.refined_volume import refine_volume
from training.stages.build import build_stage

REFINER = {"width": 4, "num_blocks": 1, "kernel_slices": 3, "in_plane_stride": 4, "max_correction": 0.2}
STAGE = {"kind": "volume_refine", "name": "steady", "num_slices": 5, "slice_change": 2.0}
ROUTE = ((Contrast.T1W,), Contrast.T2W)


@pytest.fixture
def make_run(tiny_values, tmp_path):
    def make(folder="run", views=("axial",), with_refiner=True):
        values = copy.deepcopy(tiny_values)
        values["voxel_stage"]["num_steps"] = 0
        values["data"]["views"] = list(views)
        optimizer = values["stages"][0]["optimizer"] | {"num_steps": 4, "ema_decay": 0.5}
        if with_refiner:
            values["networks"]["volume_refiner"] = REFINER
            values["stages"] = [STAGE | {"optimizer": optimizer}]
        config = config_from_mapping(values, where="test")
        scans = scans_in_views([tiny_scan("sub-a", 1), tiny_scan("sub-b", 2), tiny_scan("sub-c", 3)], views)
        return Run(config, scans, tmp_path / folder, data_fingerprint="none", device="cpu")

    return make


def test_it_changes_the_refiner_and_no_other_network(make_run):
    run = make_run()
    before = copy.deepcopy(run.networks.state_dict())
    measured = [run.train_step() for _ in range(3)][-1]
    changed = {
        name.split(".")[0] for name, values in run.networks.state_dict().items() if (values != before[name]).any()
    }
    assert changed == {"volume_refiner"}
    assert measured["loss"] == pytest.approx(measured["absolute_error"] + measured["slice_change"], rel=1e-5)


def test_the_untrained_refiner_starts_at_the_jumps_of_the_translation(make_run):
    first = make_run().train_step()
    assert first["slice_change"] == pytest.approx(first["slice_change_before"], rel=1e-5)
    assert first["slice_change"] > 0


def test_a_block_is_the_truth_and_its_translation_slice_by_slice(make_run):
    run = make_run()
    run.stage = stage = build_stage(run.stage_config, run.context)
    batch, _ = run.draw(2)
    pairs, blocks = batch.pairs(), stage._blocks(batch)
    brain, truth = stage._truth(batch, pairs)
    assert (len(blocks), truth.shape[2]) == (5, 5)
    torch.testing.assert_close(truth[:, :, 2], pairs.truth * brain[:, :, 2])
    middle = batch.stacks * batch.slices.availability[:, :, None, None, None]
    torch.testing.assert_close(blocks[2].slices.images, middle[:, :, 2:5])
    torch.testing.assert_close(blocks[0].truth, batch.stacks[:, :, 1])
    assert torch.equal(blocks[2].slices.height, batch.slices.height)
    assert (blocks[3].slices.height >= batch.slices.height).all()


def test_withheld_contrasts_are_not_given_to_the_generator(make_run):
    run = make_run()
    run.stage = stage = build_stage(run.stage_config, run.context)
    batch, _ = run.draw(2)
    for block in stage._blocks(batch):
        withheld = block.slices.availability == 0
        assert not block.slices.images[withheld].any()


@pytest.mark.parametrize("stopped_at", [1, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make_run, stopped_at):
    whole, first = make_run("whole"), make_run("stopped")
    whole.fit()
    first.folder.mkdir()
    for _ in range(stopped_at):
        first.train_step()
    first.save()
    resumed = make_run("stopped")
    resumed.resume()
    resumed.fit()
    for kept in ("networks", "averaged"):
        mine, other = (getattr(run, kept).state_dict() for run in (resumed, whole))
        assert [name for name in other if not torch.equal(mine[name], other[name])] == []


def test_a_stage_without_refiner_or_with_an_even_block_is_refused(tiny_values):
    optimizer = tiny_values["stages"][0]["optimizer"]
    tiny_values["stages"] = [STAGE | {"optimizer": optimizer}]
    with pytest.raises(ConfigError, match=r"stage steady needs networks\.volume_refiner, which is null"):
        config_from_mapping(tiny_values, where="test")
    tiny_values["networks"]["volume_refiner"] = REFINER
    tiny_values["stages"][0]["num_slices"] = 4
    with pytest.raises(ConfigError, match="num_slices must be odd and 3 or more, got 4"):
        config_from_mapping(tiny_values, where="test")


def test_refining_does_not_read_the_target(make_run):
    run, scan = make_run(), tiny_scan("sub-d", 4)
    refiner = run.networks["volume_refiner"]
    torch.nn.init.normal_(refiner.head.weight)
    synthetic = scan.images[Contrast.T1W].astype(np.float32) / 255
    before = refine_volume(refiner, scan, ROUTE, synthetic)
    scan.images[Contrast.T2W][:] = 7
    np.testing.assert_array_equal(refine_volume(refiner, scan, ROUTE, synthetic), before)
    assert np.abs(before - synthetic).max() > 0.01
    assert not before[~scan.brain].any()


def test_a_run_with_refiner_and_views_has_all_remedies_and_each_is_another(make_run):
    run = make_run(views=("axial", "coronal"))
    run.fit()
    checkpoint, scan = load_checkpoint(run.folder), tiny_scan("sub-d", 4)
    scan.images[Contrast.T2W][::2] //= 2  # the balls are the same in all slices
    ways = remedies(checkpoint, where="run")
    assert list(ways) == ["slice by slice", "mean of views", "slice by slice, refined", "mean of views, refined"]
    indices = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    images = [predict(scan, ROUTE, indices) * scan.brain[indices] for predict in ways.values()]
    expected = predict_slices(run.result, scan, ROUTE, indices) * scan.brain[indices]
    np.testing.assert_allclose(images[0], expected, atol=1e-6)
    assert all(np.abs(images[0] - other).max() > 1e-6 for other in images[1:])
    (score,) = score_routes(ways["mean of views, refined"], [scan], [ROUTE])
    assert score.flicker > 0


def test_a_run_without_remedy_says_so(make_run):
    run = make_run(with_refiner=False)
    run.folder.mkdir()
    run.save()
    with pytest.raises(InputError, match=r"run: trained neither networks\.volume_refiner nor several data\.views"):
        remedies(load_checkpoint(run.folder), where="run")


def test_a_run_of_other_views_alone_is_neither_judged_axially_nor_exported(make_run, tmp_path):
    run = make_run(views=("coronal",))
    run.folder.mkdir()
    run.save()
    checkpoint = load_checkpoint(run.folder)
    with pytest.raises(InputError, match="its generator learned coronal slices"):
        remedies(checkpoint, where="run")
    with pytest.raises(UsageError, match="this run learned coronal ones alone"):
        export_bundle(checkpoint, tmp_path / "model", version="0.0.1", command="none", hardware="none")
    assert not (tmp_path / "model").exists()
