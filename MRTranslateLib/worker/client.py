"""The other end of a worker, for programs without Qt: one job at a time, a dead worker replaced by the next job's."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import psutil

import MRTranslateLib
from MRTranslateLib.errors import CancelledError, MRTranslateError
from MRTranslateLib.progress import Progress
from MRTranslateLib.worker import PROTOCOL_VERSION
from MRTranslateLib.worker.protocol import Answer, Failed, Finished, Hello, ProgressReport, Submit

COMMAND = (sys.executable, "-m", "MRTranslateLib", "worker")
PATIENCE_SECONDS = 2.0
"""A worker whose pipe is closed ends within a second; then it is killed."""
NUM_LAST_LINES = 5

_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class JobFailedError(MRTranslateError):
    """The worker says why a job came to nothing; ``exit_code`` is the class of the failure."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.exit_code = failed.exit_code  # type: ignore[misc]  # that of the class it stands for


class WorkerDiedError(MRTranslateError):
    """The worker's process ended in the middle of a job; the text says how."""


class WorkerMissingError(MRTranslateError):
    """No worker can be started, now or later."""


class WorkerClient:
    """One worker: started with the first job, kept warm, replaced when it has died."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Nothing is started; ``command`` is program and arguments."""
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._log: deque[str] = deque(maxlen=NUM_LAST_LINES)
        self._closed = False

    def run(self, kind: str, parameters: Mapping[str, Any], progress: Progress) -> msgspec.Raw:
        """Have a job done; blocks until its end.

        Returns:
            The result, as JSON.

        Raises:
            JobFailedError: If the worker says that it came to nothing.
            WorkerDiedError: If the worker did not live to say anything.
            CancelledError: If ``progress`` was cancelled, or this client closed from another thread; within a second.
            WorkerMissingError: If no worker can be started.
        """
        process = self._process or self._start()
        job = next(self._numbers)
        request = Submit(job=job, kind=kind, parameters=msgspec.Raw(msgspec.json.encode(parameters)))
        with contextlib.suppress(OSError, ValueError):  # a broken pipe shows below by the end of the answers
            _stdin(process).write(msgspec.json.encode(request) + b"\n")
            _stdin(process).flush()
        while (answer := self._next(process)) is not None:
            if progress.cancelled.is_set():
                break
            if isinstance(answer, ProgressReport) and answer.job == job and progress.callback is not None:
                progress.callback(answer.stage, answer.fraction)
            elif isinstance(answer, Finished) and answer.job == job:
                return answer.result
            elif isinstance(answer, Failed):
                if answer.exit_code == CancelledError.exit_code:
                    raise CancelledError(answer.message)
                raise JobFailedError(answer)
        how = self._end()
        if self._closed or progress.cancelled.is_set():
            raise CancelledError("the job was cancelled")
        raise WorkerDiedError(how)

    def close(self) -> None:
        """End the worker, in the middle of a job too; any thread may call it. The client takes no further job."""
        self._closed = True
        self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise CancelledError("the worker was closed")
        self._log.clear()
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise WorkerMissingError(f"cannot start {self._command[0]}: {error}") from error
        threading.Thread(target=self._read_log, args=(process,), daemon=True).start()
        self._process = process
        hello = self._next(process)
        if self._closed:
            self._end()
            raise CancelledError("the worker was closed")
        if not isinstance(hello, Hello):
            raise WorkerMissingError(f"a worker did not start ({self._end()}): install MRTranslate's packages again")
        found = hello.library_version, hello.protocol_version
        if found != (MRTranslateLib.__version__, PROTOCOL_VERSION):
            self._end()
            raise WorkerMissingError(
                f"{self._command[0]} runs another MRTranslate ({found[0]}): install one version only"
            )
        return process

    def _next(self, process: subprocess.Popen[bytes]) -> Answer | None:
        """The next message; None when the worker has ended or says what is none."""
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            if line := process.stdout.readline():
                return _answers.decode(line)
        return None

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: keep the last lines of what it writes for people."""
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self._log.append(line.decode("utf-8", "replace").strip())

    def _end(self) -> str:
        """See to it that the process is gone; how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "it was closed"
        with contextlib.suppress(OSError, ValueError):
            _stdin(process).close()
        try:
            code = process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_tree(process.pid)
            code = process.wait()
        with contextlib.suppress(OSError, ValueError):
            assert process.stdout is not None
            process.stdout.close()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}; its last words: {self._log[-1]}" if self._log else how


def _stdin(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdin is not None
    return process.stdin


def _kill_tree(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for each in (*root.children(recursive=True), root):
            with contextlib.suppress(psutil.Error):
                each.kill()
