"""Two processes under torchrun learn as one does."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROGRAM = """
import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

from MRTranslateLib.contrast import Contrast
from Testing.training.conftest import tiny_scan
from training.config import config_from_mapping
from training.distributed import join_processes
from training.engine import Run

torch.set_num_threads(1)
processes, device = join_processes("cpu")
config = config_from_mapping(yaml.safe_load(Path(sys.argv[1]).read_text()), where="test")


def tube(scan):
    # As much brain in every slice and one target each: a batch's mean is then the mean of its halves' means.
    size = scan.brain.shape
    rows, columns = np.meshgrid(np.linspace(-1, 1, size[1]), np.linspace(-1, 1, size[2]), indexing="ij")
    brain = np.broadcast_to(rows**2 + columns**2 < 0.8, size).copy()
    texture = np.random.default_rng(len(scan.case_id)).integers(50, 200, size)
    images = {}
    for contrast in (Contrast.T1W, Contrast.T2W):
        images[contrast] = np.where(brain, scan.images[contrast] // 2 + texture // 2, 0).astype(np.uint8)
    return dataclasses.replace(scan, brain=brain, images=images, lesion=np.zeros_like(scan.lesion))


scans = [tube(tiny_scan(f"sub-{index}", index)) for index in range(4)]
Run(config, scans, Path(sys.argv[2]), data_fingerprint="none", device=device, processes=processes).fit()
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


@pytest.fixture
def curve(tiny_values, tmp_path):
    """The losses of a run by one process or by two, with the same slices in every batch and no augmentation."""
    for name in tiny_values["augmentation"]:
        tiny_values["augmentation"][name] = 0.0
    tiny_values["voxel_stage"]["num_steps"] = 0
    tiny_values["stages"][0]["optimizer"] |= {"batch_size": 4, "num_steps": 12}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tiny_values))
    (tmp_path / "program.py").write_text(PROGRAM)

    def losses(num_processes):
        folder = tmp_path / f"run{num_processes}"
        start = [sys.executable]
        if num_processes > 1:
            start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [*start, str(tmp_path / "program.py"), str(tmp_path / "config.yaml"), str(folder)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, timeout=240)
        with (folder / "base.csv").open() as file:
            return np.array([float(row["loss"]) for row in csv.DictReader(file)])

    return losses


def test_two_processes_have_the_loss_curve_of_one(curve):
    one, two = curve(1), curve(2)
    assert len(one) == len(two) == 12
    assert np.abs(two - one).max() < 0.02 * one.mean()
    assert one[-1] < 0.9 * one[0]
