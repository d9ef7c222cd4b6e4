"""Do the remedies against flicker help? The 3-D refiner and the mean of views against the translation slice by slice.

    python Testing/benchmark_flicker.py [--steps 300] [--refiner-steps 150] [--seeds 1]

Phantoms at 3 mm, T1w and T2w to FLAIR and T1w to T2w. A small 2.5D U-Net learns axial and sagittal slices together,
then the refiner learns behind it. Prints flicker (METHODS 5.2, 1 is ideal) and PSNR in the brain of people that nothing
was trained on: minutes on one core, a proof of learning.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

import torch
import yaml

from MRTranslateLib.contrast import Contrast
from training.checkpoint import load_checkpoint
from training.config import config_from_mapping
from training.data.phantom_scans import phantom_scans
from training.data.views import scans_in_views
from training.engine import Run
from training.evaluation import Route, route_name, score_routes
from training.flicker import remedies
from training.smoke import TEMPLATE

SPACING_MM = 3.0
TRAINED, TESTED = (100, 8), (200, 3)
"""First seed and number of the phantoms."""
VIEWS = ["axial", "sagittal"]
ROUTES: tuple[Route, ...] = (((Contrast.T1W, Contrast.T2W), Contrast.FLAIR), ((Contrast.T1W,), Contrast.T2W))
REFINER = {"width": 16, "num_blocks": 2, "kernel_slices": 5, "in_plane_stride": 4, "max_correction": 0.2}


def settings(seed: int, steps: int, refiner_steps: int) -> dict[str, object]:
    """The smoke runs' template with the remedies and both stages."""
    values: dict[str, object] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    (base,) = values["stages"]  # type: ignore[misc]
    optimizer = base["optimizer"]
    refine = {"kind": "volume_refine", "name": "steady", "num_slices": 9, "slice_change": 1.0}
    return values | {
        "seed": seed,
        "data": values["data"] | {"views": VIEWS},  # type: ignore[operator]
        "augmentation": values["augmentation"] | {"mirror_probability": 0.0},  # type: ignore[operator]
        "networks": values["networks"] | {"volume_refiner": REFINER},  # type: ignore[operator]
        "stages": [
            base | {"optimizer": optimizer | {"num_steps": steps, "ema_decay": 0.98}},
            refine | {"optimizer": optimizer | {"num_steps": refiner_steps, "batch_size": 2, "ema_decay": 0.95}},
        ],
    }


def main() -> None:
    """Train and judge once per seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--refiner-steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (phantom_scans(count, spacing_mm=SPACING_MM, first_seed=first) for first, count in (TRAINED, TESTED))
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory(prefix="mrtranslate-flicker-") as folder:
            config = config_from_mapping(settings(seed, options.steps, options.refiner_steps), where="benchmark")
            seen = scans_in_views(train, config.data.views)
            run = Run(config, seen, Path(folder), data_fingerprint="none", device="cpu")
            run.fit()
            for way, predict in remedies(load_checkpoint(run.folder), where=folder).items():
                for score in score_routes(predict, test, ROUTES):
                    row = found.setdefault((route_name(score.route), way), [])
                    row.append((math.nan if score.flicker is None else score.flicker, score.brain_psnr))
    for (route, way), row in sorted(found.items()):
        flicker, psnr = (statistics.fmean(column) for column in zip(*row, strict=True))
        print(f"{route:16} {way:24} flicker {flicker:.3f}  brain PSNR {psnr:.2f} dB")


if __name__ == "__main__":
    main()
