"""What was measured of a result as nodes that it refers to, so that a saved scene brings them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from . import Results
from .TableNode import newTable
from .TrustText import HALLUCINATION, findingsOf, hardSpotsOf, regionsOf

HARD_SPOTS_REFERENCE = "MRTranslate.HardSpots"
FINDINGS_REFERENCE = "MRTranslate.Findings"
REGIONS_REFERENCE = "MRTranslate.Regions"
HARD_SPOT_COLOR = (1.0, 0.6, 0.0)
FINDING_COLOR = (1.0, 0.1, 0.3)
_HEADINGS: dict[str, Callable[[], str]] = {
    "mean": lambda: _("mean"),
    "mean_half_width": lambda: _("mean of ±90 %"),
    "percentile_95": lambda: _("95th percentile"),
}


@dataclass(frozen=True)
class Trust:
    """The nodes that say where a result may be believed; None for what was not measured or was deleted.

    Attributes:
        attention: Scalar volume, 0..1.
        uncertainty: Scalar volume, half-width of the 90 % interval in the result's unit.
        hardSpots: Markups list of the hardest regions, the largest first.
        findings: Markups list of structures that may be invented or may have vanished; a sentence describes each.
        regions: Table with a row a region.
    """

    attention: Any = None
    uncertainty: Any = None
    hardSpots: Any = None
    findings: Any = None
    regions: Any = None


REFERENCES = {
    "attention": Results.ATTENTION_REFERENCE,
    "uncertainty": Results.UNCERTAINTY_REFERENCE,
    "hardSpots": HARD_SPOTS_REFERENCE,
    "findings": FINDINGS_REFERENCE,
    "regions": REGIONS_REFERENCE,
}


def trustOf(volume: Any | None) -> Trust:
    """The nodes that a result refers to."""
    if not Results.isSynthetic(volume):
        return Trust()
    return Trust(**{name: volume.GetNodeReference(role) for name, role in REFERENCES.items()})


def forget(volume: Any) -> None:
    """The result was made anew: what was measured of the former one stays in the scene, hidden and on its own.

    Nothing is removed or written over: a reader may have noted something there.
    """
    former = trustOf(volume)
    for points in (former.hardSpots, former.findings):
        if points is not None:
            points.SetDisplayVisibility(False)
    for role in REFERENCES.values():
        volume.RemoveNodeReferenceIDs(role)


def addTo(volume: Any, first: Any, record: Mapping[str, Any]) -> None:
    """Make the lists and the table of a result's record and let the result refer to them.

    Args:
        volume: The result.
        first: Its first source, in whose space the record's positions are.
        record: The library's sidecar as JSON values.
    """
    if record.get("attention") is not None:
        _refer(volume, HARD_SPOTS_REFERENCE, _hardSpotList(volume, first, hardSpotsOf(record)))
    if record.get("checks") is not None:
        _refer(volume, FINDINGS_REFERENCE, _findingList(volume, first, findingsOf(record)))
    if columns := _regionColumns(record):
        _refer(volume, REGIONS_REFERENCE, newTable(f"Regions of {volume.GetName()}", columns))


def _refer(volume: Any, role: str, node: Any) -> None:
    node.SetAttribute(Results.SYNTHETIC_ATTRIBUTE, "1")
    node.SetAttribute(Results.KIND_ATTRIBUTE, role.rpartition(".")[2])
    node.SetNodeReferenceID(Results.RESULT_REFERENCE, volume.GetID())
    volume.SetNodeReferenceID(role, node.GetID())


def _hardSpotList(volume: Any, first: Any, spots: Sequence[Mapping[str, Any]]) -> Any:
    points = _pointList(f"Hard spots of {volume.GetName()}", first, HARD_SPOT_COLOR)
    for number, spot in enumerate(spots, start=1):
        label = _("hard {number}: {volume:.1f} ml").format(number=number, volume=spot["volume_ml"])
        text = _("Hard for the model: attention {mean:.2f} on average, {maximum:.2f} at most, over {volume:.1f} ml.")
        words = text.format(mean=spot["mean"], maximum=spot["maximum"], volume=spot["volume_ml"])
        _addPoint(points, spot["position_mm"], label, words)
    return points


def _findingList(volume: Any, first: Any, findings: Sequence[Mapping[str, Any]]) -> Any:
    points = _pointList(f"Findings of {volume.GetName()}", first, FINDING_COLOR)
    texts = {True: _("invented? {number}: {volume:.1f} ml"), False: _("vanished? {number}: {volume:.1f} ml")}
    numbers = {True: 0, False: 0}
    for finding in findings:
        isInvented = finding["kind"] == HALLUCINATION
        numbers[isInvented] += 1
        label = texts[isInvented].format(number=numbers[isInvented], volume=finding["volume_ml"])
        _addPoint(points, finding["center_ras_mm"], label, finding["sentence"])
    return points


def _pointList(name: str, first: Any, color: tuple[float, float, float]) -> Any:
    """An empty markups list that moves with the first source, as the result does; points not selected are dim."""
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", slicer.mrmlScene.GenerateUniqueName(name))
    points.CreateDefaultDisplayNodes()
    inSlices = points.GetDisplayNode()
    inSpace = slicer.mrmlScene.AddNewNodeByClass(inSlices.GetClassName())  # where twenty labels would cover each other
    points.AddAndObserveDisplayNodeID(inSpace.GetID())
    inSlices.SetVisibility3D(False)
    inSlices.SetGlyphType(inSlices.ThickCross2D)
    inSlices.SetTextScale(2.5)
    inSpace.SetVisibility2D(False)
    inSpace.SetPointLabelsVisibility(False)
    for display, glyphScale in ((inSlices, 4.0), (inSpace, 2.0)):
        display.SetSelectedColor(*color)
        display.SetColor(*(0.6 * channel for channel in color))
        display.SetGlyphScale(glyphScale)
    points.SetAndObserveTransformNodeID(first.GetTransformNodeID())
    points.SetLocked(True)
    return points


def _addPoint(points: Any, position: Sequence[float], label: str, description: str) -> None:
    index = points.AddControlPointWorld(vtk.vtkVector3d(*position), label)
    points.SetNthControlPointDescription(index, description)


def _regionColumns(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Cells by heading: regions by name, one column a number, attention before uncertainty."""
    parts = {_("attention"): regionsOf(record, "attention"), _("uncertainty"): regionsOf(record, "uncertainty")}
    sizes = {region["name"]: region["volume_ml"] for regions in parts.values() for region in regions}
    if not sizes:
        return {}
    columns = {_("Region"): [*sizes], _("Volume (ml)"): [f"{size:.1f}" for size in sizes.values()]}
    for part, regions in parts.items():
        byName = {region["name"]: region for region in regions}
        keys = [key for key in (regions[0] if regions else {}) if key not in ("name", "volume_ml")]
        for key in keys:
            heading = f"{part}, {_HEADINGS[key]() if key in _HEADINGS else key.replace('_', ' ')}"
            columns[heading] = [_cell(byName.get(name, {}).get(key)) for name in sizes]
    return columns


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
