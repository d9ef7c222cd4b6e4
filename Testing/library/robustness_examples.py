"""A small stripped 'brain' with a lesion, and a generator that copies it: a robustness run in a second.

Run as a program it is a run that the operating system kills: ``robustness_examples.py BUNDLE FOLDER CELLS``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from MRTranslateLib.contrast import Contrast  # noqa: E402
from MRTranslateLib.inference import load  # noqa: E402
from MRTranslateLib.networks.generator import Generator  # noqa: E402
from MRTranslateLib.robustness.plan import RobustnessPlan  # noqa: E402
from MRTranslateLib.robustness.run import RobustnessResult, robustness_run  # noqa: E402
from MRTranslateLib.volume import Volume  # noqa: E402

SHAPE = (44, 52, 30)
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
PLAN = RobustnessPlan(perturbations=("rician_noise", "blur"), levels=(1, 4))


class MeanGenerator(Generator):
    """Gives every target the mean of the available sources; counts slices, and kills its process when told to."""

    num_neighbours = 3
    size_multiple = 16

    def __init__(self, dies_after: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.num_slices, self.dies_after = 0, dies_after

    def train_pred(self, slices, target_code, truth=None):
        self.num_slices += len(slices.images)
        if self.dies_after is not None and self.num_slices > self.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        mean = slices.images[:, :, 1].sum(dim=1) / slices.availability.sum(dim=1)[:, None, None]
        return self.weight * mean[:, None].expand(-1, len(Contrast), -1, -1)


def head() -> tuple[Volume, Volume, Volume]:
    """T1w-like image, brain mask and lesion labels, all on one grid."""
    right, anterior, superior = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    brain = right**2 + anterior**2 + superior**2 < 0.8
    array = (600 + 250 * np.sin(6 * right) * np.cos(5 * anterior + superior)) * brain
    lesion = (right - 0.3) ** 2 + anterior**2 + superior**2 < 0.04
    return (
        Volume(array.astype(np.float32), AFFINE),
        Volume(brain.astype(np.uint8), AFFINE),
        Volume(lesion.astype(np.uint8), AFFINE),
    )


def run_small(bundle: Path, folder: Path, **options) -> RobustnessResult:
    image, brain, lesion = head()
    options = {"plan": PLAN, "lesion_mask": lesion, **options}
    return robustness_run(
        {"T1w": image}, "FLAIR", output=folder, brain_mask=brain, model=bundle, device="cpu", threads=1, **options
    )


if __name__ == "__main__":
    load.load_generator = lambda bundle: MeanGenerator(dies_after=int(sys.argv[3]))
    run_small(Path(sys.argv[1]), Path(sys.argv[2]))
