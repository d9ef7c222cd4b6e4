from __future__ import annotations

import argparse
import json

import nibabel
import numpy as np
import pytest

from MRTranslateLib.cli.evaluate import add_evaluate_parser
from MRTranslateLib.errors import InputError, UsageError


def run(*words):
    parser = argparse.ArgumentParser()
    add_evaluate_parser(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["evaluate", *map(str, words)])
    return arguments.run(arguments)


@pytest.fixture
def scans(tmp_path):
    """A synthetic that is 10 % too dark, its reference, a brain of 1440 ml and a lesion mask, as files."""
    random = np.random.default_rng(0)
    brain = np.zeros((20, 20, 16), np.uint8)
    brain[4:16, 4:16, 3:13] = 1
    reference = np.where(brain, random.uniform(100, 400, brain.shape), 0).astype(np.float32)
    synthetic = (0.9 * 1000 / np.percentile(reference[brain == 1], 99.5) * reference).astype(np.float32)
    lesion = np.zeros_like(brain)
    lesion[6:9, 6:9, 6:9] = 2
    arrays = {"synthetic": synthetic, "reference": reference, "brain": brain, "lesion": lesion}
    for name, array in arrays.items():
        nibabel.save(nibabel.Nifti1Image(array, np.diag([10.0, 10, 10, 1])), tmp_path / f"{name}.nii.gz")
    return {name: tmp_path / f"{name}.nii.gz" for name in arrays}


def test_the_table_has_a_row_for_each_region(scans, capsys):
    pair = ("--synthetic", scans["synthetic"], "--reference", scans["reference"])
    assert run(*pair, "--brain-mask", scans["brain"], "--lesion-mask", scans["lesion"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["region", "brain", "lesion", "label", "healthy"]
    assert lines[1].split()[1] == "1440"
    assert "flicker in the brain: 0.9" in lines[5]


def test_the_brain_mask_given_is_the_one_used(scans, tmp_path, capsys):
    half = np.zeros((20, 20, 16), np.uint8)
    half[4:10, 4:16, 3:13] = 1
    nibabel.save(nibabel.Nifti1Image(half, np.diag([10.0, 10, 10, 1])), tmp_path / "half.nii.gz")
    pair = ("--synthetic", scans["synthetic"], "--reference", scans["reference"])
    assert run(*pair, "--brain-mask", tmp_path / "half.nii.gz") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == "720"


def test_the_json_file_says_what_the_table_says(scans, tmp_path, capsys):
    pair = ("--synthetic", scans["synthetic"], "--reference", scans["reference"])
    assert run(*pair, "--json", tmp_path / "scores.json") == 0
    report = json.loads((tmp_path / "scores.json").read_text())
    assert f"{report['brain']['psnr']:.2f}" in capsys.readouterr().out
    assert report["brain"]["nrmse"] == pytest.approx(0.1, abs=0.003)
    assert report["lesion"] is None


def test_an_existing_json_file_is_kept(scans, tmp_path):
    (tmp_path / "scores.json").write_text("precious")
    pair = ("--synthetic", scans["synthetic"], "--reference", scans["reference"])
    with pytest.raises(UsageError, match=r"scores\.json exists"):
        run(*pair, "--json", tmp_path / "scores.json")
    assert (tmp_path / "scores.json").read_text() == "precious"


def test_a_missing_file_is_refused_by_name(scans, tmp_path):
    with pytest.raises(InputError, match=r"absent\.nii\.gz"):
        run("--synthetic", tmp_path / "absent.nii.gz", "--reference", scans["reference"])
