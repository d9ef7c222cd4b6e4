"""The engine: it learns, resumes exactly, and stops when the loss is no number."""

import csv

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.errors import InputError
from training.checkpoint import FILE_NAME, load_checkpoint
from training.engine import Run
from training.losses.supervised import supervised_terms
from training.stages.stage import DivergedError, learning_rate


def make_run(config, scans, folder):
    folder.mkdir(exist_ok=True)
    return Run(config, scans, folder, data_fingerprint="none", device="cpu")


def with_optimizer(config, **changes):
    stage = config.stages[0]
    stage = msgspec.structs.replace(stage, optimizer=msgspec.structs.replace(stage.optimizer, **changes))
    return msgspec.structs.replace(config, stages=(stage,))


def test_the_loss_falls(tiny_config, tiny_scans, tmp_path):
    run = make_run(with_optimizer(tiny_config, num_steps=60), tiny_scans, tmp_path / "run")
    run.fit()
    with (tmp_path / "run" / "base.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])  # it starts from what the voxel path has learned


class PowerCutError(Exception):
    pass


def power_cut(generator):
    raise PowerCutError


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tiny_config, tiny_scans, tmp_path):
    config = msgspec.structs.replace(tiny_config, validate_every_steps=5)
    whole = make_run(config, tiny_scans, tmp_path / "whole")
    whole.fit()
    stopped = make_run(config, tiny_scans, tmp_path / "stopped")
    with pytest.raises(PowerCutError):
        stopped.fit(validate=power_cut)  # at step 5; the last checkpoint is of step 4
    del stopped
    resumed = make_run(config, tiny_scans, tmp_path / "stopped")
    resumed.resume()
    assert resumed.step == 4
    resumed.fit()
    for run_weights in ("networks", "averaged"):
        mine, other = (getattr(run, run_weights).state_dict() for run in (resumed, whole))
        assert all(torch.equal(mine[name], other[name]) for name in other)


def test_a_loss_that_is_no_number_stops_with_the_step_and_keeps_the_checkpoint(tiny_config, tiny_scans, tmp_path):
    run = make_run(tiny_config, tiny_scans, tmp_path / "run")
    run.train_step()
    run.save()
    before = (tmp_path / "run" / FILE_NAME).read_bytes()
    with torch.no_grad():
        next(run.generator.network.voxel.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="at step 1, base: the loss became nan"):
        run.fit()
    assert (tmp_path / "run" / FILE_NAME).read_bytes() == before


def test_the_average_follows_the_weights(tiny_config, tiny_scans, tmp_path):
    run = make_run(with_optimizer(tiny_config, ema_decay=0.0), tiny_scans, tmp_path / "run")
    run.train_step()
    for mine, averaged in zip(run.networks.parameters(), run.averaged.parameters(), strict=True):
        torch.testing.assert_close(mine, averaged)


def test_the_learning_rate_warms_up_and_ends_near_zero(tiny_config):
    settings = msgspec.structs.replace(tiny_config.stages[0].optimizer, num_warmup_steps=10, num_steps=110)
    rates = [learning_rate(step, settings) for step in range(110)]
    assert rates[9] == settings.peak_learning_rate == max(rates)
    assert rates[60] == pytest.approx(settings.peak_learning_rate / 2)
    assert rates[109] < 0.001 * settings.peak_learning_rate


def test_a_lesion_voxel_counts_as_often_as_the_configuration_says(tiny_config):
    brain = torch.ones(1, 1, 16, 16)
    lesion, predicted = torch.zeros_like(brain), torch.zeros_like(brain)
    lesion[..., :8] = 1
    predicted[..., :8] = 0.3  # all error lies in the lesion, which is half of the brain
    counts = tiny_config.losses.lesion
    losses = supervised_terms(predicted, torch.zeros_like(brain), brain, lesion, tiny_config.losses)
    assert losses["absolute_error"].item() == pytest.approx(0.3 * counts / (counts + 1))


def test_checkpoints_say_how_they_were_made(tiny_config, tiny_scans, tmp_path):
    run = make_run(tiny_config, tiny_scans, tmp_path / "run")
    run.train_step()
    run.save()
    saved = load_checkpoint(tmp_path / "run")
    assert saved.config == tiny_config
    assert saved.data_fingerprint == "none"
    assert saved.step == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(InputError, match=FILE_NAME):
        load_checkpoint(tmp_path)


def test_a_checkpoint_never_runs_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit('ran')",))

    torch.save({"config": Evil()}, tmp_path / FILE_NAME)
    with pytest.raises(InputError, match=FILE_NAME):
        load_checkpoint(tmp_path)
