"""Who does the work of a batch: this process, workers on this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from MRTranslateLib.batch.outcome import CaseEnd, CaseFailure
from MRTranslateLib.batch.watch import Watch
from MRTranslateLib.batch.work import CaseWork, run_case
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.failures import explain
from MRTranslateLib.inference.kept import networks_kept
from MRTranslateLib.progress import Progress


class Executor(Protocol):
    """Works through cases.

    Attributes:
        dies_with_case: Whether a case that takes its process down takes the run along.
    """

    dies_with_case: bool

    def run(self, works: Sequence[CaseWork], watch: Watch) -> Generator[tuple[CaseWork, CaseEnd], None, None]:
        """Each case with how it ended, as they end; each begins with ``watch.begin``.

        Raises:
            CancelledError: When the run is to stop; what was under way is given up.
            MRTranslateError: If no case can be worked on.
        """
        ...


class ThisProcess:
    """One case after the other, here."""

    dies_with_case = True

    def run(self, works: Sequence[CaseWork], watch: Watch) -> Generator[tuple[CaseWork, CaseEnd], None, None]:
        """As :class:`Executor`."""
        with networks_kept():
            for work in works:
                if watch.cancelled.is_set():
                    raise CancelledError("the batch was cancelled")
                try:
                    progress = watch.begin(work.case_id)
                except Exception as error:
                    yield work, failure_of(error)
                else:
                    yield work, end_of(work, progress)
                watch.end(work.case_id)


def end_of(work: CaseWork, progress: Progress) -> CaseEnd:
    """Do the work of a case; whatever it raises is its failure.

    Raises:
        CancelledError: If the caller stopped it.
    """
    try:
        return run_case(work, progress)
    except CancelledError:
        raise
    except Exception as error:
        return failure_of(error)


def failure_of(error: Exception) -> CaseFailure:
    """What is told of an error."""
    explained = explain(error)
    return CaseFailure(reason=str(explained), exit_code=explained.exit_code)
