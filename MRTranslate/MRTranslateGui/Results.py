"""How a result stands in the scene: marked as synthetic, beside its source, with everything that made it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import slicer.util
from slicer.i18n import tr as _

from .SceneExchange import lieOnOneGrid

SYNTHETIC_ATTRIBUTE = "MRTranslate.Synthetic"
"""``1`` on everything we computed; saved with the scene. Never translated: programs look for it."""
TARGET_ATTRIBUTE = "MRTranslate.Target"
KIND_ATTRIBUTE = "MRTranslate.Kind"
PROVENANCE_ATTRIBUTE = "MRTranslate.Provenance"
SOURCE_REFERENCE = "MRTranslate.Source."
"""Role of the node reference to a source, followed by its contrast."""
FIRST_SOURCE_REFERENCE = "MRTranslate.FirstSource"
REFERENCE_REFERENCE = "MRTranslate.Reference"
RESULT_REFERENCE = "MRTranslate.Synthetic"
"""Role of the reference back from a map, list or table to the volume it is about."""
ATTENTION_REFERENCE = "MRTranslate.Attention"
UNCERTAINTY_REFERENCE = "MRTranslate.Uncertainty"
WRITTEN_UNIT = 1000.0
"""Value of the target brain's 99.5th percentile in a synthetic volume (DESIGN section 3)."""
SAMPLES_FOR_PERCENTILE = 200_000


def syntheticName(target: str, firstSource: Any) -> str:
    """A speaking name; SYNTHETIC comes first, so that no narrow list cuts it off, and is never translated."""
    return f"SYNTHETIC {target} from {firstSource.GetName()}"


def attentionName(target: str, firstSource: Any) -> str:
    """The attention map's name."""
    return f"SYNTHETIC {target} attention from {firstSource.GetName()}"


def uncertaintyName(target: str, firstSource: Any) -> str:
    """The uncertainty map's name."""
    return f"SYNTHETIC {target} uncertainty from {firstSource.GetName()}"


def renameFilled(node: Any, name: str) -> None:
    """Give a result that is filled again the name of what it holds now; a name that the user gave it stays.

    Args:
        node: The result as it was marked before, or a node that holds nothing of ours yet.
        name: One of the names above.
    """
    former = re.escape(node.GetAttribute(TARGET_ATTRIBUTE) or "")
    isOurs = isSynthetic(node) and re.match(rf"SYNTHETIC {former}( attention| uncertainty)? from ", node.GetName())
    if isOurs and not re.fullmatch(rf"{re.escape(name)}(_\d+)?", node.GetName()):
        node.SetName(slicer.mrmlScene.GenerateUniqueName(name))


def nodeByID(nodeID: str | None) -> Any | None:
    """The scene's node of that ID; None for None, and for a node that was deleted."""
    return slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None


def newVolume(name: str) -> Any:
    """An empty scalar volume node with that name, and a number behind it if another node has it."""
    scene = slicer.mrmlScene
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))


def mark(
    node: Any,
    *,
    kind: str,
    target: str,
    sources: Mapping[str, Any],
    reference: Any | None,
    provenance: Mapping[str, Any],
) -> None:
    """Write on the node what it is and how it was made; all of it survives saving the scene.

    Args:
        node: The result.
        kind: ``volume``, ``attention`` or ``uncertainty``.
        target: The synthetic contrast.
        sources: Source nodes by contrast, the first one's grid is the result's.
        reference: Real target for scoring, None without.
        provenance: The library's sidecar as JSON values.
    """
    if "SYNTHETIC" not in node.GetName():
        node.SetName(slicer.mrmlScene.GenerateUniqueName(f"SYNTHETIC {node.GetName()}"))
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, "1")
    node.SetAttribute(KIND_ATTRIBUTE, kind)
    node.SetAttribute(TARGET_ATTRIBUTE, target)
    node.SetAttribute(PROVENANCE_ATTRIBUTE, json.dumps(provenance, separators=(",", ":"), ensure_ascii=True))
    model = provenance.get("model", {})
    for key in ("name", "version", "weights_sha256", "specialist_sha256"):
        if model.get(key) is not None:
            node.SetAttribute(f"MRTranslate.Model.{key}", str(model[key]))
    for role in [role for role in _referenceRoles(node) if role.startswith(SOURCE_REFERENCE)]:
        node.RemoveNodeReferenceIDs(role)
    for contrast, source in sources.items():
        node.SetNodeReferenceID(f"{SOURCE_REFERENCE}{contrast}", source.GetID())
    node.SetNodeReferenceID(FIRST_SOURCE_REFERENCE, next(iter(sources.values())).GetID())
    node.SetNodeReferenceID(REFERENCE_REFERENCE, reference.GetID() if reference is not None else None)


