"""What the library writes of maps and checks, made up: regions, hard spots and findings on a grid of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

SENTENCE = 'A bright structure of 1.2 ml has no counterpart in T1w; look at "T1w" (\u00e4) there.'
SUMMARY = "Look twice at the lesion: its difficulty is twice that of the brain."
UNCERTAINTY_SUMMARY = "The result may be off by 62 in the brain (half of the 90 % interval)."


def world(affine: np.ndarray[Any, Any], *index: float) -> list[float]:
    """Position of a voxel, RAS+ mm."""
    return [float(value) for value in (affine @ [*index, 1.0])[:3]]


def trust_records(parameters: Mapping[str, Any], affine: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The parts of a sidecar that these parameters ask for, as JSON values.

    Args:
        parameters: Of the worker's job ``translate``.
        affine: Voxel to RAS+ mm, in whose first voxels the spots lie.
    """
    records: dict[str, Any] = {}
    if parameters.get("attention"):
        records["attention"] = {"report": attention_report(affine, has_lesion="lesion_mask" in parameters)}
    if parameters.get("uncertainty"):
        records["uncertainty"] = {"report": uncertainty_report()}
    if parameters.get("checks"):
        records["checks"] = checks_record(affine)
    return records


def attention_report(affine: np.ndarray[Any, Any], *, has_lesion: bool) -> dict[str, Any]:
    """As ``MRTranslateLib.attention.report.AttentionReport``; a test compares them."""
    names = ("brain", "lesion", "rim of 5 mm", "healthy remainder") if has_lesion else ("brain", "left anterior")
    return {
        "statement": "A value is the share of voxels that are wrong.",
        "calibrated": True,
        "regions": [
            {"name": name, "volume_ml": 10.0 / (number + 1), "mean": 0.1 * number, "percentile_95": 0.2 * number}
            for number, name in enumerate(names)
        ],
        "hard_regions": [
            {"position_mm": world(affine, 4, 5, 6), "volume_ml": 4.2, "mean": 0.4, "maximum": 0.9},
            {"position_mm": world(affine, 2, 3, 4), "volume_ml": 1.1, "mean": 0.3, "maximum": 0.8},
        ],
        "summary": SUMMARY,
    }


def uncertainty_report() -> dict[str, Any]:
    """As ``MRTranslateLib.uncertainty.report.UncertaintyReport``; a test compares them."""
    return {
        "statement": "The interval held the truth in 91 % of the voxels of people it was not calibrated on.",
        "summary": UNCERTAINTY_SUMMARY,
        "regions": [{"name": "brain", "volume_ml": 10.0, "mean_half_width": 62.0, "percentile_95": 180.0}],
        "calibrated": True,
        "coverage": 0.91,
        "lowest_coverage": 0.88,
        "members": ["mirrored"],
        "noise": {"T1w": 0.02},
    }


def checks_record(affine: np.ndarray[Any, Any]) -> dict[str, Any]:
    """As ``MRTranslateLib.plausibility.report.ChecksRecord``; a test compares them."""
    shared = {"sign": "bright", "score": 1.5}
    return {
        "statement": "Structures under 1 ml are not found.",
        "findings": [
            {
                "kind": "hallucination", "center_ras_mm": world(affine, 3, 3, 3), "volume_ml": 1.2, "contrast": None,
                "sentence": SENTENCE, **shared,
            },
            {
                "kind": "erasure", "center_ras_mm": world(affine, 5, 4, 2), "volume_ml": 2.5, "contrast": "T1w",
                "sentence": "A structure of T1w has vanished.", **shared,
            },
        ],
    }  # fmt: skip
