"""What the scene knows of a volume that helps to tell its contrast: names, DICOM tags, intensities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer
import slicer.util
from slicer.i18n import tr as _

from .Results import isSynthetic
from .RoleGuess import RoleGuesses, VolumeFacts, doubtOf, guessRole, guessRoles

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"
_TEXT_TAGS = {"0008,103e": "series description", "0018,1030": "protocol name"}
_MODALITY, _SEQUENCE, _AGENT = "0008,0060", "0018,0020", "0018,0010"
_ECHO, _REPETITION, _INVERSION = "0018,0081", "0018,0080", "0018,0082"
STRIPPED_SHARE = 0.3
"""A volume with at least this share of exact zeros has its background removed, so that brain can be told from it."""
COARSE_MM = 4.0
"""Intensities are looked at on about this grid: enough for cortex against deep tissue, and quick."""


def factsOf(node: Any) -> VolumeFacts:
    """Everything known of one scalar volume node."""
    return replace(namesOf(node), likely=_likelyContrasts(node))


def namesOf(node: Any) -> VolumeFacts:
    """What people and scanner wrote about one scalar volume node; its voxels are not looked at."""
    tags = _tagsOf(node)
    texts = (node.GetName() or "", *(tags.get(tag, "") for tag in _TEXT_TAGS))
    return VolumeFacts(
        nodeID=node.GetID(),
        texts=tuple(text for text in texts if text),
        modality=tags.get(_MODALITY, ""),
        echoTimeMs=_number(tags.get(_ECHO)),
        repetitionTimeMs=_number(tags.get(_REPETITION)),
        inversionTimeMs=_number(tags.get(_INVERSION)),
        scanningSequence=tags.get(_SEQUENCE, ""),
        contrastAgent=tags.get(_AGENT, ""),
        synthetic=isSynthetic(node),
    )


def guessFromScene() -> tuple[RoleGuesses, list[str]]:
    """Roles of the scalar volumes that the scene shows to users, and those roles that the intensities speak against."""
    facts = {
        node.GetID(): factsOf(node)
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetClassName() == "vtkMRMLScalarVolumeNode"
        and not node.GetHideFromEditors()
        and node.GetImageData() is not None
    }
    guesses = guessRoles(facts.values())
    return guesses, [role for role, nodeID in guesses.chosen.items() if doubtOf(facts[nodeID], role)]


def doubtOfReference(reference: Any | None, target: str) -> str:
    """A sentence if a reference is named like another contrast than ``target``; empty if not."""
    named = None if reference is None else guessRole(namesOf(reference))
    if named is None or not target or named == target:
        return ""
    return _("By its name the reference {name} is {named}, not {target}: check it under Optional inputs.").format(
        name=reference.GetName(), named=named, target=target
    )


def _tagsOf(node: Any) -> dict[str, str]:
    """The first instance's tags from Slicer's DICOM database; none for volumes that did not come from there."""
    instances = (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not instances or database is None:
        return {}
    wanted = (*_TEXT_TAGS, _MODALITY, _SEQUENCE, _AGENT, _ECHO, _REPETITION, _INVERSION)
    return {tag: str(database.instanceValue(instances[0], tag) or "") for tag in wanted}


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _likelyContrasts(node: Any) -> frozenset[str] | None:
    """What the intensities allow; None if the background was not removed or the library cannot be used yet."""
    try:
        from MRTranslateLib.preprocessing.contrast_check import likely_contrasts
        from MRTranslateLib.volume import Volume
    except ImportError:  # the library's packages are installed on first use
        return None
    steps = [max(1, round(COARSE_MM / mm)) for mm in node.GetSpacing()]
    coarse = slicer.util.arrayFromVolume(node)[:: steps[2], :: steps[1], :: steps[0]]
    if coarse.ndim != 3 or min(coarse.shape) < 8 or not np.isfinite(coarse).all():
        return None
    if np.count_nonzero(coarse == 0) < STRIPPED_SHARE * coarse.size or not (coarse > 0).any():
        return None
    values = coarse.transpose(2, 1, 0)
    affine = np.diag([*(mm * step for mm, step in zip(node.GetSpacing(), steps, strict=True)), 1.0])
    found = likely_contrasts(Volume(values, affine), Volume(values > 0, affine))
    return frozenset(contrast.value for contrast in found)
