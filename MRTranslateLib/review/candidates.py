"""Which cases of a batch can be shown to readers, and why others cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.plan import BatchPlan
from MRTranslateLib.batch.settings import SETTINGS_FILE, BatchSettings
from MRTranslateLib.batch.table import CaseRow
from MRTranslateLib.errors import InputError
from MRTranslateLib.files import reason, shown


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A case with all that is shown of it.

    Attributes:
        case_id: Whose.
        source: The first source, on whose grid the result lies.
        synthetic: The result.
        real: The real target; None where it is not shown.
    """

    case_id: str
    source: Path
    synthetic: Path
    real: Path | None


def read_settings(results: Path) -> BatchSettings:
    """What a batch made.

    Raises:
        InputError: If the folder holds no batch of this version.
    """
    path = results / SETTINGS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=BatchSettings)
    except OSError as error:
        raise InputError(
            f"cannot read {shown(path)} ({reason(error)}): give the folder that mrtranslate batch wrote"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{shown(path)} is none of this version ({error}): give the folder that mrtranslate batch wrote"
        ) from None


def find_candidates(
    cases: Iterable[Case], results: Path, settings: BatchSettings, *, with_real: bool
) -> tuple[tuple[Candidate, ...], dict[str, str]]:
    """Sort the cases of a batch.

    Args:
        cases: That the batch was run over.
        results: Its folder; nothing is written there.
        settings: Of the batch.
        with_real: Whether a case needs a real target.

    Returns:
        The cases that can be shown, in their order; for each other case why not.
    """
    plan = BatchPlan(folder=results.absolute(), settings=settings, options={})
    candidates, left_out = [], {}
    for case in cases:
        row = plan.of(case)
        source, real = case.only(settings.sources[0]), case.only(settings.target)
        if not isinstance(row, CaseRow) or source is None:
            left_out[case.case_id] = "it has no result, or that is gone: run mrtranslate batch again"
        elif row.state != "done":
            left_out[case.case_id] = row.reason
        elif with_real and real is None:
            left_out[case.case_id] = case.problem((settings.target,))
        else:
            candidates.append(
                Candidate(
                    case_id=case.case_id,
                    source=source,
                    synthetic=results / row.result,
                    real=real if with_real else None,
                )
            )
    return tuple(candidates), left_out
