"""``python -m training`` in process: what it refuses, in which words, and one run from end to end."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.io import read_mask, read_volume, write_volume
from MRTranslateLib.models.bundle import load_tensors, open_bundle
from Testing.library.model_examples import write_example
from training.__main__ import main
from training.checkpoint import load_checkpoint
from training.config import config_from_mapping, read_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    """Prepared data go here and not to the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    threads = torch.get_num_threads()
    yield tmp_path / "cache"
    torch.set_num_threads(threads)


@pytest.fixture
def config_file(tmp_path, tiny_values):
    def write(**changes):
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(tiny_values | changes))
        return path

    return write


def refused(capsys, code, arguments):
    """The one line that a refused command says."""
    assert main([str(argument) for argument in arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("training: ")
    assert said.err.count("\n") == 1
    return said.err


def fit(config, data, run):
    return ["fit", config, "--data", data, "--run", run]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": "seven"}, "$.seed"),
        ({"sede": 7}, "sede"),
        ({"precision": "fp8"}, "precision"),
        ({"generator": {"architecture": "unet25d", "parameters": {"widths": [8, 16]}}}, "num_neighbours"),
        ({"generator": {"architecture": "unet9d", "parameters": {}}}, "unet9d"),
        (
            {
                "data": {
                    "realign": [],
                    "crop_voxels": [33, 32],
                    "lesion_fraction": 0.5,
                    "source_count_weights": [1, 0, 0],
                }
            },
            "data.crop_voxels 33 x 32 must be multiples of 4",
        ),
    ],
)
def test_a_bad_configuration_is_refused_by_file_and_key_and_nothing_is_written(
    capsys, config_file, phantom_data, tmp_path, cache_folder, changes, key
):
    config = config_file(**changes)
    said = refused(capsys, 2, fit(config, phantom_data, tmp_path / "run"))
    assert str(config) in said
    assert key in said
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_device_that_is_not_there_is_refused_and_nothing_is_written(capsys, config_file, phantom_data, tmp_path):
    arguments = [*fit(config_file(), phantom_data, tmp_path / "run"), "--device", "cuda:99"]
    assert "cuda:99" in refused(capsys, 2, arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_missing_configuration_is_refused_by_name(capsys, phantom_data, tmp_path):
    assert "absent.yaml" in refused(capsys, 2, fit(tmp_path / "absent.yaml", phantom_data, tmp_path / "run"))


def test_a_missing_data_folder_is_refused_by_name_and_nothing_is_written(capsys, config_file, tmp_path):
    said = refused(capsys, 3, fit(config_file(), tmp_path / "nowhere", tmp_path / "run"))
    assert str(tmp_path / "nowhere") in said
    assert not (tmp_path / "run").exists()


def test_data_with_nobody_to_judge_by_are_refused(capsys, config_file, phantom_data, tmp_path):
    (tmp_path / "data").mkdir()
    rows = (phantom_data / "participants.tsv").read_text().splitlines()
    (tmp_path / "data" / "participants.tsv").write_text("\n".join(rows[:2]) + "\n")
    (tmp_path / "data" / "sub-a").symlink_to(phantom_data / "sub-a")
    assert "val split" in refused(capsys, 3, fit(config_file(), tmp_path / "data", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def spoilt_data(phantom_data, tmp_path):
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(phantom_data, tmp_path / "spoilt"))


def test_a_person_on_two_splits_is_refused_by_name_and_nothing_is_written(capsys, config_file, spoilt_data, tmp_path):
    table = spoilt_data / "participants.tsv"
    table.write_text(table.read_text() + "sub-a\tn/a\tval\tT1w+T2w\ttrue\tyes\n")
    said = refused(capsys, 3, fit(config_file(), spoilt_data, tmp_path / "run"))
    assert "sub-a stands in two splits" in said
    assert not (tmp_path / "run").exists()


def test_a_missing_image_is_refused_by_name_and_nothing_is_written(capsys, config_file, spoilt_data, tmp_path):
    path = next(spoilt_data.glob("sub-a/anat/*T2w.nii.gz"))
    path.unlink()
    assert str(path) in refused(capsys, 3, fit(config_file(), spoilt_data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_image_that_shows_nothing_is_refused_by_name_and_nothing_is_written(
    capsys, config_file, spoilt_data, tmp_path, cache_folder
):
    for path in spoilt_data.glob("sub-a/anat/*.nii.gz"):
        volume = read_volume(path)
        write_volume(path, volume.with_array(np.zeros_like(volume.array)), overwrite=True)
    said = refused(capsys, 3, fit(config_file(), spoilt_data, tmp_path / "run"))
    assert "sub-a_T1w.nii.gz: shows nothing, every voxel is 0 or less" in said
    assert not (tmp_path / "run").exists()
    assert list((cache_folder / "mrtranslate" / "training").iterdir()) == []


def test_an_empty_lesion_mask_is_no_obstacle(config_file, tiny_values, spoilt_data, tmp_path):
    (path,) = spoilt_data.glob("derivatives/masks/sub-a/anat/*.nii.gz")
    volume = read_mask(path)
    write_volume(path, volume.with_array(np.zeros_like(volume.array)), overwrite=True)
    optimizer = tiny_values["stages"][0]["optimizer"] | {"num_steps": 1, "num_warmup_steps": 0}
    config = config_file(stages=[tiny_values["stages"][0] | {"optimizer": optimizer}])
    assert main([str(argument) for argument in fit(config, spoilt_data, tmp_path / "run")]) == 0


def test_an_existing_run_is_refused_and_left_as_it_is(capsys, config_file, phantom_data, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("mine")
    assert str(run) in refused(capsys, 2, fit(config_file(), phantom_data, run))
    assert [(path.name, path.read_text()) for path in run.iterdir()] == [("config.yaml", "mine")]


@pytest.mark.parametrize("exists", [True, False])
def test_resuming_a_folder_without_checkpoint_is_refused_by_name(capsys, phantom_data, tmp_path, exists):
    if exists:
        (tmp_path / "run").mkdir()
    assert "checkpoint.pt" in refused(capsys, 3, ["resume", tmp_path / "run", "--data", phantom_data])


def test_exporting_a_folder_without_checkpoint_is_refused_by_name(capsys, phantom_data, tmp_path):
    arguments = [
        "export",
        tmp_path / "run",
        "--hardware",
        "none",
        "--output",
        tmp_path / "model",
        "--data",
        phantom_data,
    ]
    assert "checkpoint.pt" in refused(capsys, 3, arguments)
    assert not (tmp_path / "model").exists()


def test_attention_of_a_model_that_makes_none_is_refused_with_4(capsys, phantom_data, tmp_path):
    folder = write_example(tmp_path).folder
    said = refused(capsys, 4, ["attention", "--model", folder, "--data", phantom_data])
    assert "comes without a local discriminator" in said


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def finished(config_file, tiny_values, phantom_data, tmp_path):
    """A run of three steps after a voxel stage of one, through the command line."""
    values = {
        "stages": [
            stage | {"optimizer": stage["optimizer"] | {"num_steps": 3, "num_warmup_steps": 1}}
            for stage in tiny_values["stages"]
        ],
        "voxel_stage": tiny_values["voxel_stage"] | {"num_steps": 1},
    }
    config = config_file(**values)
    assert main([str(argument) for argument in fit(config, phantom_data, tmp_path / "run")]) == 0
    return tmp_path / "run"


def test_a_run_ends_with_checkpoint_log_validation_and_its_configuration(finished, tmp_path):
    tables = {"base.csv", "validation.csv"}
    pictures = {"curves.png", "samples.png"}
    assert {path.name for path in finished.iterdir()} == {"checkpoint.pt", "config.yaml"} | tables | pictures
    assert (finished / "config.yaml").read_bytes() == (tmp_path / "run.yaml").read_bytes()
    saved = load_checkpoint(finished)
    assert saved.step == 3
    assert saved.config == read_config(finished / "config.yaml")
    assert [row["step"] for row in rows_of(finished / "base.csv")] == ["1", "2", "3"]
    (judged,) = rows_of(finished / "validation.csv")
    assert judged["step"] == "3"
    assert 3 < float(judged["T1w>T2w brain"]) < 40
    assert "T1w>T2w lesion" not in judged  # the val person is healthy


def test_a_run_prepares_its_data_in_the_users_cache(finished, cache_folder):
    stored = sorted(path.name.split("-")[1] for path in (cache_folder / "mrtranslate" / "training").iterdir())
    assert stored == ["a", "b"]


def test_beginning_with_another_architecture_is_refused_and_nothing_is_written(
    capsys, finished, config_file, tiny_values, phantom_data, tmp_path
):
    capsys.readouterr()
    generator = tiny_values["generator"]
    wider = config_file(generator=generator | {"parameters": generator["parameters"] | {"voxel_width": 16}})
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    said = refused(capsys, 2, [*fit(wider, phantom_data, tmp_path / "second"), "--init", finished])
    assert f"{finished}: its generator has another architecture or size" in said
    assert not (tmp_path / "second").exists()
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_a_checkpoint_of_another_architecture_is_neither_resumed_nor_exported(capsys, finished, phantom_data, tmp_path):
    capsys.readouterr()
    path = finished / "checkpoint.pt"
    values = torch.load(path, weights_only=True)
    values["config"]["generator"]["parameters"]["voxel_width"] = 16
    torch.save(values, path)
    before = path.read_bytes()
    data = ["--data", phantom_data]
    wrong = "its generator has another architecture or size than its configuration says"
    assert wrong in refused(capsys, 3, ["resume", finished, *data])
    export = ["export", finished, "--hardware", "none", "--output", tmp_path / "model", *data]
    assert wrong in refused(capsys, 3, export)
    assert not (tmp_path / "model").exists()
    assert path.read_bytes() == before


def test_a_run_is_not_resumed_on_other_data(capsys, finished, spoilt_data):
    capsys.readouterr()
    path = next(spoilt_data.glob("sub-a/anat/*T2w.nii.gz"))
    volume = read_volume(path)
    write_volume(path, volume.with_array(volume.array * 2), overwrite=True)
    said = refused(capsys, 3, ["resume", finished, "--data", spoilt_data])
    assert f"{finished}: was trained on data of fingerprint" in said


def test_a_component_that_no_bundle_holds_is_refused_by_check_before_training(capsys, config_file, tiny_values):
    united = yaml.safe_load((CONFIGS / "united_gpu.yaml").read_text())["networks"]["super_resolution"]
    wide = united | {"widths": [80, 64, 48, 24]}
    config = config_file(networks=tiny_values["networks"] | {"super_resolution": wide})
    said = refused(capsys, 2, ["check", config])
    assert "networks.super_resolution has 10.07 M weights, 19.2 MiB in a bundle" in said


def test_resuming_a_finished_run_changes_nothing(finished, phantom_data):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    assert main(["resume", str(finished), "--data", str(phantom_data)]) == 0
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_a_run_becomes_a_judged_bundle(finished, phantom_data, tmp_path, capsys, monkeypatch):
    from training import export

    routes = export.all_routes()
    monkeypatch.setattr(export, "all_routes", lambda: routes[:2])  # judging all 28 takes long
    arguments = [
        "export",
        str(finished),
        "--hardware",
        "none",
        "--output",
        str(tmp_path / "tiny-model"),
        "--data",
        str(phantom_data),
    ]
    assert main(arguments) == 0
    card = open_bundle(tmp_path / "tiny-model").card
    (row,) = card.quality  # nobody has T1wGd
    assert (row.sources, row.target) == routes[1]
    assert config_from_mapping(yaml.safe_load(card.training_run.config), where="card").name == "tiny"
    assert "brain PSNR" in capsys.readouterr().out


def test_a_model_takes_a_runs_generator_for_its_specialist(finished, phantom_data, tmp_path, capsys, monkeypatch):
    from training import evaluation, export

    routes = export.all_routes()[1:2]
    monkeypatch.setattr(export, "all_routes", lambda: routes)
    monkeypatch.setattr(evaluation, "REPORTED_ROUTES", routes)
    model, data = str(tmp_path / "tiny-model"), ["--data", str(phantom_data)]
    assert main(["export", str(finished), "--hardware", "none", "--output", model, *data]) == 0
    before = open_bundle(model).card
    specialise = ["specialise", str(finished), "--model", model, "--output", model, "--model-version", "2.0.0"]
    assert (
        main([*specialise, "--hardware", "one core", "--routes", "T1w>FLAIR", "--replace", "--mean-with", model, *data])
        == 0
    )
    bundle = open_bundle(model)
    card, specialist = bundle.card, bundle.card.components.specialist
    assert [(route.sources, route.target) for route in specialist.routes] == [((Contrast.T1W,), Contrast.FLAIR)]
    assert (card.version, card.predecessor.version) == ("2.0.0", before.version)
    assert card.predecessor.quality == before.quality
    # Two routes were measured, of which one is the specialist's; the rest of the card was measured again.
    assert {(row.sources, row.target) for row in card.quality} == {*routes, ((Contrast.T1W,), Contrast.FLAIR)}
    assert specialist.training_run.hardware == "one core"
    weights = load_tensors(bundle, "specialist")
    assert all(np.array_equal(values, weights[name]) for name, values in load_tensors(bundle).items())
    assert "brain PSNR" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "why"), [("T1w-FLAIR", "is no route"), ("T1w>T1w", "among the sources")])
def test_a_specialists_route_that_is_none_is_refused(capsys, finished, phantom_data, tmp_path, name, why):
    model = [
        "--model",
        write_example(tmp_path).folder,
        "--output",
        tmp_path / "new" / "tiny",
        "--model-version",
        "2.0.0",
    ]
    arguments = ["specialise", finished, *model, "--hardware", "none", "--routes", name, "--data", phantom_data]
    assert why in refused(capsys, 2, arguments)
    assert not (tmp_path / "new").exists()


def test_a_model_in_the_way_is_refused_before_anything_is_measured(capsys, finished, phantom_data, tmp_path):
    folder = write_example(tmp_path).folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shared = ["specialise", finished, "--model", folder, "--model-version", "2.0.0", "--hardware", "none"]
    shared += ["--routes", "T1w>FLAIR", "--data", phantom_data]
    assert "exists and is kept; add --replace" in refused(capsys, 2, [*shared, "--output", folder])
    assert "a bundle of model tiny lies in a folder of that name" in refused(
        capsys, 2, [*shared, "--output", tmp_path / "other"]
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_level_that_too_few_people_tell_leaves_nothing_behind(capsys, finished, phantom_data, tmp_path):
    model = tmp_path / "tiny-model"
    export = ["export", finished, "--hardware", "none", "--output", model, "--data", phantom_data]
    said = refused(capsys, 3, [*export, "--level", "FLAIR", "T1w"])
    assert "5 are needed to tell the level of FLAIR" in said
    assert not model.exists()


def test_an_adversarial_run_becomes_a_bundle_with_judged_attention(
    config_file, tiny_values, phantom_data, tmp_path, capsys, monkeypatch
):
    from training import evaluation, export

    routes = export.all_routes()[1:2]  # nobody has T1wGd; judging all takes long
    monkeypatch.setattr(export, "all_routes", lambda: routes)
    monkeypatch.setattr(evaluation, "REPORTED_ROUTES", routes)
    (stage,) = tiny_values["stages"]
    system_b = read_config(CONFIGS / "system_b.yaml")
    adversarial = next(each.adversarial for each in system_b.stages if getattr(each, "adversarial", None) is not None)
    adversarial = msgspec.to_builtins(msgspec.structs.replace(adversarial, global_weight=0.0))
    optimizer = stage["optimizer"] | {"num_steps": 2, "num_warmup_steps": 1}
    discriminator = {
        "widths": [8, 8, 8, 8],
        "normalization": "group",
        "spectral_norm": True,
        "sees_sources": True,
        "logit_stride_voxels": 8,
    }
    config = config_file(
        stages=[stage | {"adversarial": adversarial, "optimizer": optimizer}],
        networks=tiny_values["networks"] | {"local_discriminator": discriminator},
        voxel_stage=tiny_values["voxel_stage"] | {"num_steps": 1},
    )
    run, model = tmp_path / "run", tmp_path / "tiny-model"
    data = ["--data", str(phantom_data)]
    assert main([str(argument) for argument in fit(config, phantom_data, run)]) == 0
    assert main(["export", str(run), "--hardware", "none", "--output", str(model), *data]) == 0
    card = open_bundle(model).card
    assert card.systems_trained == ("supervised", "B")
    assert card.components.local_discriminator.calibration is not None
    (row,) = card.attention_quality
    assert ((row.sources, row.target), row.num_cases, row.num_lesion_cases) == (routes[0], 1, 0)
    capsys.readouterr()
    assert main(["attention", "--model", str(model), *data]) == 0
    said = capsys.readouterr().out
    assert card.components.local_discriminator.calibration.statement in said
    assert f"{row.attention:.3f}" in said
    assert "beats every naive control on" in said


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "training", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CONFIGS.parents[1]) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, errors) == (0, "")
