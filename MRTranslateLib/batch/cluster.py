"""A Dask cluster: the same work on many machines that see the same files."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from MRTranslateLib.batch.executor import end_of, failure_of
from MRTranslateLib.batch.outcome import CaseEnd, CaseFailure, CaseOutcome
from MRTranslateLib.batch.watch import Watch
from MRTranslateLib.batch.work import CaseWork
from MRTranslateLib.errors import CancelledError, MRTranslateError
from MRTranslateLib.progress import Progress

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 20
POLL_SECONDS = 1.0


class Cluster:
    """Hands the cases to a scheduler; each machine needs MRTranslate, the model, and the files under the same paths."""

    dies_with_case = False

    def __init__(self, address: str) -> None:
        """Nothing is connected; ``address`` is that of the scheduler, ``tcp://HOST:PORT``."""
        self._address = address

    def run(self, works: Sequence[CaseWork], watch: Watch) -> Generator[tuple[CaseWork, CaseEnd], None, None]:
        """As :class:`~MRTranslateLib.batch.executor.Executor`; all cases begin at once, for the scheduler has them.

        Raises:
            MRTranslateError: If ``distributed`` is not installed or the scheduler does not answer.
        """
        with self._connect() as client:
            from distributed import wait

            pending = {}
            for work in works:
                if watch.cancelled.is_set():
                    break
                try:
                    watch.begin(work.case_id)
                except Exception as error:
                    yield work, failure_of(error)
                    watch.end(work.case_id)
                    continue
                pending[client.submit(_end_remotely, msgspec.json.encode(work), pure=False, retries=0)] = work
            try:
                while pending:
                    if watch.cancelled.is_set():
                        raise CancelledError("the batch was cancelled")
                    try:
                        ended = wait(list(pending), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done
                    except TimeoutError:
                        continue
                    for future in ended:
                        work = pending.pop(future)
                        yield work, _taken_back(future)
                        watch.end(work.case_id)
            finally:
                client.cancel(list(pending))

    def _connect(self) -> Client:
        try:
            from distributed import Client
        except ImportError as error:
            raise MRTranslateError("a cluster needs the Python package distributed: pip install distributed") from error
        try:
            return Client(self._address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise MRTranslateError(
                f"the scheduler at {self._address} does not answer ({error}): check its address, tcp://HOST:PORT"
            ) from error


def _end_remotely(work: bytes) -> tuple[str, bytes]:
    """On a machine of the cluster: do the work of a case; how it ended, as JSON."""
    end = end_of(msgspec.json.decode(work, type=CaseWork), Progress())
    return type(end).__name__, msgspec.json.encode(end)


def _taken_back(future: Any) -> CaseEnd:
    error = future.exception()
    if error is not None:  # the machine was lost, again and again
        return CaseFailure(reason=f"the cluster could not do it ({error}): see the log of its workers", exit_code=1)
    name, end = future.result()
    if name == CaseOutcome.__name__:
        return msgspec.json.decode(end, type=CaseOutcome)
    return msgspec.json.decode(end, type=CaseFailure)
