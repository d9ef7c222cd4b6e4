"""Workers on this machine: a case that takes its process down costs that case and nothing else."""

from __future__ import annotations

import queue
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import msgspec

from MRTranslateLib.batch.executor import failure_of
from MRTranslateLib.batch.outcome import CaseEnd, CaseFailure, CaseOutcome
from MRTranslateLib.batch.watch import Watch
from MRTranslateLib.batch.work import CaseWork
from MRTranslateLib.errors import CancelledError
from MRTranslateLib.inference.device import default_threads
from MRTranslateLib.worker.client import COMMAND, WorkerClient, WorkerDiedError, WorkerMissingError

DIED = (
    "the process that worked on it ended ({how}), most often because memory ran out: try fewer workers, or this "
    "case by itself with mrtranslate translate"
)


class LocalWorkers:
    """Several workers, each on the next case that nobody has; a dead one is replaced."""

    dies_with_case = False

    def __init__(self, num_workers: int, *, command: Sequence[str] = COMMAND) -> None:
        """Nothing is started.

        Args:
            num_workers: How many cases at once, at least 1.
            command: What a worker is started with, for tests.
        """
        self._num_workers, self._command = num_workers, tuple(command)

    def run(self, works: Sequence[CaseWork], watch: Watch) -> Generator[tuple[CaseWork, CaseEnd], None, None]:
        """As :class:`~MRTranslateLib.batch.executor.Executor`."""
        num_workers = min(self._num_workers, len(works))
        team = _Team(num_workers, self._command)
        pool = ThreadPoolExecutor(max(num_workers, 1))
        try:
            futures = {pool.submit(team.end_of, work, watch): work for work in works}
            for future in as_completed(futures):
                yield futures[future], future.result()
                watch.end(futures[future].case_id)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            team.dismiss()  # ends what the threads still wait for
            pool.shutdown()


class _Team:
    """The workers of a run; a thread takes one, and lays it back."""

    def __init__(self, num_workers: int, command: tuple[str, ...]) -> None:
        self._idle: queue.SimpleQueue[WorkerClient] = queue.SimpleQueue()
        self._clients = [WorkerClient(command) for _ in range(num_workers)]
        for client in self._clients:
            self._idle.put(client)

    def end_of(self, work: CaseWork, watch: Watch) -> CaseEnd:
        """Thread: have a case worked on."""
        if watch.cancelled.is_set():
            raise CancelledError("the batch was cancelled")
        client = self._idle.get()
        try:
            progress = watch.begin(work.case_id)
            return msgspec.json.decode(client.run("case", msgspec.to_builtins(work), progress), type=CaseOutcome)
        except (CancelledError, WorkerMissingError):
            raise
        except WorkerDiedError as death:
            return CaseFailure(reason=DIED.format(how=death), exit_code=death.exit_code)
        except Exception as error:
            return failure_of(error)
        finally:
            self._idle.put(client)

    def dismiss(self) -> None:
        """End all workers, in the middle of their work too."""
        for client in self._clients:
            client.hang_up()
        for client in self._clients:
            client.close()


def threads_each(num_workers: int) -> int:
    """CPU threads of each network, when this many run at once: together no more than one alone would take."""
    return max(default_threads() // max(num_workers, 1), 1)
