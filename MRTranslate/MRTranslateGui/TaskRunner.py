"""One task at a time: write its files, let the worker work, take in what comes back.

Each step is short and gives the event loop its turn, so that the panel stays alive while volumes are written and read.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _

from .Signal import Signal
from .WorkerFailure import Failure
from .WorkerProcess import Job, JobProgress, State

Step = Callable[[], None]


class Worker(Protocol):
    """Who computes: WorkerProcess, or InProcessWorker; tests fake it. Signals as there."""

    stateChanged: Signal
    progressed: Signal
    finished: Signal
    cancelled: Signal
    failed: Signal
    logged: Signal

    def newFolder(self) -> Path: ...
    def submit(self, job: Job) -> int: ...
    def cancel(self) -> None: ...
    def shutdown(self) -> None: ...


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Attributes:
        kind: As the worker knows it: ``translate``, ``evaluate``, ``models``, ``describe``.
        parameters: Given the task's folder, what the worker takes.
        prepare: Given the task's folder, the steps that write its files.
        receive: Given result and folder, the steps that take it into the scene.
        value: Once they are done, what the caller gets.
        keepFiles: Whether the task's folder is kept, and named in the log.
        cancelMilliseconds: As :class:`~WorkerProcess.Job` has it.
    """

    kind: str
    parameters: Callable[[Path], Mapping[str, Any]]
    prepare: Callable[[Path], Iterable[Step]] = field(default=lambda _folder: ())
    receive: Callable[[Any, Path], Iterable[Step]] = field(default=lambda _result, _folder: ())
    value: Callable[[], Any] = field(default=lambda: None)
    keepFiles: bool = False
    cancelMilliseconds: int | None = None


def questionTask(kind: str, parameters: Mapping[str, Any]) -> Task:
    """A task without files whose value is the worker's answer as it is."""
    answers: list[Any] = []

    def receive(answer: Any, _folder: Path) -> Iterable[Step]:
        return (lambda: answers.append(answer),)

    return Task(kind, lambda _folder: parameters, receive=receive, value=lambda: answers[0])


