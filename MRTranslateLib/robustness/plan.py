"""Which perturbations a robustness run applies, how strong, and on which scale of intensities."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.robustness.catalogue import BETWEEN_SOURCES, DEFAULT_PERTURBATIONS, LEVELS

Track = Literal["clean", "own"]
"""``clean``: a perturbed source keeps the clean one's scale, so that only the artefact is tested. ``own``: it is
normalised by its own brain, as a scan that came with the artefact would be (METHODS 1.7, proposal)."""
TRACKS: tuple[Track, ...] = ("clean", "own")
DEFAULT_SEED = 20261121


@dataclass(frozen=True, order=True)
class CellKey:
    """One perturbation at one level on one track; ``name`` is that of its files."""

    perturbation: str
    level: int
    track: Track

    @property
    def name(self) -> str:
        """``motion_level3_clean``."""
        return f"{self.perturbation}_level{self.level}_{self.track}"


class RobustnessPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be tried; every combination is a cell.

    Attributes:
        perturbations: Keys of the perturbation bank, each once.
        levels: 1..5, ascending.
        tracks: Which scales of intensities.
        seed: Of all chance in the run. The same artefact, stronger, is applied at each level.

    Raises:
        UsageError: If something is unknown, doubled or missing.
    """

    perturbations: tuple[str, ...] = DEFAULT_PERTURBATIONS
    levels: tuple[int, ...] = LEVELS
    tracks: tuple[Track, ...] = ("clean",)
    seed: Annotated[int, msgspec.Meta(ge=0)] = DEFAULT_SEED

    def __post_init__(self) -> None:
        # The bank brings torch, which a command line that only explains itself can do without.
        from MRTranslateLib.robustness.perturbations.bank import find_perturbation

        for name in self.perturbations:
            find_perturbation(name)
        _require_some_once("perturbations", self.perturbations)
        _require_some_once("levels", self.levels)
        _require_some_once("tracks", self.tracks)
        if wrong := [level for level in self.levels if level not in LEVELS]:
            raise UsageError(f"level {wrong[0]} is out of range: levels go from 1 to 5")
        if wrong_tracks := [track for track in self.tracks if track not in TRACKS]:
            raise UsageError(f"unknown track {wrong_tracks[0]!r}: use one of {', '.join(TRACKS)}")
        if self.seed < 0:
            raise UsageError(f"seed {self.seed} is negative: give 0 or more")
        if self.levels != tuple(sorted(self.levels)):
            raise UsageError(f"levels {', '.join(map(str, self.levels))} must ascend")

    def cells(self) -> Iterator[CellKey]:
        """All cells: types in the order given, each from its mildest level on."""
        for perturbation in self.perturbations:
            for track in self.tracks:
                for level in self.levels:
                    yield CellKey(perturbation, level, track)

    def require_enough(self, sources: Sequence[Contrast], num_slices: int) -> None:
        """Do nothing if these sources can show every perturbation.

        Args:
            sources: Given contrasts.
            num_slices: Slices of each.

        Raises:
            UsageError: If one cannot; the sentence says which and why.
        """
        from MRTranslateLib.robustness.perturbations.bank import find_perturbation

        for name in self.perturbations:
            if name in BETWEEN_SOURCES and len(sources) < 2:
                raise UsageError(f"{name} needs at least two sources, got {sources[0]} alone: leave it out of the run")
            least = find_perturbation(name).min_slices
            if num_slices < least:
                raise UsageError(f"{name} needs at least {least} slices, got {num_slices}: leave it out of the run")

    def perturbed_sources(self, perturbation: str, sources: Sequence[Contrast]) -> tuple[Contrast, ...]:
        """Which sources a perturbation spoils.

        All of them, each with an artefact of its own, with two exceptions. Misalignment moves all but the first, which
        says where the anatomy lies. A dropped source is a single one, drawn by the seed: the same at every level.
        """
        if perturbation == "dropped_source":
            return (sources[source_seed(self.seed, perturbation, "which") % len(sources)],)
        return tuple(sources[1:]) if perturbation in BETWEEN_SOURCES else tuple(sources)


def source_seed(seed: int, perturbation: str, source: str) -> int:
    """A seed of its own for each kind and source, equal on every machine and at every level; 0..2^31 - 1."""
    digest = hashlib.sha256(f"{seed} {perturbation} {source}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def all_perturbations(num_sources: int) -> tuple[str, ...]:
    """Every kind that so many sources can show."""
    from MRTranslateLib.robustness.perturbations.bank import PERTURBATIONS

    return tuple(name for name in PERTURBATIONS if num_sources > 1 or name not in BETWEEN_SOURCES)


def parse_levels(text: str) -> tuple[int, ...]:
    """``1-5``, ``3`` or ``1,3,5`` as levels.

    Raises:
        UsageError: If it is none of these, or a range that runs backwards.

    Example:
        >>> parse_levels("1-3"), parse_levels("2,5")
        ((1, 2, 3), (2, 5))
    """
    if match := re.fullmatch(r"(\d)-(\d)", text):
        first, last = int(match[1]), int(match[2])
        if first > last:
            raise UsageError(f"levels {text!r} run backwards: write {last}-{first}")
        return tuple(range(first, last + 1))
    if re.fullmatch(r"\d(,\d)*", text):
        return tuple(int(level) for level in text.split(","))
    raise UsageError(f"levels {text!r} are not understood: write 1-5, 3, or 1,3,5")


def _require_some_once(name: str, values: Sequence[object]) -> None:
    if not values or len(set(values)) < len(values):
        listed = ", ".join(map(str, values)) or "none"
        raise UsageError(f"{name} must name at least one and each once, got {listed}")
