"""All chance of a session: which items come twice, and in which order each reader sees them. Blind to what an item is,
but for as many repeats of either kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from MRTranslateLib.errors import UsageError

DEFAULT_REPEAT = 0.2
"""Share of the items that come twice."""
MIN_BETWEEN = 10
"""Others shown between an item and its repeat, at least: enough not to remember it, as far as one sitting allows; half
of the items where these are few."""
_ATTEMPTS = 10_000

Kind: TypeAlias = Literal["real", "synthetic"]
Showing: TypeAlias = tuple[str, Kind]
"""Case and kind; the same twice is an item and its repeat."""


def num_between(num_items: int) -> int:
    """How many others lie at least between an item and its repeat, of so many different items."""
    return min(MIN_BETWEEN, num_items // 2)


def check_repeat(repeat: float) -> None:
    """Refuse what is no share.

    Raises:
        UsageError: Naming it.
    """
    if not 0 <= repeat <= 1:
        raise UsageError(f"cannot repeat a share of {repeat:g} of the items: use 0 to 1, for example 0.2")


def draw_showings(
    case_ids: Sequence[str], kinds: Sequence[Kind], *, repeat: float, rng: np.random.Generator
) -> list[Showing]:
    """Every case in every kind, and some of these once more.

    Repeats go over the cases first, so that few are shown four times, and alternate between the kinds.

    Args:
        case_ids: At least one.
        kinds: What is shown of each case.
        repeat: Share of the items to repeat, 0..1.
        rng: Chance.
    """
    items = [(case_id, kind) for case_id in case_ids for kind in kinds]
    shuffled = [case_ids[index] for index in rng.permutation(len(case_ids))]
    first = int(rng.integers(len(kinds)))
    turns = [
        (case_id, kinds[(first + turn + place) % len(kinds)])
        for turn in range(len(kinds))
        for place, case_id in enumerate(shuffled)
    ]
    return items + turns[: round(repeat * len(items))]


def draw_order(showings: Sequence[Showing], *, num_between: int, rng: np.random.Generator) -> list[int]:
    """A random order: never a case twice in a row, never an item again before ``num_between`` others.

    One after the other is drawn among those that may come next; where none may, it begins anew.

    Args:
        showings: As :func:`draw_showings` gives them.
        num_between: Others between an item and its repeat, at least.
        rng: Chance.

    Returns:
        Indices of ``showings``, each once.

    Raises:
        UsageError: If there are too few cases for such an order.
    """
    for _ in range(_ATTEMPTS):
        left, order = list(range(len(showings))), list[int]()
        while left:
            recent = {showings[index] for index in order[len(order) - min(num_between, len(order)) :]}
            last_case = showings[order[-1]][0] if order else None
            allowed = [at for at in left if showings[at][0] != last_case and showings[at] not in recent]
            if not allowed:
                break
            order.append(allowed[int(rng.integers(len(allowed)))])
            left.remove(order[-1])
        if not left:
            return order
    num_cases = len({case_id for case_id, _ in showings})
    raise UsageError(
        f"{num_cases} {'case is' if num_cases == 1 else 'cases are'} too few to keep the images of one person apart: "
        "give more cases, or repeat fewer"
    )
