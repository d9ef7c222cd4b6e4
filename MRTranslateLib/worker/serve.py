"""The worker's loop: one thread works, one listens, one gives signs of life."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

import MRTranslateLib
from MRTranslateLib.errors import CancelledError, MRTranslateError, UsageError
from MRTranslateLib.failures import explain
from MRTranslateLib.files import shown
from MRTranslateLib.inference.kept import networks_kept
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker import HEARTBEAT_SECONDS, PROTOCOL_VERSION
from MRTranslateLib.worker.channel import Channel
from MRTranslateLib.worker.jobs import KINDS, Kind, run_job
from MRTranslateLib.worker.lifetime import LastWill, ParentWatch, own_process_group
from MRTranslateLib.worker.protocol import Cancel, Failed, Finished, Heartbeat, Hello, Submit, decode_request
from MRTranslateLib.worker.remaining import Course
from MRTranslateLib.worker.reporter import JobReporter
from MRTranslateLib.worker.session import is_session_folder

IDLE = "idle"


def serve(session_folder: Path | None = None, *, debug: bool = False, kinds: Mapping[str, Kind[Any]] = KINDS) -> int:
    """Take over stdin and stdout and work until the client closes its side.

    Args:
        session_folder: The client's :class:`~MRTranslateLib.worker.session.SessionFolder`, removed here should the
            client die without doing so.
        debug: Write the traceback of a failed job to stderr.
        kinds: What this worker can do.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: If ``session_folder`` does not have the name of one.
    """
    if session_folder is not None and not is_session_folder(session_folder):
        raise UsageError(f"{shown(session_folder)} is no session folder: leave it out, or give what the client made")
    group = own_process_group()
    return Worker(Channel.take_standard_streams(), kinds, session_folder, debug=debug).run(group)


class Worker:
    """One client's worker."""

    def __init__(
        self, channel: Channel, kinds: Mapping[str, Kind[Any]], session_folder: Path | None, *, debug: bool
    ) -> None:
        self._channel, self._kinds, self._debug = channel, kinds, debug
        self._requests: queue.SimpleQueue[Submit | None] = queue.SimpleQueue()
        self._cancelled: dict[int, threading.Event] = {}  # of the jobs that wait or run
        self._ending = threading.Event()
        self._current: JobReporter | None = None
        self._courses: dict[str, Course] = {}
        self._parent = ParentWatch()
        self._will = LastWill(session_folder, self._stop_work)

    def run(self, process_group: int | None) -> int:
        """Greet, then work until the client is gone; see :func:`serve`."""
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            library_version=MRTranslateLib.__version__,
            pid=psutil.Process().pid,
            process_group=process_group,
        )
        self._channel.send(hello)
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        with networks_kept():
            while (request := self._requests.get()) is not None and not self._ending.is_set():
                self._work(request)
        self._will.leave_nothing()
        return 0

    def _work(self, request: Submit) -> None:
        """Run one job and answer; nothing that it raises ends the worker."""
        cancelled = self._cancelled[request.job]
        reporter = JobReporter.begin(request.job, self._channel.send, self._courses.get(request.kind))
        self._current = reporter
        try:
            if cancelled.is_set():
                raise CancelledError("the job was cancelled before it began")
            result = run_job(self._kinds, request.kind, request.parameters, Progress(reporter, cancelled))
        except (Exception, SystemExit) as error:
            if self._debug and not isinstance(error, CancelledError):
                traceback.print_exc()
            answer: Failed | Finished = _failed(request.job, explain(error))
        else:
            self._courses[request.kind] = reporter.finished_course()
            answer = Finished(job=request.job, result=result, seconds=round(reporter.seconds, 3))
        self._current = None
        self._cancelled.pop(request.job, None)
        self._channel.send(answer)

    def _listen(self) -> None:
        """Thread: take requests until the pipe ends, then see to it that the process does."""
        with suppress(OSError):  # a pipe torn apart has ended too
            for line in self._channel.lines():
                try:
                    self._take(line)
                except MRTranslateError as error:
                    self._channel.send(_failed(None, error))
        self._will.carry_out()

    def _take(self, line: bytes) -> None:
        request = decode_request(line)
        if isinstance(request, Cancel):
            if request.job in self._cancelled:
                self._cancelled[request.job].set()
            return
        if request.job in self._cancelled:
            raise UsageError(f"job {request.job} is under way already: give every job a number of its own")
        self._cancelled[request.job] = threading.Event()
        self._requests.put(request)

    def _beat(self) -> None:
        """Thread: say every second what goes on, and look whether the parent still lives."""
        process = psutil.Process()
        while not self._ending.wait(HEARTBEAT_SECONDS):
            current = self._current
            beat = Heartbeat(
                job=None if current is None else current.job,
                phase=IDLE if current is None else current.phase,
                seconds=0.0 if current is None else round(current.seconds, 1),
                memory_mb=round(process.memory_info().rss / 1e6),
            )
            if not self._channel.send(beat) or self._parent.is_orphan():
                self._will.carry_out()

    def _stop_work(self) -> None:
        self._ending.set()
        for cancelled in tuple(self._cancelled.values()):
            cancelled.set()
        self._requests.put(None)


def _failed(job: int | None, error: MRTranslateError) -> Failed:
    return Failed(job=job, message=str(error), exit_code=error.exit_code)
