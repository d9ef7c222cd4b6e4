"""UIDs that follow from what they name.

The same result exported twice gives the same files with the same UIDs, so an archive recognises the duplicate instead
of filing a second series. Whatever can differ between two exports (the run, the acquired series, the series number,
the version of this program) goes into the hash, since one UID must never name two different objects (PS3.5, chapter 9).
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "mrtranslate")


def derived_uid(*parts: str) -> str:
    """UID of a name-based UUID under the root 2.25, at most 44 characters (PS3.5 B.2).

    Args:
        parts: What it stands for, the most general first.

    Example:
        >>> derived_uid("a", "b") == derived_uid("a", "b") != derived_uid("ab")
        True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(parts)).int}"
