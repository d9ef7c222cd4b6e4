"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def render_table(rows: Sequence[Sequence[str]], alignment: str) -> str:
    """Columns as wide as their widest cell, two spaces apart; no newline at the end.

    Args:
        rows: Header first; all as long as ``alignment``.
        alignment: One letter a column, ``l`` or ``r``.

    Example:
        >>> print(render_table([("name", "MB"), ("small", "7")], "lr"))
        name   MB
        small   7
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(alignment))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, alignment, strict=True)
        ).rstrip()
        for row in rows
    )
