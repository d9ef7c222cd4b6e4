"""A finished robustness run into the scene, a step at a time; a run that cannot be taken in leaves nothing behind."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import slicer

from MRTranslateLib.robustness.catalogue import CATALOGUE

from . import Results
from .GzipInTurns import GzipInTurns
from .RawVolumeFile import decodeNifti
from .RobustnessCharts import chartsOf, seriesOf
from .RobustnessResult import (
    BROWSER,
    CELLS,
    CHART,
    CURVES,
    HTML_REPORT,
    ITEMS_ATTRIBUTE,
    JSON_REPORT,
    ROBUSTNESS_ATTRIBUTE,
    SEQUENCE,
    UNPERTURBED,
    RobustnessResult,
    copyMarks,
)
from .RobustnessTables import cellsTable, curvesTable, itemsOf, scoresTable
from .SceneExchange import fillOnto, nodeOf
from .TaskRunner import Step
from .Translation import Order

INDEX_NAME = "perturbation"


class RobustnessImport:
    """One report and its volumes on their way into the scene.

    Attributes:
        result: Once all steps are done.
    """

    def __init__(self, order: Order, report: Mapping[str, Any]) -> None:
        """``order`` says where the sources are, ``report`` is the library's as JSON values."""
        self.result: RobustnessResult | None = None
        self._order, self._report = order, report
        self._titles = {kind.name: kind.title for kind in CATALOGUE}
        self._items = itemsOf(report, self._titles)
        self._made: list[Any] = []
        self._name = f"SYNTHETIC {order.target} from {self._first().GetName()}"

    def steps(self, html: Path, volumes: Mapping[str, Path]) -> Iterator[Step]:
        """What is to be done.

        Args:
            html: The page of the report.
            volumes: File of each cell by its name, the unperturbed one included; empty where none were kept.

        Raises:
            OSError: If a file is missing.
            KeyError: If a volume of a cell is missing.
        """
        yield self._orNothing(lambda: self._makeTables(html))
        if volumes:
            yield self._orNothing(self._makeSequence)
            for index, cell in enumerate((self._report["unperturbed"], *self._report["cells"])):
                packed = GzipInTurns(volumes[f"{cell['perturbation']}_level{cell['level']}_{cell['track']}"])
                yield from map(self._orNothing, packed.steps())
                if index == 0:
                    yield self._orNothing(functools.partial(self._fillUnperturbed, packed))
                    yield self._orNothing(self._markUnperturbed)
                yield self._orNothing(functools.partial(self._addVolume, index, packed))
            yield self._orNothing(self._finishSequence)
        yield self._orNothing(self._place)

    def _orNothing(self, step: Step) -> Step:
        def run() -> None:
            try:
                step()
            except (OSError, ValueError, RuntimeError):
                self._removeAll()
                raise

        return run

    def _removeAll(self) -> None:
        """Also the display nodes that came with volumes."""
        for node in reversed(self._made):
            display = node.GetDisplayNode() if node.IsA("vtkMRMLDisplayableNode") else None
            for doomed in (node, display):
                if doomed is not None:
                    slicer.mrmlScene.RemoveNode(doomed)
        self._made.clear()

    def _makeTables(self, html: Path) -> None:
        report, titles = self._report, self._titles
        name = f"Robustness of {self._name}"
        scores = self._keep(scoresTable(report, titles, name))
        cells = self._keep(cellsTable(report, self._items, f"Cells of {name}"))
        curves = self._keep(curvesTable(report, f"Curves of {name}"))
        for chart in chartsOf(report, titles, curves, name):
            self._made += [chart, *seriesOf(chart)]
            scores.AddNodeReferenceID(CHART, chart.GetID())
        scores.SetAttribute(ROBUSTNESS_ATTRIBUTE, "1")
        scores.SetAttribute(ITEMS_ATTRIBUTE, json.dumps(self._items))
        scores.SetAttribute(Results.TARGET_ATTRIBUTE, self._order.target)
        scores.SetNodeReferenceID(CELLS, cells.GetID())
        scores.SetNodeReferenceID(CURVES, curves.GetID())
        text = json.dumps(report, separators=(",", ":"), ensure_ascii=False)
        scores.SetNodeReferenceID(JSON_REPORT, self._text(f"{name}, JSON", text).GetID())
        page = html.read_text(encoding="utf-8")
        scores.SetNodeReferenceID(HTML_REPORT, self._text(f"{name}, HTML", page).GetID())
        self.result = RobustnessResult(scores)

    def _text(self, name: str, text: str) -> Any:
        node = self._keep(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name))
        node.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)  # a page is too long for XML
        node.SetText(text)
        return node

    def _makeSequence(self) -> None:
        scene, scores = slicer.mrmlScene, self._scores()
        unperturbed = self._keep(Results.newVolume(f"{self._name}, unperturbed"))
        sequence = self._keep(scene.AddNewNodeByClass("vtkMRMLSequenceNode", scene.GenerateUniqueName(self._name)))
        sequence.SetIndexName(INDEX_NAME)
        sequence.SetIndexUnit("")
        sequence.SetIndexTypeFromString("text")
        scores.SetNodeReferenceID(UNPERTURBED, unperturbed.GetID())
        scores.SetNodeReferenceID(SEQUENCE, sequence.GetID())

    def _fillUnperturbed(self, packed: GzipInTurns) -> None:
        fillOnto(self._scores().GetNodeReference(UNPERTURBED), *self._decoded(packed), self._first())

    def _markUnperturbed(self) -> None:
        order, node = self._order, self._scores().GetNodeReference(UNPERTURBED)
        record = {key: self._report[key] for key in ("program", "created", "notice")}
        reference = slicer.mrmlScene.GetNodeByID(order.reference) if order.reference else None
        Results.mark(
            node,
            kind="robustness",
            target=order.target,
            sources={role: nodeOf(nodeID) for role, nodeID in order.sources.items()},
            reference=reference,
            provenance={"model": self._report["case"]["model"], **record},
        )
        Results.matchWindow(node, self._first())

    def _addVolume(self, index: int, packed: GzipInTurns) -> None:
        """Into the sequence, which copies it."""
        volume = slicer.vtkMRMLScalarVolumeNode()
        volume.SetName(f"{self._name} {self._items[index].text}")
        fillOnto(volume, *self._decoded(packed), self._first(), underTransform=False)
        copyMarks(self._scores().GetNodeReference(UNPERTURBED), volume)
        self._scores().GetNodeReference(SEQUENCE).SetDataNodeAtValue(volume, self._items[index].text)
        packed.forget()  # the steps of all volumes live until the last is done

    def _decoded(self, packed: GzipInTurns) -> tuple[Any, Any]:
        return decodeNifti(packed.content(), packed.path.name)

    def _first(self) -> Any:
        return nodeOf(next(iter(self._order.sources.values())))

    def _finishSequence(self) -> None:
        """A browser that shows one of the volumes through a volume node of its own."""
        scene, scores = slicer.mrmlScene, self._scores()
        sequence, unperturbed = scores.GetNodeReference(SEQUENCE), scores.GetNodeReference(UNPERTURBED)
        shown = self._keep(Results.newVolume(f"{self._name} perturbed"))
        shown.CreateDefaultDisplayNodes()  # while it is empty: no time is lost with a window of its own
        like = unperturbed.GetDisplayNode()
        Results.setWindow(shown, like.GetWindow(), like.GetLevel())
        browser = self._keep(scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"Browser of {self._name}"))
        browser.AddSynchronizedSequenceNode(sequence)
        browser.AddProxyNode(shown, sequence, False)
        browser.SetSaveChanges(sequence, False)
        browser.SetOverwriteProxyName(sequence, True)
        browser.SetIndexDisplayMode(slicer.vtkMRMLSequenceBrowserNode.IndexDisplayAsIndexValue)
        scores.SetNodeReferenceID(BROWSER, browser.GetID())
        browser.SetSelectedItemNumber(0)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        shown.SetAndObserveTransformNodeID(self._first().GetTransformNodeID())

    def _place(self) -> None:
        """All of it into one folder beside the source."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        if hierarchy is None:
            return
        item = hierarchy.GetItemByDataNode(self._first())
        parent = hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
        folder = hierarchy.CreateFolderItem(parent, f"Robustness of {self._name}")
        sequence = self._scores().GetNodeReference(SEQUENCE)
        for node in [*self._made]:
            if node is not sequence:
                known = hierarchy.GetItemByDataNode(node)
                hierarchy.SetItemParent(known, folder) if known else hierarchy.CreateItem(folder, node)

    def _scores(self) -> Any:
        if self.result is None:
            raise RuntimeError("the tables come first")
        return self.result.scores

    def _keep(self, node: Any) -> Any:
        self._made.append(node)
        return node
