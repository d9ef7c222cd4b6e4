"""The worker behind the panel: started once, kept warm, killed whole, and started again after whatever befell it.

Nothing here waits: every call returns at once and what happens is told by signals. One job at a time.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import qt

import MRTranslateLib
from MRTranslateLib.worker import PROTOCOL_VERSION
from MRTranslateLib.worker.session import SessionFolder, remove_abandoned

from . import WorkerFailure
from .Signal import Signal
from .WorkerConnection import WorkerConnection
from .WorkerEnvironment import WORKER_ARGUMENTS, pythonInterpreter, workerEnvironment
from .WorkerFailure import Ending, Failure, FailureKind

CANCELLED_EXIT_CODE = 130
MAX_LOG_LINES = 2000
KILL_PATIENCE_MS = 1000


class State(Enum):
    """What the worker is about, as the panel shows it."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    IMPORTING = "importing"
    """The result is there and the slots of ``finished`` take it over; its files live until they return."""
    CANCELLING = "cancelling"
    FAILED = "failed"
    """As idle, and the last thing asked for went wrong."""


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        kind: ``translate``, ``evaluate``, ``models``, ``describe``, ... as in MRTranslateLib.worker.jobs.
        parameters: What that kind takes, as JSON values.
        folder: From ``WorkerProcess.newFolder``, for its files; removed when the job is over.
        cancelMilliseconds: For it to stop by itself when it is cancelled; None for as long as any job has.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    cancelMilliseconds: int | None = None


@dataclass(frozen=True)
class JobProgress:
    """How far a job is: stage, fraction 0..1 of the whole, seconds left or None while nothing can be said."""

    stage: str
    fraction: float
    remainingSeconds: float | None


@dataclass(frozen=True)
class Patience:
    """How long to wait for what; tests are less patient.

    Attributes:
        startSeconds: For the worker's first word. A cold disk or a virus scanner may hold up Python for long.
        silenceSeconds: For any word of a busy worker, which gives one every second.
        cancelMilliseconds: For a cancelled job to stop by itself, before the worker is killed; a job may have its own.
    """

    startSeconds: int = 60
    silenceSeconds: int = 30
    cancelMilliseconds: int = 600


