"""A batch over a folder or a case list in the worker; its table comes into the scene, its volumes stay on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from .TableNode import newTable
from .TaskRunner import Step, Task

FOLDER_ATTRIBUTE = "MRTranslate.BatchFolder"
STATE_COLUMN, DONE = "state", "done"
CANCEL_MSEC = 5000
"""A cancelled batch stops its own workers and writes its table, which takes a second or two."""


def batchTask(parameters: Mapping[str, Any]) -> Task:
    """The task whose value is the table node.

    Args:
        parameters: ``MRTranslateLib.worker.batch.BatchParameters`` as JSON values.
    """
    made: list[Any] = []

    def receive(answer: Mapping[str, Any], _folder: Path) -> Iterator[Step]:
        yield lambda: made.append(batchTable(answer, parameters["target"], parameters["output"]))

    return Task(
        kind="batch",
        parameters=lambda _folder: parameters,
        receive=receive,
        value=lambda: made[0],
        cancelMilliseconds=CANCEL_MSEC,
    )


def batchTable(answer: Mapping[str, Any], target: str, output: str) -> Any:
    """A new table node with one row a case; its description counts them."""
    columns: Sequence[str] = answer["columns"]
    rows: Sequence[Sequence[str]] = answer["rows"]
    node = newTable(
        _("Batch {target}").format(target=target),
        {heading: [row[at] for row in rows] for at, heading in enumerate(columns)},
    )
    numDone = sum(row[columns.index(STATE_COLUMN)] == DONE for row in rows)
    node.SetDescription(_("{done} of {all} cases have a result").format(done=numDone, all=len(rows)))
    node.SetAttribute(FOLDER_ATTRIBUTE, output)
    return node
