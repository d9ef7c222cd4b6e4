"""The models on this computer, read from their cards with nothing but the standard library.

Slicer has no msgspec until the packages are installed, and the panel must show what is offered before that. The card
is only shown and asked for its routes here; the library checks every byte of it before a network runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import MRTranslateLib

SHIPPED_FOLDER = Path(MRTranslateLib.__file__).resolve().parents[1] / "Resources" / "Models"


@dataclass(frozen=True)
class ModelEntry:
    """One model with its card as plain JSON values."""

    folder: Path
    shipped: bool
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        """By which the library finds it."""
        return str(self.card["name"])

    @property
    def version(self) -> str:
        """``major.minor.patch``."""
        return str(self.card["version"])

    @property
    def sources(self) -> tuple[str, ...]:
        """Contrasts it takes."""
        return tuple(self.card["sources"])

    @property
    def usesLowResolution(self) -> bool:
        """Whether it comes with the super-resolution branch for an acquired low-resolution target (system C)."""
        return self._has("super_resolution")

    @property
    def makesAttention(self) -> bool:
        """Whether it comes with the local discriminator that gives the attention map (system B)."""
        return self._has("local_discriminator")

    def isCalibratedFor(self, target: str) -> bool:
        """Whether it was measured how wide the interval is that holds 90 % of a contrast's errors; ``""`` for any."""
        return any(target in ("", table["target"]) for table in self.card.get("uncertainty_calibrations", ()))

    def isCalibratedWithLowResolution(self, target: str) -> bool:
        """The same for results from an acquired low-resolution target of that contrast."""
        rows = self.card.get("low_resolution_uncertainty", ())
        return any(target in ("", row["calibration"]["target"]) for row in rows)

    def _has(self, component: str) -> bool:
        """Whether the bundle holds a network of that name beside the generator; cards without any lack the key."""
        return self.card.get("components", {}).get(component) is not None

    def targetsFor(self, sources: Collection[str]) -> tuple[str, ...]:
        """The contrasts it makes from these sources; none if it cannot take all of them."""
        return tuple(target for target in self.card["targets"] if self.offers(sources, target))

    def offers(self, sources: Collection[str], target: str) -> bool:
        """Whether the route is offered; same rule as ``ModelCard.offers`` of the library (a test compares them)."""
        given = set(sources)
        return bool(given) and given <= set(self.sources) and target in self.card["targets"] and target not in given

    def qualityOn(self, sources: Collection[str], target: str) -> Mapping[str, Any] | None:
        """The measured quality of exactly this route, None if it was not measured."""
        for row in self.card["quality"]:
            if set(row["sources"]) == set(sources) and row["target"] == target:
                return dict(row)
        return None


@dataclass(frozen=True)
class Catalog:
    """All models that can be shown, the default first, and what is wrong with the others."""

    models: tuple[ModelEntry, ...]
    problems: tuple[str, ...]

    def find(self, name: str) -> ModelEntry | None:
        """The model of that name; the default for an empty or unknown name; None if there is no model."""
        for model in self.models:
            if model.name == name:
                return model
        return self.models[0] if self.models else None


def readCatalog(folders: Iterable[tuple[Path, bool]] | None = None) -> Catalog:
    """Read the cards in these folders, each with whether it came with the program; by default the usual two."""
    models: dict[str, ModelEntry] = {}
    problems = []
    for folder, shipped in usualFolders() if folders is None else folders:
        for path in sorted(folder.glob("[!.]*/model.json")):
            try:
                model = _readEntry(path, shipped)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"{path.parent.name}: {error}")
                continue
            models.setdefault(model.name, model)
    newestFirst = sorted(models.values(), key=lambda model: (model.shipped, _numbers(model.version)), reverse=True)
    return Catalog(tuple(newestFirst), tuple(problems))


def usualFolders() -> list[tuple[Path, bool]]:
    """Where the library looks; the user's folder only once the library's packages are there."""
    folders = [(SHIPPED_FOLDER, True)]
    try:
        from MRTranslateLib.models.store import user_models_folder
    except ImportError:  # packages are installed on first use
        return folders
    own = user_models_folder()
    return folders if own is None else [*folders, (own, False)]


def _readEntry(path: Path, shipped: bool) -> ModelEntry:
    card = json.loads(path.read_text(encoding="utf-8"))
    entry = ModelEntry(path.parent, shipped, card)
    for key in ("title", "intended_use", "not_for", "limits", "training_data", "metrics_protocol"):
        card[key]  # a card that lacks one cannot be shown
    entry.qualityOn((), "")
    if not (entry.name and entry.sources and card["targets"] and _numbers(entry.version)):
        raise ValueError("the card names no sources, targets or version")
    return entry


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
