"""The library's metrics, region by region, as a table of the scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from .Results import RESULT_REFERENCE
from .SceneExchange import exportMask, exportVolume, nodeOf
from .TableNode import newTable
from .TaskRunner import Step, Task

SCORED_ATTRIBUTE = "MRTranslate.Scores"
NUMBER_COLUMNS = ("psnr", "ssim", "nmae", "nrmse", "bias")
HEADINGS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "nmae": "NMAE", "nrmse": "NRMSE", "bias": "Bias"}
"""The field's abbreviations, the same in every language."""


def regionsOf(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The regions of a report in reading order, with their names.

    Args:
        report: ``MRTranslateLib.metrics.regions.Report`` as JSON values.
    """
    rows: list[tuple[str, Mapping[str, Any]]] = [(_("brain"), report["brain"])]
    if report["lesion"] is not None:
        rows.append((_("lesion"), report["lesion"]))
        rows += [
            (_("lesion label {number}").format(number=number), scores)
            for number, scores in sorted(report["lesion_labels"].items(), key=lambda item: int(item[0]))
        ]
    if report["healthy"] is not None:
        rows.append((_("brain without lesion"), report["healthy"]))
    return rows


def scoreTable(report: Mapping[str, Any], synthetic: Any, reference: Any) -> Any:
    """A new table node with one row a region; numbers that do not exist (an infinite PSNR) are left empty."""
    rows = regionsOf(report)
    columns = {
        _("Region"): [region for region, _scores in rows],
        _("Voxels"): [str(scores["num_voxels"]) for _region, scores in rows],
    }
    for key in NUMBER_COLUMNS:
        columns[HEADINGS[key]] = ["" if scores[key] is None else f"{scores[key]:.4g}" for _region, scores in rows]
    node = newTable(f"Scores of {synthetic.GetName()}", columns)
    node.SetAttribute(SCORED_ATTRIBUTE, "1")
    node.SetDescription(" ".join(report["notes"]))
    node.SetNodeReferenceID(RESULT_REFERENCE, synthetic.GetID())
    node.SetNodeReferenceID("MRTranslate.Reference", reference.GetID())
    return node


def summary(report: Mapping[str, Any]) -> str:
    """The numbers that matter most, in a line."""
    parts = []
    for region, scores in regionsOf(report):
        psnr = "-" if scores["psnr"] is None else f"{scores['psnr']:.1f} dB"
        parts.append(f"{region}: PSNR {psnr}, SSIM {scores['ssim']:.3f}")
    return "; ".join(parts[:2])


def scoringTask(synthetic: Any, reference: Any, *, brainMask: Any | None = None, lesionMask: Any | None = None) -> Task:
    """Measure ``synthetic`` against ``reference`` in the worker; the task's value is the table node."""
    identifiers = {"synthetic": synthetic.GetID(), "reference": reference.GetID()}
    masks = {"brain_mask": brainMask, "lesion_mask": lesionMask}
    masks = {name: node.GetID() for name, node in masks.items() if node is not None}
    made: list[Any] = []

    def prepare(folder: Path) -> Iterator[Step]:
        for name, nodeID in identifiers.items():
            yield lambda name=name, nodeID=nodeID: exportVolume(nodeOf(nodeID), folder / f"{name}.nrrd")
        for name, nodeID in masks.items():
            yield lambda name=name, nodeID=nodeID: exportMask(
                nodeOf(nodeID), folder / f"{name}.nrrd", nodeOf(identifiers["reference"])
            )

    def receive(report: Mapping[str, Any], _folder: Path) -> Iterator[Step]:
        yield lambda: made.append(
            scoreTable(report, nodeOf(identifiers["synthetic"]), nodeOf(identifiers["reference"]))
        )

    return Task(
        kind="evaluate",
        prepare=prepare,
        parameters=lambda folder: {name: str(folder / f"{name}.nrrd") for name in (*identifiers, *masks)},
        receive=receive,
        value=lambda: made[0],
    )
