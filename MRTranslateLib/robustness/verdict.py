"""What a robustness run means, in sentences that a radiographer can act on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.robustness.cell import Cell
from MRTranslateLib.robustness.plan import Track
from MRTranslateLib.robustness.regions import TITLES, region_title
from MRTranslateLib.robustness.summary import TypeSummary

NO_LIMITS = "No limits are stated for this model, so this report gives numbers and no judgement."


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The judgement.

    Attributes:
        within_limits: None where the model states no limits that could be checked.
        sentences: What to tell, the most important first.
    """

    within_limits: bool | None
    sentences: tuple[str, ...]


def judge(limits: Sequence[RobustnessLimit], cells: Sequence[Cell], types: Sequence[TypeSummary]) -> Verdict:
    """Hold the cells against the model's limits.

    Args:
        limits: Of the model card; none leads to a verdict without judgement.
        cells: All but the unperturbed one.
        types: Their summary.
    """
    largest = _largest_changes(types)
    if not limits:
        return Verdict(within_limits=None, sentences=(NO_LIMITS, *largest))
    measured = {region for cell in cells for region in cell.regions}
    cautions, passed = [], []
    for limit in limits:
        if limit.region not in measured:
            continue
        exceeded = _exceeded(limit, cells)
        cautions += [_caution(limit, name, track, levels) for (name, track), levels in exceeded.items()]
        if not exceeded:
            passed.append(_within(limit, cells))
    sources = tuple(dict.fromkeys(limit.derived_from for limit in limits if limit.region in measured))
    if not cautions and not passed:
        unmeasured = ", ".join(sorted({region_title(limit.region) for limit in limits}))
        reason = f"The model's limits are for the {unmeasured}, which was not measured: give a lesion mask."
        return Verdict(within_limits=None, sentences=(reason, *largest))
    return Verdict(
        within_limits=not cautions,
        sentences=(*cautions, *passed, *(f"Limits: {text}" for text in sources), *largest),
    )


def perturbation_title(name: str) -> str:
    """A perturbation's name in words."""
    from MRTranslateLib.robustness.perturbations.bank import find_perturbation

    return find_perturbation(name).title


def percent(share: float) -> str:
    """``0.1234`` as ``12 %``; two digits below 10 %."""
    return f"{100 * share:.0f} %" if abs(share) >= 0.0995 else f"{100 * share:.2g} %"


def _exceeded(limit: RobustnessLimit, cells: Sequence[Cell]) -> dict[tuple[str, Track], dict[int, bool]]:
    """Of each type that breaks the limit somewhere: whether it does, per level."""
    levels: dict[tuple[str, Track], dict[int, bool]] = {}
    for cell in cells:
        change = cell.regions[limit.region].relative_change
        over = change is not None and change > limit.max_relative_change
        levels.setdefault((cell.perturbation, cell.track), {})[cell.level] = over
    return {key: over for key, over in levels.items() if any(over.values())}


def _caution(limit: RobustnessLimit, name: str, track: Track, over: dict[int, bool]) -> str:
    title = perturbation_title(name).lower() if not perturbation_title(name).startswith("k-space") else "k-space spike"
    scale = "" if track == "clean" else " (own normalisation)"
    effect = f"changes the {region_title(limit.region)} by more than {percent(limit.max_relative_change)}"
    return f"Caution: {title}{scale} {_at_levels(over)} {effect}."


def _at_levels(over: dict[int, bool]) -> str:
    """``above level 2``, ``from level 1 on``, or ``at levels 2 and 4`` where it is not one stretch to the top."""
    broken = sorted(level for level, is_over in over.items() if is_over)
    kept = sorted(level for level, is_over in over.items() if not is_over)
    if not kept:
        return f"from level {broken[0]} on"
    if kept[-1] < broken[0]:
        return f"above level {kept[-1]}"
    if len(broken) == 1:
        return f"at level {broken[0]}"
    return f"at levels {', '.join(map(str, broken[:-1]))} and {broken[-1]}"


def _within(limit: RobustnessLimit, cells: Sequence[Cell]) -> str:
    top = max(cell.level for cell in cells)
    return (
        f"Within limits: no perturbation up to level {top} changes the {region_title(limit.region)} by more than "
        f"{percent(limit.max_relative_change)}."
    )


def _largest_changes(types: Sequence[TypeSummary]) -> tuple[str, ...]:
    """For each region but single labels, which the tables have, the type that changes it most."""
    sentences = []
    for region in dict.fromkeys(each.region for each in types if each.region in TITLES):
        rows = [each for each in types if each.region == region and each.largest_relative_change is not None]
        if not rows:
            continue
        worst = max(rows, key=lambda each: each.largest_relative_change or 0.0)
        title = perturbation_title(worst.perturbation)
        change = percent(worst.largest_relative_change or 0.0)
        scale = "" if worst.track == "clean" else ", own normalisation"
        sentences.append(
            f"The largest change of the {region_title(region)} was {change} ({title}, level {worst.largest_at_level}"
            f"{scale})."
        )
    return tuple(sentences)
