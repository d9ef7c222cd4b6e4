"""A robustness run as it stands in the scene: nodes that refer to each other, saved with it and found again in it.

The table of scores is the node that the user chooses and from which all others are found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from slicer.i18n import tr as _

ROBUSTNESS_ATTRIBUTE = "MRTranslate.Robustness"
"""``1`` on the table of scores; never translated: programs look for it."""
ITEMS_ATTRIBUTE = "MRTranslate.Robustness.Items"
REGION_ATTRIBUTE = "MRTranslate.Robustness.Region"
SEQUENCE, BROWSER, UNPERTURBED = (f"{ROBUSTNESS_ATTRIBUTE}.{name}" for name in ("Sequence", "Browser", "Unperturbed"))
CELLS, CURVES, CHART = (f"{ROBUSTNESS_ATTRIBUTE}.{name}" for name in ("Cells", "Curves", "Chart"))
JSON_REPORT, HTML_REPORT = (f"{ROBUSTNESS_ATTRIBUTE}.{name}" for name in ("JsonReport", "HtmlReport"))


class Item(NamedTuple):
    """One volume of the sequence: key and title of the perturbation, its level, and the level's meaning."""

    perturbation: str
    title: str
    level: int
    label: str

    @property
    def text(self) -> str:
        """``Motion, level 3 (2 degrees, ...)``: what the sequence is indexed by."""
        label = f" ({self.label})" if self.label else ""
        return f"{self.title}, level {self.level}{label}" if self.level else self.title


class RobustnessResult:
    """Reads the nodes of one run."""

    def __init__(self, scores: Any) -> None:
        """``scores`` is a table for which :func:`isRobustnessResult` holds."""
        self.scores = scores

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The unperturbed result first, then type by type with rising level."""
        return tuple(Item(*values) for values in json.loads(self.scores.GetAttribute(ITEMS_ATTRIBUTE)))

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """The library's report as JSON values; empty if its text was deleted."""
        node = self._node(JSON_REPORT)
        return json.loads(node.GetText()) if node is not None and node.GetText() else {}

    @property
    def types(self) -> dict[str, str]:
        """Titles of the perturbations by key, in order."""
        return {item.perturbation: item.title for item in self.items if item.level}

    @property
    def sequence(self) -> Any:
        """The volumes; None where none were kept."""
        return self._node(SEQUENCE)

    @property
    def browser(self) -> Any:
        """What scrolls in them; None where there are none."""
        return self._node(BROWSER)

    @property
    def shownVolume(self) -> Any:
        """The volume node that shows the chosen one of the sequence; None where there is none."""
        sequence, browser = self.sequence, self.browser
        return None if sequence is None or browser is None else browser.GetProxyNode(sequence)

    @property
    def unperturbed(self) -> Any:
        """The result of the sources as they are; None where no volumes were kept."""
        return self._node(UNPERTURBED)

    @property
    def cells(self) -> Any:
        """The table with a row for each cell and region."""
        return self._node(CELLS)

    @property
    def charts(self) -> dict[str, Any]:
        """The chart of each region, by its key."""
        count = self.scores.GetNumberOfNodeReferences(CHART)
        found = (self.scores.GetNthNodeReference(CHART, index) for index in range(count))
        return {chart.GetAttribute(REGION_ATTRIBUTE): chart for chart in found if chart is not None}

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict and, where it was looked for, the worst case."""
        told = list(self.report.get("verdict", {}).get("sentences", ()))
        if found := self.report.get("adversarial"):
            told.append(_worstCase(found))
        return tuple(told)

    @property
    def shownItem(self) -> int:
        """Index of the volume that the browser shows; 0 is the unperturbed one."""
        browser = self.browser
        return 0 if browser is None else min(max(browser.GetSelectedItemNumber(), 0), len(self.items) - 1)

    def show(self, index: int) -> None:
        """Let the browser show this volume of the sequence in whatever views have it."""
        if self.browser is not None and self.browser.GetSelectedItemNumber() != index:
            self.browser.SetSelectedItemNumber(index)

    def change(self, index: int, region: str) -> float | None:
        """Relative change of a region in one of the items, 0.1 is 10 %; None where there is none."""
        item = self.items[index]
        for cell in self.report.get("cells", ()):
            if (cell["perturbation"], cell["level"]) == (item.perturbation, item.level) and region in cell["regions"]:
                return cell["regions"][region]["relative_change"]
        return None

    def saveReport(self, path: Path) -> tuple[Path, Path]:
        """Write the page to ``path`` and the numbers beside it; returns both files.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If the report's texts were deleted from the scene.
        """
        page, numbers = self._node(HTML_REPORT), self._node(JSON_REPORT)
        if page is None or numbers is None:
            raise ValueError(_("The report of this run was deleted from the scene: run it again."))
        files = path.with_suffix(".html"), path.with_suffix(".json")
        for file, node in zip(files, (page, numbers), strict=True):
            file.write_text(node.GetText(), encoding="utf-8")
        return files

    def _node(self, role: str) -> Any:
        return self.scores.GetNodeReference(role)


def isRobustnessResult(node: Any | None) -> bool:
    """Whether this is the table of scores of a run."""
    return node is not None and node.GetAttribute(ROBUSTNESS_ATTRIBUTE) == "1"


def restoreMarks(result: RobustnessResult) -> None:
    """Mark the sequence's volumes as synthetic again: files written before Slicer 5.10 lose their attributes."""
    unperturbed, sequence = result.unperturbed, result.sequence
    if unperturbed is None or sequence is None:
        return
    volumes = [sequence.GetNthDataNode(index) for index in range(sequence.GetNumberOfDataNodes())]
    for node in (*volumes, result.shownVolume):
        if node is not None:
            copyMarks(unperturbed, node)


def copyMarks(marked: Any, node: Any) -> None:
    """Give ``node`` the attributes by which ``marked`` is known as one of our results."""
    for name in marked.GetAttributeNames():
        if name.startswith("MRTranslate.") and node.GetAttribute(name) is None:
            node.SetAttribute(name, marked.GetAttribute(name))


def _worstCase(found: Mapping[str, Any]) -> str:
    what = _("change of the result") if found["score"] == "change" else _("error against the real scan")
    return _(
        "Worst case found by search in {slices} slices: the mean {what} goes from {clean:.4f} to {worst:.4f} "
        "({relative:.0f} % of the brain's mean) when no voxel changes by more than {most:.0f}/255; the report shows it."
    ).format(
        slices=len(found["slices"]),
        what=what,
        clean=found["clean_score"],
        worst=found["worst_score"],
        relative=100 * found["relative"],
        most=255 * found["max_change"],
    )
