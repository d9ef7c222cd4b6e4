"""From the panel's inputs to a robustness run in the worker, and its answer into the scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MRTranslateLib.robustness.catalogue import BETWEEN_SOURCES

from . import RobustnessFolder
from .ModelCatalog import ModelEntry
from .Readiness import whatIsMissing
from .RobustnessFolder import CaseDigest
from .RobustnessImport import RobustnessImport
from .SceneExchange import exportMask, exportVolume, nodeOf, problemOf
from .TaskRunner import Step, Task
from .Translation import Order, problemsOf, requestOf, translationTask


@dataclass(frozen=True, kw_only=True)
class RobustnessOrder:
    """One run as the user ordered it.

    Attributes:
        translation: What is translated again and again; asks for nothing but the volume.
        card: Of the model, which decides what the cells hold.
        perturbations: Keys of the library's bank.
        levels: 1..5, ascending.
        adversarial: Also search for a worst case.
        keepVolumes: Take the volume of every cell into the scene.
    """

    translation: Order
    card: Mapping[str, Any]
    perturbations: tuple[str, ...]
    levels: tuple[int, ...]
    adversarial: bool = False
    keepVolumes: bool = True


def bareTranslation(order: Order) -> Order:
    """The order without what a run does not make or take: maps, checks, and a low-resolution target."""
    unasked = {"wantsAttention": False, "wantsUncertainty": False, "wantsChecks": False}
    return replace(order, output=None, lowResolution=None, attention=None, uncertainty=None, **unasked)


@dataclass
class _Run:
    """What is known while the run goes on."""

    order: RobustnessOrder
    folder: Path | None = None
    taken: RobustnessImport | None = None
    digest: CaseDigest = field(default_factory=CaseDigest)


def robustnessTask(order: RobustnessOrder) -> tuple[Task, RunRecord]:
    """The task of an order, whose value is a :class:`RobustnessResult`, and what can be asked of it meanwhile."""
    run = _Run(order)
    task = Task(
        kind="robustness",
        prepare=lambda folder: _exports(run, folder),
        parameters=lambda folder: _parameters(run, folder),
        receive=lambda answer, _folder: _imports(run, answer),
        value=lambda: None if run.taken is None else run.taken.result,
        keepFiles=order.translation.keepFiles,
    )
    return task, RunRecord(run)


class RunRecord:
    """What a run has left behind."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    @property
    def numFinished(self) -> int:
        """Cells that wait to be gone on from."""
        folder = self._run.folder
        return 0 if folder is None else RobustnessFolder.finishedCells(folder, self._run.order.perturbations)


def robustnessProblems(order: RobustnessOrder) -> list[str]:
    """Why these nodes cannot be handed over, a sentence each."""
    named = ((_("Lesion mask"), order.translation.lesionMask), (_("Real reference"), order.translation.reference))
    found = [problemOf(nodeOf(nodeID), name) for name, nodeID in named if nodeID is not None]
    return [*problemsOf(order.translation), *(problem for problem in found if problem is not None)]


def missingForRobustness(order: RobustnessOrder, model: ModelEntry | None) -> list[str]:
    """Everything that keeps the run from starting, one sentence each; empty if it can run."""
    request = requestOf(order.translation, model)
    missing = whatIsMissing(replace(request, problems=robustnessProblems(order)))
    if not order.perturbations:
        missing.append(_("Choose at least one type of perturbation."))
    if len(order.translation.sources) == 1 and {*order.perturbations} & {*BETWEEN_SOURCES}:
        missing.append(_("Misaligned or dropped sources need at least two scans: leave these types out."))
    return missing


def _exports(run: _Run, folder: Path) -> Iterator[Step]:
    order = run.order
    first = next(iter(order.translation.sources.values()))
    for problem in robustnessProblems(order):
        raise ValueError(problem)
    yield from translationTask(order.translation).prepare(folder)
    if order.translation.reference is not None:
        yield lambda: exportVolume(nodeOf(order.translation.reference), folder / "reference.nrrd")
    if order.translation.lesionMask is not None:
        yield lambda: exportMask(nodeOf(order.translation.lesionMask), folder / "lesion_mask.nrrd", nodeOf(first))
    for path in _files(order, folder).values():
        yield lambda path=path: run.digest.addFile(path)
    yield lambda: _claim(run)


def _claim(run: _Run) -> None:
    run.digest.addSettings(
        {
            "card": run.order.card,
            "sources": list(run.order.translation.sources),
            "target": run.order.translation.target,
            "options": {key: run.order.translation.options[key] for key in _DECISIVE_OPTIONS},
        }
    )
    run.folder = run.digest.folder()
    RobustnessFolder.claim(run.folder)


_DECISIVE_OPTIONS = ("registration", "bias_correction", "precision")
"""Those of the library's record of a case; threads and device change nothing but the last digits."""


def _files(order: RobustnessOrder, folder: Path) -> dict[str, Path]:
    """What was written, by the worker's names; a source is named by its contrast."""
    names = list(order.translation.sources)
    optional = {
        "brain_mask": order.translation.brainMask,
        "reference": order.translation.reference,
        "lesion_mask": order.translation.lesionMask,
    }
    names += [name for name, nodeID in optional.items() if nodeID is not None]
    return {name: folder / f"{name}.nrrd" for name in names}


def _parameters(run: _Run, folder: Path) -> dict[str, Any]:
    order = run.order
    files = {name: str(path) for name, path in _files(order, folder).items()}
    parameters: dict[str, Any] = {
        "sources": {role: files.pop(role) for role in order.translation.sources},
        **files,
        "target": order.translation.target,
        "output": str(run.folder),
        "perturbations": list(order.perturbations),
        "levels": list(order.levels),
        "adversarial": order.adversarial,
        "keep_volumes": order.keepVolumes,
        **order.translation.options,
    }
    if order.translation.model is not None:
        parameters["model"] = order.translation.model
    return parameters


def _imports(run: _Run, answer: Mapping[str, Any]) -> Iterator[Step]:
    report = json.loads(Path(answer["json"]).read_text(encoding="utf-8"))
    taken = run.taken = RobustnessImport(run.order.translation, report)
    yield from taken.steps(Path(answer["html"]), {name: Path(path) for name, path in answer["volumes"].items()})
    yield lambda: _forget(run)


def _forget(run: _Run) -> None:
    """All is in the scene."""
    if run.folder is not None and not run.order.translation.keepFiles:
        RobustnessFolder.remove(run.folder)
