"""The other end of a worker, for programs without Qt: one job at a time, a dead worker replaced by the next job's."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
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
START_SECONDS, SILENCE_SECONDS = 60.0, 30.0
"""For its first word, and for any word of a busy worker, which gives one every second; as the panel's patience."""
POLL_SECONDS = 0.2
LAST_WORDS_SECONDS = 1.0
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
        self._process: _Process | None = None
        self._numbers = count(1)
        self._has_worked = False
        self._closed = False

    def run(self, kind: str, parameters: Mapping[str, Any], progress: Progress) -> msgspec.Raw:
        """Have a job done; blocks until its end.

        Returns:
            The result, as JSON.

        Raises:
            JobFailedError: If the worker says that it came to nothing.
            WorkerDiedError: If the worker did not live to say anything, or says nothing for long.
            CancelledError: If ``progress`` was cancelled, or this client closed from another thread; within a second.
            WorkerMissingError: If no worker can be started.
        """
        process = self._process or self._start(progress)
        job = next(self._numbers)
        process.send(Submit(job=job, kind=kind, parameters=msgspec.Raw(msgspec.json.encode(parameters))))
        while (answer := self._next(process, progress, SILENCE_SECONDS)) is not None:
            if isinstance(answer, ProgressReport) and answer.job == job and progress.callback is not None:
                progress.callback(answer.stage, answer.fraction)
            elif isinstance(answer, Finished) and answer.job == job:
                return answer.result
            elif isinstance(answer, Failed):
                if answer.exit_code == CancelledError.exit_code:
                    raise CancelledError(answer.message)
                raise JobFailedError(answer)
        raise WorkerDiedError(self._end())

    def hang_up(self) -> None:
        """Let the worker end by itself, in the middle of a job too, without waiting for that; :meth:`close` follows."""
        self._closed = True
        if (process := self._process) is not None:
            process.hang_up()

    def close(self) -> None:
        """End the worker, in the middle of a job too; any thread may call it. The client takes no further job."""
        self.hang_up()
        self._end()

    def _start(self, progress: Progress) -> _Process:
        try:
            process = self._process = _Process(self._command)
        except OSError as error:
            raise WorkerMissingError(f"cannot start {self._command[0]}: {error}") from error
        hello = self._next(process, progress, START_SECONDS)
        if not isinstance(hello, Hello):
            how = self._end()
            if self._has_worked:  # so it can be started, but not now: memory may be short
                raise WorkerDiedError(how)
            raise WorkerMissingError(f"a worker did not start ({how}): install MRTranslate's packages again")
        found = hello.library_version, hello.protocol_version
        if found != (MRTranslateLib.__version__, PROTOCOL_VERSION):
            self._end()
            raise WorkerMissingError(
                f"{self._command[0]} runs another MRTranslate ({found[0]}): install one version only"
            )
        self._has_worked = True
        return process

    def _next(self, process: _Process, progress: Progress, patience_seconds: float) -> Answer | None:
        """The next message; None when the worker has ended, says what is none, or nothing for so long.

        Raises:
            CancelledError: If the job is to stop.
        """
        give_up = time.monotonic() + patience_seconds
        while time.monotonic() < give_up:
            if self._closed or progress.cancelled.is_set():
                self._end()
                raise CancelledError("the job was cancelled")
            with contextlib.suppress(queue.Empty):
                return process.answers.get(timeout=POLL_SECONDS)
        return None

    def _end(self) -> str:
        process, self._process = self._process, None
        return "it was closed" if process is None else process.end()


class _Process:
    """A worker's process; its two outputs are read by threads, so that nobody ever waits for a pipe that stays open."""

    def __init__(self, command: list[str]) -> None:
        self.answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=NUM_LAST_LINES)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_answers, daemon=True).start()

    def send(self, request: Submit) -> None:
        """Send a request; a dead worker shows by the end of its answers."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()

    def hang_up(self) -> None:
        """Close the worker's input, upon which it ends by itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()

    def end(self) -> str:
        """See to it that the process is gone; how it ended."""
        self.hang_up()
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_tree(self._process.pid)
            code = self._process.wait()
        self._log_reader.join(LAST_WORDS_SECONDS)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}; its last words: {self._log[-1]}" if self._log else how

    def _read_answers(self) -> None:
        """Thread: None comes last, when the worker has ended or says what is no message."""
        assert self._process.stdout is not None
        with self._process.stdout as lines, contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            for line in lines:
                self.answers.put(_answers.decode(line))
        self.answers.put(None)

    def _read_log(self) -> None:
        """Thread: keep the last lines of what it writes for people."""
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._log.append(line.decode("utf-8", "replace").strip())


def _kill_tree(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for each in (*root.children(recursive=True), root):
            with contextlib.suppress(psutil.Error):
                each.kill()
