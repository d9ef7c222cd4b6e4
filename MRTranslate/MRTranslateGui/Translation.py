"""From nodes to a synthetic node: what is written for the worker, and how its answer stands in the scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from . import Results, TrustNodes
from .ModelCatalog import ModelEntry
from .Readiness import Request
from .SceneExchange import exportMask, exportVolume, importOnto, nodeOf, problemOf
from .TaskRunner import Step, Task


@dataclass(frozen=True, kw_only=True)
class Order:
    """One translation as the user ordered it. Nodes are held by ID: they may be deleted while it runs.

    Attributes:
        sources: Node ID by contrast, at least one; the first one's grid is the result's.
        target: Contrast to make.
        model: Name or folder, None for the shipped one.
        lowResolution: Node ID of an acquired low-resolution target.
        brainMask: Node ID of a segmentation or labelmap.
        reference: Node ID of a real target; only remembered on the result.
        output: Node ID to fill, None for a new node.
        wantsAttention: Whether an attention map is made too.
        attention: Node ID to fill, None for a new node.
        wantsUncertainty: Whether an uncertainty map is made too.
        uncertainty: Node ID to fill, None for a new node.
        wantsChecks: Whether hallucinated and vanished structures are looked for.
        lesionMask: Node ID of a segmentation or labelmap: the regions in which the maps are measured.
        options: ``device``, ``threads``, ``precision``, ``registration``, ``bias_correction`` as for the library.
        keepFiles: Keep the temporary files.
    """

    sources: Mapping[str, str]
    target: str
    model: str | None = None
    lowResolution: str | None = None
    brainMask: str | None = None
    reference: str | None = None
    output: str | None = None
    wantsAttention: bool = False
    attention: str | None = None
    wantsUncertainty: bool = False
    uncertainty: str | None = None
    wantsChecks: bool = False
    lesionMask: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    keepFiles: bool = False

    @property
    def usedLesionMask(self) -> str | None:
        """The lesion mask if something is measured in it; the library refuses one that nobody asks for."""
        return self.lesionMask if self.wantsAttention or self.wantsUncertainty else None


@dataclass
class Translated:
    """What a translation gave; filled while it is taken in."""

    volume: Any = None
    attention: Any = None
    uncertainty: Any = None
    warnings: tuple[str, ...] = ()


def translationTask(order: Order) -> Task:
    """The task of an order; its value is a :class:`Translated`."""
    result = Translated()
    return Task(
        kind="translate",
        prepare=lambda folder: _exports(order, folder),
        parameters=lambda folder: _parameters(order, folder),
        receive=lambda answer, folder: _imports(order, result, answer, folder),
        value=lambda: result,
        keepFiles=order.keepFiles,
    )


def problemsOf(order: Order) -> list[str]:
    """Why these nodes cannot be handed over, a sentence each."""
    named = [*order.sources.items()]
    for name, nodeID in (
        (_("Low-resolution target"), order.lowResolution),
        (_("Brain mask"), order.brainMask),
        (_("Lesion mask"), order.usedLesionMask),
    ):
        if nodeID is not None:
            named.append((name, nodeID))
    problems = (problemOf(nodeOf(nodeID), name) for name, nodeID in named)
    return [problem for problem in problems if problem is not None]


def requestOf(order: Order, model: ModelEntry | None) -> Request:
    """The order as it is held against what is possible.

    Args:
        order: What the user wants.
        model: The model that it names, None if there is none.
    """
    maps = ((order.wantsAttention, order.attention), (order.wantsUncertainty, order.uncertainty))
    outputs = tuple(node for node in (order.output, *(n for wanted, n in maps if wanted)) if node is not None)
    filled = [node for node in map(Results.nodeByID, outputs) if node is not None and node.GetImageData() is not None]
    return Request(
        sources=order.sources,
        target=order.target,
        model=model,
        lowResolution=order.lowResolution,
        brainMask=order.brainMask,
        lesionMask=order.lesionMask,
        reference=order.reference,
        outputs=outputs,
        acquiredOutputs=tuple(node.GetName() for node in filled if not Results.isSynthetic(node)),
        replacedResults=tuple(node.GetName() for node in filled if Results.isSynthetic(node)),
        attention=order.wantsAttention,
        uncertainty=order.wantsUncertainty,
        problems=problemsOf(order),
    )


def _exports(order: Order, folder: Path) -> Iterator[Step]:
    first = next(iter(order.sources.values()))
    for problem in problemsOf(order):
        raise ValueError(problem)
    for role, nodeID in order.sources.items():
        yield lambda role=role, nodeID=nodeID: exportVolume(nodeOf(nodeID), folder / f"{role}.nrrd")
    if order.lowResolution is not None:
        yield lambda: exportVolume(nodeOf(order.lowResolution), folder / "low_resolution.nrrd")
    if order.brainMask is not None:
        yield lambda: exportMask(nodeOf(order.brainMask), folder / "brain_mask.nrrd", nodeOf(first))
    if order.usedLesionMask is not None:
        yield lambda: exportMask(nodeOf(order.usedLesionMask), folder / "lesion_mask.nrrd", nodeOf(first))


def _parameters(order: Order, folder: Path) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "sources": {role: str(folder / f"{role}.nrrd") for role in order.sources},
        "target": order.target,
        "output": str(folder / "synthetic.nii"),
        **order.options,
    }
    if order.model is not None:
        parameters["model"] = order.model
    if order.brainMask is not None:
        parameters["brain_mask"] = str(folder / "brain_mask.nrrd")
    if order.lowResolution is not None:
        parameters["low_resolution"] = str(folder / "low_resolution.nrrd")
    if order.wantsAttention:
        parameters["attention"] = str(folder / "attention.nii")
    if order.wantsUncertainty:
        parameters["uncertainty"] = str(folder / "uncertainty.nii")
    if order.wantsChecks:
        parameters["checks"] = True
    if order.usedLesionMask is not None:
        parameters["lesion_mask"] = str(folder / "lesion_mask.nrrd")
    return parameters


def _imports(order: Order, result: Translated, answer: Mapping[str, Any], folder: Path) -> Iterator[Step]:
    result.warnings = (*answer["warnings"], *answer["fallbacks"])
    provenance = json.loads(Path(answer["sidecar"]).read_text(encoding="utf-8"))
    yield lambda: _importVolume(order, result, Path(answer["output"]), provenance)
    if order.wantsAttention:
        yield lambda: _importMap(order, result, "attention", folder / "attention.nii", provenance)
    if order.wantsUncertainty:
        yield lambda: _importMap(order, result, "uncertainty", folder / "uncertainty.nii", provenance)
    yield lambda: TrustNodes.addTo(result.volume, nodeOf(next(iter(order.sources.values()))), provenance)
    yield lambda: _finish(order, result, provenance)


def _filled(path: Path, nodeID: str | None, name: str, first: Any) -> Any:
    """The chosen node, or a new one, with the file's voxels and its name; a new one does not outlive a failure."""
    known = slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None
    node = known or Results.newVolume(name)
    try:
        importOnto(path, node, first)
    except (OSError, ValueError):
        if known is None:
            slicer.mrmlScene.RemoveNode(node)
        raise
    Results.renameFilled(node, name)
    return node


