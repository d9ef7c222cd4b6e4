"""A robustness report as table nodes: scores, cells, and the curves that the charts draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import vtk
from slicer.i18n import tr as _

from .RobustnessResult import Item
from .TableNode import newTable

LEVEL_COLUMN = "Level"


def regionTitle(region: str) -> str:
    """A region of the library in words."""
    names = {
        "brain": _("brain"),
        "lesion": _("lesion"),
        "rim": _("rim of the lesion"),
        "healthy": _("healthy remainder"),
    }
    return names.get(region) or _("lesion {label}").format(label=region)


def itemsOf(report: Mapping[str, Any], titles: Mapping[str, str]) -> tuple[Item, ...]:
    """What the run made: the unperturbed result, then its cells in their order.

    Args:
        report: ``MRTranslateLib.robustness.report.RobustnessReport`` as JSON values.
        titles: Of the perturbations, by key.
    """
    cells = (
        Item(cell["perturbation"], titles.get(cell["perturbation"], cell["perturbation"]), cell["level"], cell["label"])
        for cell in report["cells"]
    )
    return (Item("none", _("Unperturbed"), 0, ""), *cells)


def curveColumn(region: str, perturbation: str) -> str:
    """Name of a column of the curves' table."""
    return f"{region}: {perturbation}"


def scoresTable(report: Mapping[str, Any], titles: Mapping[str, str], name: str) -> Any:
    """A row for each region, then one for each type in it; ROOD's scores of the SSIM, 1 is no change."""
    rows = []
    for summary in report["regions"]:
        region, types = regionTitle(summary["region"]), (each for each in report["types"] if _isOf(each, summary))
        worst = _("all; worst: {type}").format(type=titles.get(summary["worst"], summary["worst"]))
        rows.append([region, worst, _text(summary["mean_overall"]), _text(summary["mean_degradation"]), "", ""])
        for each in types:
            scores, level = each["consistency_ssim"], each["largest_at_level"]
            rows.append(
                [
                    region,
                    titles.get(each["perturbation"], each["perturbation"]),
                    _text(scores["overall"]),
                    _text(scores["degradation"]),
                    _text(_percents(each["largest_relative_change"])),
                    "" if level is None else str(level),
                ]
            )
    headings = (_("Region"), _("Type"), _("Overall"), _("Degradation"), _("Largest change (%)"), _("At level"))
    return newTable(name, dict(zip(headings, zip(*rows, strict=True), strict=True)))


def cellsTable(report: Mapping[str, Any], items: Sequence[Item], name: str) -> Any:
    """A row for each cell and region: change, and the error where a real scan was given."""
    rows = []
    for item, cell in zip(items, (report["unperturbed"], *report["cells"]), strict=True):
        for region, result in cell["regions"].items():
            change, error = _percents(result["relative_change"]), result["error"] or {}
            numbers = (change, result["change"]["ssim"], error.get("psnr"), error.get("ssim"))
            rows.append([item.title, str(item.level), item.label, regionTitle(region), *map(_text, numbers)])
    headings = [_("Type"), _("Level"), _("Parameters"), _("Region"), _("Change (%)"), _("SSIM to unperturbed")]
    if any(result["error"] for result in report["unperturbed"]["regions"].values()):
        headings += [_("Error PSNR (dB)"), _("Error SSIM")]
    columns = [*zip(*rows, strict=True)][: len(headings)]
    return newTable(name, dict(zip(headings, columns, strict=True)))


def curvesTable(report: Mapping[str, Any], name: str) -> Any:
    """Level 0 to the highest; a column of changes in % for each region and type."""
    levels = [0, *report["plan"]["levels"]]
    columns: dict[str, list[float | None]] = {}
    for region in report["unperturbed"]["regions"]:
        for perturbation in report["plan"]["perturbations"]:
            changes = {
                cell["level"]: _percents(cell["regions"][region]["relative_change"])
                for cell in report["cells"]
                if cell["perturbation"] == perturbation
            }
            columns[curveColumn(region, perturbation)] = [0.0, *(changes.get(level) for level in levels[1:])]
        if (limit := limitOf(report, region)) is not None:
            columns[curveColumn(region, "limit")] = [100 * limit] * len(levels)
    return _numbersTable(name, {LEVEL_COLUMN: levels, **columns})


def limitOf(report: Mapping[str, Any], region: str) -> float | None:
    """The model's limit for a region's relative change; None if it states none."""
    return next((each["max_relative_change"] for each in report["limits"] if each["region"] == region), None)


def _percents(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"


def _isOf(summary: Mapping[str, Any], region: Mapping[str, Any]) -> bool:
    return (summary["region"], summary["track"]) == (region["region"], region["track"])


def _numbersTable(name: str, columns: Mapping[str, Sequence[float | None]]) -> Any:
    """A new table of numbers, which plots need; nan where there is none."""
    node = newTable(name, {})
    for heading, values in columns.items():
        column = vtk.vtkDoubleArray()
        column.SetName(heading)
        for value in values:
            column.InsertNextValue(math.nan if value is None else float(value))
        node.AddColumn(column)
    return node
