"""The engine: it learns, resumes exactly, and stops when the loss is no number."""

import csv
import threading

import msgspec
import numpy as np
import pytest
import torch

from MRTranslateLib.errors import InputError
from training.checkpoint import FILE_NAME, load_checkpoint
from training.engine import Run
from training.losses.supervised import importance, supervised_terms
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
    counted = importance(brain, lesion, torch.ones(1, 5), tiny_config.losses)
    losses = supervised_terms(predicted, torch.zeros_like(brain), brain, counted, tiny_config.losses)
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


def weights_of(run):
    return {name: values for kept in (run.networks, run.averaged) for name, values in kept.state_dict().items()}


def left_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def in_two_stages(config):
    """The second with larger batches: nothing of it may be drawn as the first one wants it."""
    first = with_optimizer(config, num_steps=4).stages[0]
    second = msgspec.structs.replace(with_optimizer(config, num_steps=4, batch_size=3).stages[0], name="larger")
    return msgspec.structs.replace(config, stages=(first, second), validate_every_steps=3)


def test_a_run_that_draws_ahead_equals_one_that_does_not_bit_for_bit(tiny_config, tiny_scans, tmp_path):
    config = in_two_stages(tiny_config)
    plain, ahead, stopped = (make_run(config, tiny_scans, tmp_path / name) for name in ("plain", "ahead", "stopped"))
    plain.fit(lambda generator: {"T1w>T2w brain": 20.0})  # validation draws a batch of its own for the picture
    ahead.num_drawing_threads = stopped.num_drawing_threads = 3
    ahead.fit(lambda generator: {"T1w>T2w brain": 20.0})
    with pytest.raises(PowerCutError):
        stopped.fit(power_cut)  # at step 3; the last checkpoint is of step 2
    resumed = make_run(config, tiny_scans, tmp_path / "stopped")
    resumed.num_drawing_threads = 2
    resumed.resume()
    assert resumed.step == 2
    resumed.fit()
    for run in (ahead, resumed):
        assert all(torch.equal(values, weights_of(run)[name]) for name, values in weights_of(plain).items())
    assert left_threads() == []


def test_while_a_step_computes_the_next_batches_of_its_stage_are_drawn(tiny_config, tiny_scans, tmp_path, monkeypatch):
    run = make_run(in_two_stages(tiny_config), tiny_scans, tmp_path / "run")
    run.num_drawing_threads = 2
    drawn, draw = [], run.sampler.draw_stored

    def recorded(step, batch_size, **settings):
        drawn.append((step, batch_size, threading.current_thread() is threading.main_thread()))
        return draw(step, batch_size, **settings)

    monkeypatch.setattr(run.sampler, "draw_stored", recorded)
    run.fit()
    by_main = [step for step, _, main in drawn if main]
    assert by_main == [0, 4]  # the first of each stage
    assert sorted((step, size) for step, size, _ in drawn) == [(step, 2 if step < 4 else 3) for step in range(8)]


@pytest.mark.parametrize("num_threads", [0, 2])
def test_an_error_while_drawing_ends_training_with_its_own_message(
    tiny_config, tiny_scans, tmp_path, monkeypatch, num_threads
):
    run = make_run(tiny_config, tiny_scans, tmp_path / "run")
    run.num_drawing_threads = num_threads
    draw = run.sampler.draw_stored

    def failing(step, *arguments, **settings):
        if step == 3:
            raise InputError("sub-a: its slices are gone; prepare them again")
        return draw(step, *arguments, **settings)

    monkeypatch.setattr(run.sampler, "draw_stored", failing)
    with pytest.raises(InputError, match="sub-a: its slices are gone; prepare them again"):
        run.fit()
    assert run.step == 3
    assert left_threads() == []


def test_no_thread_is_left_when_a_run_is_interrupted(tiny_config, tiny_scans, tmp_path, monkeypatch):
    run = make_run(tiny_config, tiny_scans, tmp_path / "run")
    run.num_drawing_threads = 2
    save, seen = run.save, []

    def interrupted():
        save()
        seen.append(left_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert len(seen[0]) > 0
    assert left_threads() == []


def test_the_cpu_draws_nothing_ahead(tiny_config, tiny_scans, tmp_path, monkeypatch):
    run = make_run(tiny_config, tiny_scans, tmp_path / "run")
    save, seen = run.save, []
    monkeypatch.setattr(run, "save", lambda: (save(), seen.append(left_threads())))
    run.fit()
    assert seen == [[]] * 4