def _importVolume(order: Order, result: Translated, path: Path, provenance: Mapping[str, Any]) -> None:
    sources = {role: nodeOf(nodeID) for role, nodeID in order.sources.items()}
    first = next(iter(sources.values()))
    node = _filled(path, order.output, Results.syntheticName(order.target, first), first)
    reference = slicer.mrmlScene.GetNodeByID(order.reference) if order.reference else None
    Results.mark(node, kind="volume", target=order.target, sources=sources, reference=reference, provenance=provenance)
    TrustNodes.forget(node)
    result.volume = node


def _importMap(order: Order, result: Translated, kind: str, path: Path, provenance: Mapping[str, Any]) -> None:
    """Take in the attention or uncertainty map, and let result and map know each other."""
    sources = {role: nodeOf(nodeID) for role, nodeID in order.sources.items()}
    first = next(iter(sources.values()))
    chosen, nameOf, reference = {
        "attention": (order.attention, Results.attentionName, Results.ATTENTION_REFERENCE),
        "uncertainty": (order.uncertainty, Results.uncertaintyName, Results.UNCERTAINTY_REFERENCE),
    }[kind]
    node = _filled(path, chosen, nameOf(order.target, first), first)
    Results.mark(node, kind=kind, target=order.target, sources=sources, reference=None, provenance=provenance)
    former = node.GetNodeReference(Results.RESULT_REFERENCE)
    if former is not None:  # its map was written over
        former.RemoveNodeReferenceIDs(reference)
    node.SetNodeReferenceID(Results.RESULT_REFERENCE, result.volume.GetID())
    result.volume.SetNodeReferenceID(reference, node.GetID())
    setattr(result, kind, node)


def _finish(order: Order, result: Translated, provenance: Mapping[str, Any]) -> None:
    first = nodeOf(next(iter(order.sources.values())))
    unit = next((float(source["percentile_value"]) for source in provenance.get("sources", ())), None)
    reference = slicer.mrmlScene.GetNodeByID(order.reference) if order.reference else None
    if reference is not None:
        Results.matchWindow(result.volume, reference)
    else:
        Results.matchWindow(result.volume, first, likeUnit=unit)
    for node in (result.volume, result.attention, result.uncertainty):
        if node is not None:
            Results.placeBeside(node, first)
