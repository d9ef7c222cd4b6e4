"""``mrtranslate robustness`` and the worker's job: options, output, exit codes."""

import json

import msgspec
import pytest

from MRTranslateLib.cli.main import main
from MRTranslateLib.io import write_volume
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker.jobs import KINDS, run_job
from Testing.library.robustness_examples import MeanGenerator, head


@pytest.fixture
def command(monkeypatch, coarse_bundle, tmp_path):
    """The command line but for what a test adds; the generator is the copying one."""
    monkeypatch.setattr("MRTranslateLib.inference.load.load_generator", lambda bundle: MeanGenerator())
    image, brain, lesion = head()
    for name, volume in (("t1", image), ("brain", brain), ("lesion", lesion)):
        write_volume(tmp_path / f"{name}.nii.gz", volume)
    return [
        *("robustness", "--source", f"T1w={tmp_path / 't1.nii.gz'}", "--target", "FLAIR"),
        *("--brain-mask", str(tmp_path / "brain.nii.gz"), "--lesion-mask", str(tmp_path / "lesion.nii.gz")),
        *("--output", str(tmp_path / "run"), "--model", str(coarse_bundle.folder), "--device", "cpu", "--threads", "1"),
    ]


def test_it_tells_the_verdict_and_where_the_report_is(command, capsys, tmp_path):
    assert main([*command, "--perturbations", "blur", "--levels", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No limits are stated for this model")
    assert str(tmp_path / "run" / "report.html") in out
    assert "not for diagnostic use" in out
    main([*command, "--perturbations", "blur", "--levels", "2"])
    assert capsys.readouterr().out.startswith("1 of 1 cells were there from an earlier run")


def test_json_lines_end_with_the_result(command, capsys):
    assert main([*command, "--perturbations", "blur", "--levels", "2", "--track", "both", "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["event"] for event in events} >= {"progress", "result"}
    assert events[-1]["within_limits"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--perturbations", "fog"], "unknown perturbation 'fog': use one of gaussian_noise"),
        (["--levels", "7"], "level 7 is out of range: levels go from 1 to 5"),
        (["--levels", "x"], "levels 'x' are not understood"),
        (["--perturbations", "misalignment"], "misalignment needs at least two sources, got T1w alone"),
    ],
)
def test_a_request_without_sense_ends_with_code_two_and_one_sentence(command, capsys, options, sentence):
    assert main([*command, *options]) == 2
    assert sentence in capsys.readouterr().err


def test_ctrl_c_ends_with_code_130_and_says_how_to_go_on(command, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("MRTranslateLib.robustness.run.robustness_run", interrupted)
    assert main(command) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_the_worker_runs_it_and_names_the_volumes(command, tmp_path):
    options = dict(zip(command[1::2], command[2::2], strict=False))
    parameters = {
        "sources": {"T1w": str(tmp_path / "t1.nii.gz")},
        "target": "FLAIR",
        "output": str(tmp_path / "run"),
        "brain_mask": options["--brain-mask"],
        "model": options["--model"],
        "perturbations": ["blur"],
        "levels": [1],
        "device": "cpu",
        "keep_volumes": True,
    }
    result = msgspec.json.decode(run_job(KINDS, "robustness", msgspec.Raw(msgspec.json.encode(parameters)), Progress()))
    assert sorted(result["volumes"]) == ["blur_level1_clean", "none_level0_clean"]
    assert (tmp_path / "run" / "cells" / "blur_level1_clean.nii.gz").is_file()
