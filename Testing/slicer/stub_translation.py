"""A real worker whose translations cost nothing and go wrong now and then. Run as a program, never imported."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from MRTranslateLib.errors import InputError  # noqa: E402
from MRTranslateLib.io import read_volume, write_volume  # noqa: E402
from MRTranslateLib.worker.jobs import KINDS, Kind  # noqa: E402
from MRTranslateLib.worker.serve import serve  # noqa: E402
from Testing.slicer.trust_records import trust_records  # noqa: E402

chance = random.Random()


def translate(parameters, progress):
    """The first source back, after a moment; or a failure, or the end of the process."""
    for step in range(chance.choice((1, 5, 20))):
        progress.step("translate", step / 20)
        time.sleep(0.02)
    fate = chance.random()
    if fate < 0.1:
        os._exit(7)
    if fate < 0.3:
        raise InputError("the stub does not like this scan: take another one")
    first = read_volume(next(iter(parameters["sources"].values())))
    for name in ("output", "attention", "uncertainty"):
        if parameters.get(name):
            write_volume(parameters[name], first)
    sidecar = Path(parameters["output"]).with_suffix(".json")
    record = {"model": {}, "sources": [], "warnings": [], **trust_records(parameters, first.affine)}
    sidecar.write_text(json.dumps(record), encoding="utf-8")
    return {"output": parameters["output"], "sidecar": str(sidecar), "warnings": [], "fallbacks": [], "seconds": {}}


def evaluate(parameters, progress):
    """Scores from nowhere."""
    progress.step("evaluate", 0.5)
    scores = {"num_voxels": 5, "psnr": 30.0, "ssim": 0.9, "nmae": 0.1, "nrmse": 0.2, "bias": 0.0}
    return {"brain": scores, "lesion": None, "lesion_labels": {}, "healthy": None, "notes": []}


def seed_of_this_start(session_folder):
    """Another one for each start, or a worker that dies at its first job would do so for ever."""
    with (session_folder / "starts").open("a") as starts:
        starts.write(".")
    return f"{os.environ.get('MRTRANSLATE_STUB_SEED')} {(session_folder / 'starts').stat().st_size}"


if __name__ == "__main__":
    chance.seed(seed_of_this_start(Path(sys.argv[2])))
    stubs = {function.__name__: Kind(Any, function) for function in (translate, evaluate)}
    sys.exit(serve(Path(sys.argv[2]), kinds={**KINDS, **stubs}))