class WorkerProcess:
    """Runs jobs in a process of their own.

    Signals:
        stateChanged(State): For the panel.
        progressed(int, JobProgress): Of the running job.
        finished(int, Any): The job and its result; while the slots run the state is IMPORTING, and the job's folder
            goes when they return. Submit the next job from ``stateChanged``, not from here.
        cancelled(int): The job is over because the user said so; this is no failure.
        failed(Failure): Why there is no result. The next ``submit`` starts a new worker if this one is gone.
        logged(str): One line for the log.

    Attributes:
        log: The last lines that the worker wrote.
    """

    def __init__(
        self,
        *,
        interpreter: Callable[[], str] = pythonInterpreter,
        arguments: Sequence[str] = WORKER_ARGUMENTS,
        patience: Patience = Patience(),
        temporaryParent: Path | None = None,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            interpreter: Gives the Python program, asked at every start.
            arguments: What that is called with; the session's folder is added.
            patience: See there.
            temporaryParent: Where the private folder is made; None for the system's temporary folder.
        """
        self.stateChanged, self.progressed, self.finished = Signal(), Signal(), Signal()
        self.cancelled, self.failed, self.logged = Signal(), Signal(), Signal()
        self.log: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self._interpreter, self._arguments, self._patience = interpreter, tuple(arguments), patience
        self._temporaryParent = temporaryParent
        self._state = State.IDLE
        self._session: SessionFolder | None = None
        self._doomedFolders: set[Path] = set()
        self._numbers = itertools.count(1)
        self._connection: WorkerConnection | None = None
        self._ready = False
        self._dying: set[WorkerConnection] = set()
        self._job: Job | None = None
        self._jobID = 0
        self._memoryMB = 0.0
        self._numSilentTicks = 0
        self._recentLog: deque[str] = deque(maxlen=WorkerFailure.NUM_LAST_LINES)  # of the present worker
        # Ticks are counted, not seconds: a laptop that slept, or a panel that was busy, is no silence of the worker.
        self._ticks = _timer(1000, self._onTick, singleShot=False)
        self._cancelTimer = _timer(patience.cancelMilliseconds, self._onCancelTimeout, singleShot=True)

    @property
    def state(self) -> State:
        """What the worker is about."""
        return self._state

    @property
    def isBusy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def newFolder(self) -> Path:
        """A private folder for the files of the next job; hand it over with the job.

        Raises:
            OSError: If the disk is full or the temporary folder closed.
        """
        return self._ownSession().new_job_folder()

    def start(self) -> None:
        """Start the worker ahead of its first job; does nothing if it is there.

        Raises:
            OSError: If there is no place for its temporary files.
        """
        if self._connection is None:
            self._startConnection()
            self._setState(State.STARTING)

    def submit(self, job: Job) -> int:
        """Run a job; its end is told by ``finished``, ``cancelled`` or ``failed``, never before this returns.

        Returns:
            The job's number, which those signals bear.

        Raises:
            RuntimeError: If a job is under way.
            TypeError: If the parameters are no JSON values.
            OSError: As :meth:`start`.
        """
        if self.isBusy:
            raise RuntimeError(f"job {self._jobID} is under way: cancel it or wait for its end")
        json.dumps(dict(job.parameters))
        if self._connection is None:
            self._startConnection()
        self._job, self._jobID = job, next(self._numbers)
        if self._ready:
            self._sendJob()
        else:
            self._setState(State.STARTING)
        return self._jobID

    def cancel(self) -> None:
        """Stop the job under way, by asking and, where that does not help at once, by killing the worker."""
        if self._state is State.STARTING:  # nothing was asked of the worker yet: there is nothing to wait for
            self._letGo()
            self._onCancelled()
        elif self._state is State.RUNNING and self._connection is not None:
            self._setState(State.CANCELLING)
            self._connection.send({"type": "cancel", "job": self._jobID})
            own = None if self._job is None else self._job.cancelMilliseconds
            self._restartCancelTimer(self._patience.cancelMilliseconds if own is None else own)

    def shutdown(self) -> None:
        """Kill the worker and remove all files; only ``stateChanged`` tells. The next ``submit`` starts afresh.

        For the end of the module, the scene or Slicer; the only call that may block, for the moment that the system
        takes to end a killed process.
        """
        self._ticks.stop()
        self._cancelTimer.stop()
        if self._connection is not None:
            self._letGo()
        for connection in tuple(self._dying):
            connection.waitUntilEnded(KILL_PATIENCE_MS)
        self._job, self._memoryMB = None, 0.0
        self._doomedFolders.clear()
        if self._session is not None:
            self._session.remove()
            self._session = None
        self._setState(State.IDLE)

    # --- the process ----------------------------------------------------------------------------------------------

    def _startConnection(self) -> None:
        session = self._ownSession()
        connection = self._connection = WorkerConnection()
        interpreter = self._interpreter()
        self._ready, self._numSilentTicks, self._memoryMB = False, 0, 0.0
        self._recentLog.clear()
        connection.received.connect(lambda message: self._ifCurrent(connection, self._onMessage, message))
        connection.garbled.connect(lambda line: self._ifCurrent(connection, self._onGarbled, line))
        connection.logged.connect(lambda line: self._ifCurrent(connection, self._onLogged, line))
        connection.ended.connect(lambda ending: self._onEnded(connection, ending))
        connection.notStarted.connect(lambda reason: self._onNotStarted(connection, interpreter, reason))
        self._ticks.start()
        arguments = [*self._arguments, "--session-folder", str(session.path)]
        connection.start(interpreter, arguments, workerEnvironment(session.path))

    def _ifCurrent(self, connection: WorkerConnection, slot: Callable[[Any], None], value: Any) -> None:
        """What a worker says that we have let go of no longer counts."""
        if connection is self._connection:
            slot(value)

    def _letGo(self) -> None:
        """Kill the present worker and forget it; it is held until it is gone, for a QProcess waits when it is freed."""
        self._ticks.stop()
        if self._connection is not None:
            self._dying.add(self._connection)
            self._connection.kill()  # tells the rest of its log, so it is still the present one
        self._connection, self._ready = None, False

    def _onNotStarted(self, connection: WorkerConnection, interpreter: str, reason: str) -> None:
        self._dying.discard(connection)
        if connection is self._connection:
            self._connection = None
            self._ticks.stop()
            self._fail(WorkerFailure.notStarted(interpreter, reason))

    def _onEnded(self, connection: WorkerConnection, ending: Ending) -> None:
        self._dying.discard(connection)
        self._removeDoomed()
        if connection is not self._connection:
            return
        wasReady, self._connection, self._ready = self._ready, None, False
        self._ticks.stop()
        if self._state is State.CANCELLING:
            self._onCancelled()
        elif not wasReady:
            self._fail(WorkerFailure.endedAtStart(ending, self._recentLog))
        elif self._state is State.RUNNING:
            self._fail(WorkerFailure.ended(ending, self._memoryMB, self._recentLog))
        else:
            self._onLogged(f"[the idle worker ended: {ending}]")

    def _onTick(self) -> None:
        """Every second while there is a worker."""
        self._numSilentTicks += 1
        if self._state is State.STARTING and self._numSilentTicks >= self._patience.startSeconds:
            self._fail(WorkerFailure.silentAtStart(self._patience.startSeconds))
        elif self._state is State.RUNNING and self._numSilentTicks >= self._patience.silenceSeconds:
            self._fail(WorkerFailure.hung(self._patience.silenceSeconds))

    # --- what it says ---------------------------------------------------------------------------------------------

    def _onMessage(self, message: dict[str, Any]) -> None:
        self._numSilentTicks = 0
        slots = {
            "hello": self._onHello,
            "heartbeat": self._onHeartbeat,
            "progress": self._onProgress,
            "finished": self._onFinished,
            "failed": self._onFailed,
        }
        slot = slots.get(message["type"])
        if slot is None or (message["type"] == "hello") == self._ready:  # hello comes first, and once
            self._onGarbled(str(message))
            return
        try:
            tell = slot(message)
        except (KeyError, TypeError, ValueError):
            self._onGarbled(str(message))
            return
        if tell is not None:
            tell()  # outside of the try: what a slot of the panel raises is no fault of the message

    def _onGarbled(self, line: str) -> None:
        self._fail(WorkerFailure.garbled(line))

    def _onHello(self, message: dict[str, Any]) -> Callable[[], None]:
        found = f"{message['library_version']}/{int(message['protocol_version'])}"
        pid, group = int(message["pid"]), message["process_group"]
        if self._connection is not None and pid > 1:
            self._connection.workerPID = pid
            self._connection.processGroup = pid if group == pid else None  # a group of any other number is not its own
        expected = f"{MRTranslateLib.__version__}/{PROTOCOL_VERSION}"
        if found != expected:
            return lambda: self._fail(WorkerFailure.wrongVersion(found, expected))
        return self._onReady

    def _onReady(self) -> None:
        self._ready = True
        if self._job is not None:
            self._sendJob()
        elif self._state is State.STARTING:
            self._setState(State.IDLE)

    def _onHeartbeat(self, message: dict[str, Any]) -> None:
        self._memoryMB = float(message["memory_mb"])

    def _onProgress(self, message: dict[str, Any]) -> Callable[[], None] | None:
        remaining = message["remaining_seconds"]
        progress = JobProgress(
            str(message["stage"]), float(message["fraction"]), None if remaining is None else float(remaining)
        )
        if self._state is not State.RUNNING or message["job"] != self._jobID:
            return None
        return lambda: self.progressed.emit(self._jobID, progress)

    def _onFinished(self, message: dict[str, Any]) -> Callable[[], None] | None:
        result = message["result"]
        if not self._isOver(message["job"]):
            return None
        if self._state is State.CANCELLING:
            return self._onCancelled
        return lambda: self._import(result)

    def _onFailed(self, message: dict[str, Any]) -> Callable[[], None] | None:
        text, exitCode = str(message["message"]), int(message["exit_code"])
        if not self._isOver(message["job"]):
            return None
        if self._state is State.CANCELLING or exitCode == CANCELLED_EXIT_CODE:
            return self._onCancelled
        return lambda: self._endJob(Failure(FailureKind.JOB, text, self._jobID, exitCode))

    def _isOver(self, job: Any) -> bool:
        return self._job is not None and job == self._jobID and self._state in (State.RUNNING, State.CANCELLING)

    def _onLogged(self, line: str) -> None:
        self._recentLog.append(line)
        self.log.append(line)
        self.logged.emit(line)

    # --- the job --------------------------------------------------------------------------------------------------

    def _sendJob(self) -> None:
        job = self._job
        if job is None or self._connection is None:
            return
        self._numSilentTicks = 0
        self._connection.send(
            {"type": "submit", "job": self._jobID, "kind": job.kind, "parameters": dict(job.parameters)}
        )
        self._setState(State.RUNNING)

    def _import(self, result: Any) -> None:
        """Hand the result over; whatever the slots do or raise, the job is over afterwards."""
        self._setState(State.IMPORTING)
        try:
            self.finished.emit(self._jobID, result)
        finally:
            if self._state is State.IMPORTING:  # a slot may have shut everything down
                self._forgetJob()
                self._setState(State.IDLE)

    def _onCancelTimeout(self) -> None:
        """The job did not stop by itself: kill the worker, and soon say so even if the system takes its time."""
        if self._state is not State.CANCELLING:
            return
        if self._connection is not None and self._connection not in self._dying:
            self._dying.add(self._connection)
            self._connection.kill()
            self._restartCancelTimer(KILL_PATIENCE_MS)
        else:
            self._letGo()
            self._onCancelled()

    def _onCancelled(self) -> None:
        self._cancelTimer.stop()
        jobID, wasJob = self._jobID, self._job is not None
        self._forgetJob()
        self._setState(State.IDLE)
        if wasJob:
            self.cancelled.emit(jobID)

    def _fail(self, failure: Failure) -> None:
        """The worker is at fault, or in no condition to go on: let go of it and end the job."""
        self._letGo()
        if self._state is State.CANCELLING:
            self._onCancelled()
        else:
            self._endJob(replace(failure, jobID=self._jobID if self.isBusy else None))

    def _endJob(self, failure: Failure) -> None:
        self._forgetJob()
        self._setState(State.FAILED)
        self.failed.emit(failure)

    def _forgetJob(self) -> None:
        job, self._job = self._job, None
        if job is not None and job.folder is not None:
            self._doomedFolders.add(job.folder)
        self._removeDoomed()

    def _removeDoomed(self) -> None:
        """Remove the folders of ended jobs; a worker that is just being killed may still hold a file in one."""
        for folder in tuple(self._doomedFolders):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                self._doomedFolders.discard(folder)

    def _ownSession(self) -> SessionFolder:
        if self._session is None:
            remove_abandoned(self._temporaryParent)
            self._session = SessionFolder(self._temporaryParent)
        return self._session

    def _setState(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self.stateChanged.emit(state)

    def _restartCancelTimer(self, milliseconds: int) -> None:
        self._cancelTimer.setInterval(milliseconds)
        self._cancelTimer.start()


def _timer(milliseconds: int, slot: Callable[[], None], *, singleShot: bool) -> qt.QTimer:
    timer = qt.QTimer()
    timer.setInterval(milliseconds)
    timer.setSingleShot(singleShot)
    timer.connect("timeout()", slot)
    return timer
