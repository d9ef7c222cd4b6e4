"""What the library's robustness job leaves behind, made without computing: report, page, and a volume for each cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.robustness.catalogue import CATALOGUE
from MRTranslateLib.volume import Volume

REGIONS = ("brain", "lesion")
LIMIT = 0.1
CHANGE_PER_LEVEL = {"brain": 0.02, "lesion": 0.04}
"""Relative change of the first type; that of the n-th is n times as much."""
MODEL = {"name": "brain-united", "version": "0.2.0", "weights_sha256": "0" * 64}


def write_run(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Write it all into the run's folder; returns the worker's answer."""
    folder = Path(parameters["output"])
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    report = make_report(parameters)
    volumes = {}
    first = read_volume(next(iter(parameters["sources"].values())))
    for number, cell in enumerate((report["unperturbed"], *report["cells"])):
        name = f"{cell['perturbation']}_level{cell['level']}_clean"
        (folder / "cells" / f"{name}.json").write_text(json.dumps(cell), encoding="utf-8")
        if parameters["keep_volumes"]:
            volumes[name] = str(folder / "cells" / f"{name}.nii.gz")
            values = np.where(first.array > 0, 100 + 10 * number, 0).astype(np.int16)
            write_volume(volumes[name], Volume(values, first.affine), overwrite=True)
    (folder / "robustness.json").write_text(json.dumps(report), encoding="utf-8")
    (folder / "report.html").write_text("<html>not for diagnostic use, \u00e4</html>", encoding="utf-8")
    return {
        "json": str(folder / "robustness.json"),
        "html": str(folder / "report.html"),
        "within_limits": report["verdict"]["within_limits"],
        "verdict": report["verdict"]["sentences"],
        "volumes": volumes,
        "num_resumed": 0,
    }


def make_report(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The report as JSON values; a test decodes it as the library's type."""
    kinds = {kind.name: kind for kind in CATALOGUE}
    with_error = "reference" in parameters
    cells = [
        _cell(name, level, kinds[name].levels[level - 1], rank * level, with_error)
        for rank, name in enumerate(parameters["perturbations"], 1)
        for level in parameters["levels"]
    ]
    file = {"path": "T1w.nrrd", "sha256": "1" * 64}
    return {
        "notice": "not for diagnostic use",
        "program": "mrtranslate 0.1.0",
        "created": "2026-11-21T00:00:00+00:00",
        "case": {
            "program": "mrtranslate 0.1.0",
            "sources": [[role, file] for role in parameters["sources"]],
            "target": parameters["target"],
            "model": MODEL,
            "brain_mask": None,
            "reference": file if with_error else None,
            "lesion_mask": file,
            "registration": "auto",
            "bias_correction": False,
            "precision": "fp32",
            "seed": 1,
        },
        "plan": {"perturbations": list(parameters["perturbations"]), "levels": list(parameters["levels"]), "seed": 1},
        "parameters": {"registration": "auto", "bias_correction": False, "device": "cpu", "precision": "fp32"}
        | {"threads": 1},
        "device": "cpu",
        "libraries": {},
        "platform": "generated",
        "warnings": [],
        "verdict": {"within_limits": False, "sentences": ["Caution: motion above level 2 changes the lesion."]},
        "limits": [{"region": "lesion", "max_relative_change": LIMIT, "derived_from": "Generated numbers."}],
        "regions": [_region(region, parameters["perturbations"][-1]) for region in REGIONS],
        "types": [_type(name, region, cells) for name in parameters["perturbations"] for region in REGIONS],
        "unperturbed": _cell("none", 0, "", 0, with_error),
        "cells": cells,
        "adversarial": ADVERSARIAL if parameters["adversarial"] else None,
    }


ADVERSARIAL = {
    "settings": {},
    "max_change": 8 / 255,
    "min_psnr_db": 40.0,
    "min_ssim": 0.95,
    "score": "change",
    "clean_score": 0.0,
    "random_score": 0.01,
    "worst_score": 0.05,
    "relative": 0.2,
    "slices": [3, 5],
    "seconds": 1.0,
}


def _cell(name: str, level: int, label: str, strength: int, with_error: bool) -> dict[str, Any]:
    regions = {
        region: {
            "relative_change": round(strength * CHANGE_PER_LEVEL[region], 6),
            "change": _scores(1 - 0.01 * strength),
            "error": _scores(0.9 - 0.01 * strength) if with_error else None,
        }
        for region in REGIONS
    }
    return {
        "perturbation": name,
        "level": level,
        "track": "clean",
        "label": label,
        "perturbed": [],
        "regions": regions,
        "network_seconds": 1.0,
        "seconds": 1.0,
        "fallbacks": [],
    }


def _scores(ssim: float) -> dict[str, Any]:
    return {"num_voxels": 9, "psnr": 30.0, "ssim": ssim, "nmae": 0.1, "nrmse": 0.1, "bias": 0.0}


def _region(region: str, worst: str) -> dict[str, Any]:
    means = {"mean_overall": 0.97, "mean_degradation": 0.03}
    return {"track": "clean", "region": region, **means, "worst": worst, "worst_against_reference": None}


def _type(name: str, region: str, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = [cell for cell in cells if cell["perturbation"] == name][-1]
    return {
        "perturbation": name,
        "track": "clean",
        "region": region,
        "consistency_ssim": {"clean": 1.0, "overall": 0.97, "degradation": 0.03},
        "error_psnr_db": None,
        "error_ssim": None,
        "largest_relative_change": last["regions"][region]["relative_change"],
        "largest_at_level": last["level"],
        "slope_per_level": CHANGE_PER_LEVEL[region],
    }
