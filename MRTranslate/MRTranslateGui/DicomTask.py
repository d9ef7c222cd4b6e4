"""A result of the scene as DICOM, written by the library: Slicer's own export would file it as an original scan."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from .Results import isSynthetic, provenanceOf
from .SceneExchange import exportVolume, nodeOf
from .TaskRunner import Step, Task
from .TrustNodes import trustOf


def dicomTask(synthetic: Any, series: Path, output: Path, *, maps: bool) -> Task:
    """The task whose value is the list of files.

    Args:
        synthetic: A result that has not been changed since it was made.
        series: Folder of an acquired series of the same person.
        output: A new or empty folder.
        maps: Whether to write the result's attention and uncertainty map too.

    Raises:
        ValueError: If the node is no result of ours, or nothing tells how it was made.
    """
    record = provenanceOf(synthetic) if isSynthetic(synthetic) else {}
    if not record:
        raise ValueError(_("{name} is no result of MRTranslate: choose one.").format(name=synthetic.GetName()))
    trust = trustOf(synthetic)
    made = {"result": synthetic}
    if maps:
        both = {"attention": trust.attention, "uncertainty": trust.uncertainty}
        made |= {name: node for name, node in both.items() if node is not None and record.get(name) is not None}
    identifiers = {name: node.GetID() for name, node in made.items()}
    files: list[str] = []

    def prepare(folder: Path) -> Iterator[Step]:
        for name, nodeID in identifiers.items():
            yield lambda name=name, nodeID=nodeID: exportVolume(nodeOf(nodeID), folder / f"{name}.nrrd")
        yield lambda: (folder / "result.json").write_text(json.dumps(record), encoding="utf-8")

    def parameters(folder: Path) -> Mapping[str, Any]:
        exported = {name: str(folder / f"{name}.nrrd") for name in identifiers}
        return {**exported, "series": str(series), "output": str(output)}

    def receive(answer: Mapping[str, Any], _folder: Path) -> Iterable[Step]:
        for warning in answer["warnings"]:
            logging.warning("MRTranslate: %s", warning)
        files.extend(answer["files"])
        return ()

    return Task(kind="dicom", prepare=prepare, parameters=parameters, receive=receive, value=lambda: files)
