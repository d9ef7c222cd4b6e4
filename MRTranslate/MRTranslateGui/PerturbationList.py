"""The list of perturbation types with a box to tick, its tooltips saying what the levels mean."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import qt
from slicer.i18n import tr as _

from MRTranslateLib.robustness.catalogue import BETWEEN_SOURCES, CATALOGUE, Described

VISIBLE_ROWS = 6
SPACING = 2
"""Pixels around each row, or the boxes touch."""


class PerturbationList:
    """Fills and reads a QListWidget."""

    def __init__(self, listWidget: Any, onChanged: Callable[[tuple[str, ...]], None]) -> None:
        """List every kind; ``onChanged`` is told of the chosen ones when the user ticks."""
        self._widget, self._onChanged = listWidget, onChanged
        self._items: dict[str, Any] = {}
        for kind in CATALOGUE:
            item = qt.QListWidgetItem(kind.title)
            item.setToolTip(toolTipOf(kind))
            item.setCheckState(qt.Qt.Unchecked)
            listWidget.addItem(item)
            self._items[kind.name] = item
        listWidget.setSpacing(SPACING)
        rowHeight = listWidget.sizeHintForRow(0) + 2 * SPACING
        listWidget.setFixedHeight(VISIBLE_ROWS * rowHeight + 2 * listWidget.frameWidth)
        listWidget.connect("itemChanged(QListWidgetItem*)", self._onItemChanged)

    def chosen(self) -> tuple[str, ...]:
        """Keys of the ticked kinds, in the order of the list."""
        return tuple(name for name, item in self._items.items() if item.checkState() == qt.Qt.Checked)

    def show(self, chosen: Collection[str], *, hasSeveralSources: bool) -> None:
        """Tick these, and grey what a single source cannot show."""
        blocked = self._widget.blockSignals(True)
        for name, item in self._items.items():
            item.setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)
            possible = hasSeveralSources or name not in BETWEEN_SOURCES
            item.setForeground(qt.QBrush(self._widget.palette.color(_group(possible), qt.QPalette.Text)))
        self._widget.blockSignals(blocked)

    def item(self, name: str) -> Any:
        """The list's item of a kind."""
        return self._items[name]

    def _onItemChanged(self, _item: Any) -> None:
        self._onChanged(self.chosen())


def toolTipOf(kind: Described) -> str:
    """What spoils such a scan, and the parameters of its levels with their units."""
    levels = "\n".join(
        _("Level {level}: {parameters}").format(level=number, parameters=label)
        for number, label in enumerate(kind.levels, 1)
    )
    lone = "\n" + _("Needs at least two scans.") if kind.name in BETWEEN_SOURCES else ""
    return f"{kind.meaning}\n{levels}{lone}"


def _group(possible: bool) -> Any:
    return qt.QPalette.Active if possible else qt.QPalette.Disabled
