"""The questions of a reading session as widgets: a row of points for a rating, a line for a comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt

RATING_KINDS = ("rating", "real_or_synthetic")
"""``kind`` of MRTranslateLib.review.questions; every other is a comment."""


class ReadingForm:
    """The form of one item; make a new one for the next, so that no answer is carried over."""

    def __init__(self, parent: Any, questions: Sequence[dict[str, Any]], onChanged: Callable[[], None]) -> None:
        """Fill an empty widget.

        Args:
            parent: Has a vertical layout.
            questions: As JSON values: ``kind``, ``name``, ``text``, ``labels``.
            onChanged: Called after every click.
        """
        self._onChanged = onChanged
        self._points: dict[str, list[Any]] = {}
        self._comments: dict[str, Any] = {}
        self._widget = qt.QWidget()
        layout = qt.QVBoxLayout(self._widget)
        layout.setContentsMargins(0, 0, 0, 0)
        for question in questions:
            layout.addWidget(_wrapped(question["text"]))
            if question["kind"] in RATING_KINDS:
                self._addRating(layout, question["name"], question["labels"])
            else:
                edit = qt.QLineEdit()
                edit.setObjectName(f"readingComment_{question['name']}")
                layout.addWidget(edit)
                self._comments[question["name"]] = edit
        self._parentLayout = parent.layout()
        self._parentLayout.addWidget(self._widget)

    @property
    def isComplete(self) -> bool:
        """Whether every rating is given; comments may stay empty."""
        return all(any(button.checked for button in buttons) for buttons in self._points.values())

    @property
    def values(self) -> dict[str, int | str]:
        """The answers by question: 1 and up for ratings."""
        ratings = {
            name: next(point for point, button in enumerate(buttons, start=1) if button.checked)
            for name, buttons in self._points.items()
            if any(button.checked for button in buttons)
        }
        return {**ratings, **{name: str(edit.text) for name, edit in self._comments.items()}}

    def remove(self) -> None:
        """Take the widgets away."""
        self._parentLayout.removeWidget(self._widget)
        self._widget.setParent(None)
        self._widget.deleteLater()

    def _addRating(self, layout: Any, name: str, labels: Sequence[str]) -> None:
        row = qt.QWidget()  # radio buttons of one parent exclude each other
        rowLayout = qt.QHBoxLayout(row)
        rowLayout.setContentsMargins(0, 0, 0, 0)
        self._points[name] = []
        for point, label in enumerate(labels, start=1):
            button = qt.QRadioButton(str(point))
            button.setObjectName(f"readingPoint_{name}_{point}")
            button.setToolTip(label)
            button.connect("toggled(bool)", lambda _checked: self._onChanged())
            rowLayout.addWidget(button)
            self._points[name].append(button)
        layout.addWidget(row)
        layout.addWidget(_wrapped(", ".join(f"{point} {label}" for point, label in enumerate(labels, start=1))))


def _wrapped(text: str) -> Any:
    label = qt.QLabel(text)
    label.setWordWrap(True)
    return label
