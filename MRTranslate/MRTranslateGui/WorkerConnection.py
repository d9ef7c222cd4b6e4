"""One worker process: its messages, its log, and killing it with all that it started. Knows nothing of jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import qt

from .Signal import Signal
from .WorkerFailure import Ending

MAX_LINE_BYTES = 1 << 24
LOG_INTERVAL_MS = 50
MAX_LOG_LINES_AT_ONCE = 200
"""The log is told once in an interval, and of more lines than this the last: reads are small on a slow machine, so a
bound on each of them would not keep the panel quick when a worker floods it."""


class WorkerConnection:
    """A process from its start to its end; never started twice.

    Signals:
        received(dict): A message.
        garbled(str): A line that is none.
        logged(str): A line of the worker's stderr.
        notStarted(str): The program cannot be run, and why.
        ended(Ending): The process is gone, whoever ended it.

    Attributes:
        processGroup: Group that holds the worker and all that it starts, once the worker has said so; None before, and
            where there is none.
        workerPID: The worker's own number, once it has said so; a launcher may lie between.
    """

    def __init__(self) -> None:
        self.received, self.garbled, self.logged = Signal(), Signal(), Signal()
        self.notStarted, self.ended = Signal(), Signal()
        self.processGroup: int | None = None
        self.workerPID: int | None = None
        self._killed = False
        self._running = False
        self._output = b""
        self._log = b""
        self._logLines: deque[bytes] = deque(maxlen=MAX_LOG_LINES_AT_ONCE)
        self._numLogLines = 0  # since the log was last told
        self._logTimer = qt.QTimer()
        self._logTimer.setInterval(LOG_INTERVAL_MS)
        self._logTimer.setSingleShot(True)
        self._logTimer.connect("timeout()", self._tellLog)
        self._process = qt.QProcess()
        self._process.connect("readyReadStandardOutput()", self._onOutput)
        self._process.connect("readyReadStandardError()", self._onLog)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)

    def start(self, interpreter: str, arguments: Sequence[str], environment: qt.QProcessEnvironment) -> None:
        """Start the process; returns at once."""
        self._process.setProcessEnvironment(environment)
        self._running = True
        self._process.start(interpreter, list(arguments))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message as soon as the event loop runs; a dead worker shows by ``ended``."""
        self._process.write(json.dumps(message).encode("utf-8") + b"\n")

    def kill(self) -> None:
        """End the whole process tree now; ``ended`` follows, no message does."""
        self._killed = True
        self._tellLog()
        if not self._running:
            return
        if os.name == "posix":
            self._killGroup()
            self._process.closeWriteChannel()  # ends a worker behind a launcher that has not yet named its group
            self._process.kill()
        else:
            numbers = {int(self._process.processId()), self.workerPID}
            pids = [word for number in numbers if number for word in ("/PID", str(number))]
            qt.QProcess.startDetached("taskkill", ["/T", "/F", *pids])

    def waitUntilEnded(self, milliseconds: int) -> None:
        """Block, after :meth:`kill`, until the process is gone or the time is over."""
        if self._running:
            self._process.waitForFinished(milliseconds)

    def _killGroup(self) -> None:
        if self.processGroup is not None and self.processGroup != os.getpgrp():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.processGroup, signal.SIGKILL)

    def _onOutput(self) -> None:
        self._output += bytes(self._process.readAllStandardOutput().data())
        *lines, self._output = self._output.split(b"\n")
        if len(self._output) > MAX_LINE_BYTES:
            lines, self._output = [*lines, self._output], b""
        for line in lines:
            if self._killed:  # a slot may have killed it meanwhile; what a dead worker said no longer counts
                return
            message = _message(line)
            if message is None:
                self.garbled.emit(line.decode("utf-8", "replace"))
            else:
                self.received.emit(message)

    def _onLog(self) -> None:
        self._log += bytes(self._process.readAllStandardError().data())
        *lines, self._log = self._log.split(b"\n")
        if len(self._log) > MAX_LINE_BYTES:
            self._log = b""
        self._logLines.extend(lines)
        self._numLogLines += len(lines)
        if self._numLogLines and not self._logTimer.isActive():
            self._logTimer.start()

    def _tellLog(self) -> None:
        lines, numLost = list(self._logLines), self._numLogLines - len(self._logLines)
        self._logLines.clear()
        self._numLogLines = 0
        if numLost:
            lines.insert(0, f"[{numLost} lines left out]".encode())
        for line in lines:
            self.logged.emit(line.decode("utf-8", "replace").rstrip("\r"))

    def _onError(self, error: Any) -> None:
        if error == qt.QProcess.FailedToStart:  # the only error without a "finished" to follow
            self._running = False
            reason = str(self._process.errorString())
            # Windows says so from inside start(); whoever called that is not ready to hear it yet.
            qt.QTimer.singleShot(0, lambda: self.notStarted.emit(reason))
            self._process.deleteLater()

    def _onFinished(self, exitCode: int, exitStatus: Any) -> None:
        self._running = False
        self._logTimer.stop()
        if self._log:  # a last line without its end
            self._logLines.append(self._log)
            self._numLogLines += 1
        self._tellLog()  # before the end: its message quotes the last lines
        self._killGroup()  # what a crashed worker left behind
        self.ended.emit(Ending(int(exitCode), exitStatus == qt.QProcess.CrashExit))
        self._process.deleteLater()


def _message(line: bytes) -> dict[str, Any] | None:
    """A line as a message; None if it is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