def isSynthetic(node: Any | None) -> bool:
    """Whether we made this node."""
    return node is not None and node.GetAttribute(SYNTHETIC_ATTRIBUTE) == "1"


def provenanceOf(node: Any) -> dict[str, Any]:
    """The record that :func:`mark` wrote; empty if there is none."""
    text = node.GetAttribute(PROVENANCE_ATTRIBUTE)
    return dict(json.loads(text)) if text else {}


def placeBeside(node: Any, source: Any) -> None:
    """Put the node into the source's study or folder of the subject hierarchy, making items that are not there."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return
    sourceItem = hierarchy.GetItemByDataNode(source)
    parent = hierarchy.GetItemParent(sourceItem) if sourceItem else hierarchy.GetSceneItemID()
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def matchWindow(node: Any, like: Any, *, likeUnit: float | None = None) -> None:
    """Show ``node``, whose unit is ``WRITTEN_UNIT``, as bright as ``like`` is shown.

    Args:
        node: A synthetic volume.
        like: Its source or reference.
        likeUnit: 99.5th percentile of the brain in ``like``; estimated from its voxels if None.
    """
    node.CreateDefaultDisplayNodes()
    like.CreateDefaultDisplayNodes()
    shown = like.GetDisplayNode()
    factor = WRITTEN_UNIT / (likeUnit or estimatedUnit(like, brain=node))
    window, level = shown.GetWindow() * factor, shown.GetLevel() * factor
    if not (0 < window < 20 * WRITTEN_UNIT):  # a source that was never windowed sensibly
        window, level = 1.1 * WRITTEN_UNIT, 0.55 * WRITTEN_UNIT
    setWindow(node, window, level)


def setWindow(node: Any, window: float, level: float) -> None:
    """Fix a volume's display window."""
    display = node.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(window, level)


def estimatedUnit(node: Any, *, brain: Any) -> float:
    """The brain's 99.5th percentile in an acquired volume, from a sample of its voxels; a tiny number at least.

    Args:
        node: The acquired volume.
        brain: A synthetic volume, which is 0 outside the brain. If it lies on another grid, all voxels above zero
            count; then skull and fat make the value too high in scans that are not stripped, and it can only steer
            the display.
    """
    voxels = slicer.util.arrayFromVolume(node).ravel()
    step = max(1, voxels.size // SAMPLES_FOR_PERCENTILE)
    sample = voxels[::step]
    counted = sample > 0
    if lieOnOneGrid(node, brain):
        counted &= slicer.util.arrayFromVolume(brain).ravel()[::step] != 0
    return max(float(np.percentile(sample[counted], 99.5)), 1e-6) if counted.any() else 1.0


def describe(node: Any) -> str:
    """One line about a result for labels and tooltips."""
    record = provenanceOf(node)
    model = record.get("model", {})
    return _("Synthetic {target}, model {name} {version}. Not for diagnostic use.").format(
        target=node.GetAttribute(TARGET_ATTRIBUTE), name=model.get("name", "?"), version=model.get("version", "?")
    )


def _referenceRoles(node: Any) -> list[str]:
    return [node.GetNthNodeReferenceRole(index) for index in range(node.GetNumberOfNodeReferenceRoles())]
