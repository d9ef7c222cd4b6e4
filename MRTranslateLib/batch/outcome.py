"""How a case ended."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from MRTranslateLib.metrics.regions import Report


class CaseOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It has a result.

    Attributes:
        warnings: What to know before trusting it, and what could not be done as asked; a sentence each.
        seconds: From reading to measuring.
        scores: Against the reference; None without one, or if it could not be used.
        not_measured: Why there are no scores although there is a reference.
        preview: A picture of one slice, relative to the batch's folder; None if it could not be made.
    """

    warnings: tuple[str, ...]
    seconds: float
    scores: Report | None = None
    not_measured: str | None = None
    preview: str | None = None


class CaseFailure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It has none.

    Attributes:
        reason: Why, in one sentence.
        exit_code: Class of the failure, as the command line's exit codes.
    """

    reason: str
    exit_code: int


CaseEnd: TypeAlias = CaseOutcome | CaseFailure
