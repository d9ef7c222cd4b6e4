"""Which node a result is written into: a new one, unless the one in the panel holds the same thing made before."""

from __future__ import annotations

from typing import Any

from . import Results


def nodeToFill(node: Any | None, kind: str, target: str, firstSource: Any | None, *, isPicked: bool) -> str | None:
    """ID of ``node`` if the result goes into it; None for a new node.

    The panel shows its last result as its output. That one must not become another contrast or another patient by
    the way, so such a node is filled only if the user picked it.

    Args:
        node: What the panel's selector shows.
        kind: ``volume``, ``attention`` or ``uncertainty``, as :func:`Results.mark` writes it.
        target: Contrast that will be made.
        firstSource: The first source node of the coming run.
        isPicked: Whether the user chose the node by hand for this run.
    """
    if node is None:
        return None
    if Results.isSynthetic(node) and not isPicked and not _isAbout(node, kind, target, firstSource):
        return None
    return str(node.GetID())


def mapToFill(
    node: Any | None, kind: str, target: str, firstSource: Any | None, *, result: str | None, isPicked: bool
) -> str | None:
    """The same for a map, which stays with the result that it is about: ``result`` is that node's ID."""
    about = None if node is None else node.GetNodeReference(Results.RESULT_REFERENCE)
    if about is not None and about.GetID() != result and not isPicked:
        return None
    return nodeToFill(node, kind, target, firstSource, isPicked=isPicked)


def _isAbout(node: Any, kind: str, target: str, firstSource: Any | None) -> bool:
    return (
        node.GetAttribute(Results.KIND_ATTRIBUTE) == kind
        and node.GetAttribute(Results.TARGET_ATTRIBUTE) == target
        and node.GetNodeReference(Results.FIRST_SOURCE_REFERENCE) is firstSource
    )
