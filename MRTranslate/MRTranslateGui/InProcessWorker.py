"""The worker without a process: for Python without Qt's event loop, where no process could be listened to.

Blocks while it computes and imports torch here; Slicer itself always uses WorkerProcess.
"""

from __future__ import annotations

import contextvars
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .Signal import Signal
from .WorkerFailure import Failure, FailureKind
from .WorkerProcess import CANCELLED_EXIT_CODE, Job, JobProgress, State


class InProcessWorker:
    """Runs each job inside :meth:`submit`; the signals, those of WorkerProcess, tell the answer before it returns."""

    def __init__(self) -> None:
        self.stateChanged, self.progressed, self.finished = Signal(), Signal(), Signal()
        self.cancelled, self.failed, self.logged = Signal(), Signal(), Signal()
        self._numJobs = 0
        self._session: Any = None
        self._cancelEvent: Any = None
        self._kept: ExitStack | None = None
        self._context = contextvars.copy_context()  # of its own, so that nobody else's networks are kept

    def newFolder(self) -> Path:
        """An empty private folder for the files of one job."""
        from MRTranslateLib.worker.session import SessionFolder

        if self._session is None:
            self._session = SessionFolder()
        return Path(self._session.new_job_folder())

    def submit(self, job: Job) -> int:
        """Do the job now."""
        import msgspec

        from MRTranslateLib.errors import MRTranslateError
        from MRTranslateLib.inference.kept import networks_kept
        from MRTranslateLib.progress import Progress
        from MRTranslateLib.worker.jobs import KINDS, run_job

        if self._kept is None:
            self._kept = ExitStack()
            self._context.run(self._kept.enter_context, networks_kept())
        self._numJobs += 1
        number = self._numJobs
        progress = Progress(lambda stage, done: self.progressed.emit(number, JobProgress(stage, done, None)))
        self._cancelEvent = progress.cancelled
        self.stateChanged.emit(State.RUNNING)
        try:
            parameters = msgspec.Raw(msgspec.json.encode(dict(job.parameters)))
            raw = self._context.run(run_job, KINDS, job.kind, parameters, progress)
        except MRTranslateError as error:
            if error.exit_code == CANCELLED_EXIT_CODE:
                self.cancelled.emit(number)
            else:
                self.failed.emit(Failure(FailureKind.JOB, str(error), number, error.exit_code))
        else:
            self.finished.emit(number, msgspec.json.decode(raw))
        return number

    def cancel(self) -> None:
        """Stop at the next step; for a progress callback that has seen enough."""
        if self._cancelEvent is not None:
            self._cancelEvent.set()

    def shutdown(self) -> None:
        """Remove the temporary files and forget the loaded networks."""
        if self._kept is not None:
            self._context.run(self._kept.close)
            self._kept = None
        if self._session is not None:
            self._session.remove()
            self._session = None
