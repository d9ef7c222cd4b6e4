"""Which network weights belong to."""

from __future__ import annotations

from typing import Any

from MRTranslateLib.models.part import Part, Sentence


class Architecture(Part, frozen=True, kw_only=True):
    """Which network the weights belong to.

    Attributes:
        name: Key of the network, for example ``unet25d``.
        parameters: Its constructor's keyword arguments, as JSON values.
    """

    name: Sentence
    parameters: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """``unet25d``, ``refined``, ``levelled``: from within, since networks that hold another name it beside it."""
        names, parameters = [self.name], self.parameters
        while "architecture" in parameters:
            names.insert(0, parameters["architecture"])
            parameters = parameters["parameters"]
        return tuple(names)