class TaskRunner:
    """Runs tasks on a worker.

    Attributes:
        state: What the panel shows.
        task: The task under way, None without.

    Signals:
        stateChanged(State)
        progressed(JobProgress)
        logged(line)
        succeeded(Task, value)
        failed(Task, sentence)
        cancelled(Task)
    """

    def __init__(self, worker: Worker, later: Callable[[Step], None]) -> None:
        """Use this worker; ``later`` runs a step when the event loop comes round."""
        self.state = State.IDLE
        self.task: Task | None = None
        self.stateChanged, self.progressed, self.logged = Signal(), Signal(), Signal()
        self.succeeded, self.failed, self.cancelled = Signal(), Signal(), Signal()
        self._worker, self._later = worker, later
        self._isSubmitted = False
        self._job: int | None = None  # its number; None as long as the worker has not told it
        self._folder: Path | None = None
        self._turn = 0
        worker.stateChanged.connect(self._onWorkerState)
        worker.progressed.connect(self._onProgress)
        worker.finished.connect(self._onFinished)
        worker.cancelled.connect(self._onCancelled)
        worker.failed.connect(self._onFailed)
        worker.logged.connect(self.logged.emit)

    @property
    def isBusy(self) -> bool:
        """Whether a task is under way."""
        return self.task is not None

    def run(self, task: Task) -> None:
        """Begin; what comes of it is told by the signals.

        Raises:
            RuntimeError: If a task is under way.
        """
        if self.task is not None:
            raise RuntimeError(_("MRTranslate is busy: wait for the running task or cancel it."))
        self.task = task
        self._setState(State.STARTING)
        try:
            self._folder = self._worker.newFolder()
            steps = [*task.prepare(self._folder), self._submit]
        except (OSError, ValueError) as error:
            self._fail(str(error))
            return
        self._runSteps(steps)

    def cancel(self) -> None:
        """Stop the task and take nothing in; harmless without one."""
        if self.task is None or self.state is State.CANCELLING:
            return
        if self._isSubmitted:
            self._setState(State.CANCELLING)
            self._worker.cancel()
        else:
            self._end(State.IDLE, self.cancelled)

    def close(self) -> None:
        """The end: stop the task and kill the worker; no process and no file is left."""
        self._worker.shutdown()
        if self.task is not None:
            self._end(State.IDLE, self.cancelled)

    def _submit(self) -> None:
        if self.task is None or self._folder is None:
            return
        task, self._isSubmitted, self._job = self.task, True, None
        order = Job(task.kind, task.parameters(self._folder), cancelMilliseconds=task.cancelMilliseconds)
        job = self._worker.submit(order)
        if self.task is task:  # InProcessWorker has told the end by now
            self._job = job

    def _isOurs(self, job: int | None) -> bool:
        """Whether a report is about the present task; one of a former task may come late."""
        return self._isSubmitted and (self._job is None or job is None or job == self._job)

    def _runSteps(self, steps: Iterable[Step]) -> None:
        """Run the steps one by one, each in a turn of the event loop; a step of a task that is gone is not run."""
        self._turn += 1
        turn, remaining = self._turn, iter(tuple(steps))

        def runNext() -> None:
            if turn != self._turn or self.task is None:
                return
            step = next(remaining, None)
            if step is None:
                return
            try:
                step()
            except (OSError, ValueError, RuntimeError) as error:
                if self.task is None:  # it was the last step, and whoever was told of the end failed
                    raise
                logging.getLogger(__name__).debug("a step of a task failed", exc_info=True)
                self._fail(str(error))
                return
            self._later(runNext)

        self._later(runNext)

    def _onWorkerState(self, state: State) -> None:
        if state is State.RUNNING and self._isSubmitted and self.state is State.STARTING:
            self._setState(State.RUNNING)

    def _onProgress(self, job: int, progress: JobProgress) -> None:
        if self._isOurs(job) and self.state is State.RUNNING:
            self.progressed.emit(progress)

    def _onFinished(self, job: int, result: Any) -> None:
        if not self._isOurs(job) or self.task is None or self._folder is None:
            return
        self._isSubmitted = False
        if self.state is State.CANCELLING:  # it was faster than the cancel, and the user wants nothing of it
            self._end(State.IDLE, self.cancelled)
            return
        self._setState(State.IMPORTING)
        try:
            steps = [*self.task.receive(result, self._folder), self._succeed]
        except (OSError, ValueError, RuntimeError) as error:
            self._fail(str(error))
            return
        self._runSteps(steps)

    def _onCancelled(self, job: int) -> None:
        if self._isOurs(job):
            self._end(State.IDLE, self.cancelled)

    def _onFailed(self, failure: Failure) -> None:
        if not self._isOurs(failure.jobID):
            self.logged.emit(failure.message)
        elif self.state is State.CANCELLING:
            self._end(State.IDLE, self.cancelled)
        else:
            self._fail(failure.message)

    def _succeed(self) -> None:
        if self.task is not None:
            self._end(State.IDLE, self.succeeded, self.task.value())

    def _fail(self, message: str) -> None:
        self._end(State.FAILED, self.failed, message)

    def _end(self, state: State, signal: Signal, *values: Any) -> None:
        task, folder = self.task, self._folder
        self.task = self._folder = None
        self._isSubmitted = False
        self._turn += 1
        if folder is not None and task is not None:
            self._removeFolder(folder, task)
        self._setState(state)
        signal.emit(task, *values)

    def _removeFolder(self, folder: Path, task: Task) -> None:
        if task.keepFiles and folder.is_dir():
            kept = Path(tempfile.mkdtemp(prefix="mrtranslate-kept-"))
            shutil.move(str(folder), kept / folder.name)
            self.logged.emit(_("The temporary files were kept in {folder}").format(folder=kept / folder.name))
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _setState(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.stateChanged.emit(state)
