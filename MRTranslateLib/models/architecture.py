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
    def layers(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Name and parameters of each network from within, since networks that hold another name it beside it."""
        layers = [(self.name, self.parameters)]
        while "architecture" in (outer := layers[0][1]):
            layers.insert(0, (outer["architecture"], outer["parameters"]))
        return tuple(layers)

    @property
    def names(self) -> tuple[str, ...]:
        """``unet25d``, ``refined``, ``levelled``: from within."""
        return tuple(name for name, _ in self.layers)
