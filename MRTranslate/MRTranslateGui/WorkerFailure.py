"""What can befall the worker, each as one plain sentence that says what to do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from slicer.i18n import tr as _

CRASH_SIGNALS = {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"}
MAX_QUOTED = 160
NUM_LAST_LINES = 40
"""How much of the log may speak of how the worker ended."""
_SHELL_OFFSET = 128
_ENDED_ABNORMALLY = "exit abnormally - Report the problem"
_FATAL_ERRORS = {
    "Segmentation fault": signal.SIGSEGV,
    "Aborted": signal.SIGABRT,
    "Illegal instruction": signal.SIGILL,
    "Floating": signal.SIGFPE,
    "Bus error": getattr(signal, "SIGBUS", signal.SIGSEGV),
}
_MISSING_PACKAGE = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


class FailureKind(Enum):
    """Who or what failed."""

    JOB = "job"
    """The worker is well and says why the job cannot be done."""
    NOT_STARTED = "not started"
    MISSING_PACKAGE = "missing package"
    ENDED_AT_START = "ended at start"
    SILENT_AT_START = "silent at start"
    WRONG_VERSION = "wrong version"
    GARBLED = "garbled"
    HUNG = "hung"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out of memory"
    KILLED = "killed"
    ENDED = "ended"


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    Attributes:
        kind: What happened.
        message: One sentence for the user.
        jobID: The job that it ended; None when only the worker's start was asked for.
        exitCode: Class of the failure as the command line's exit codes, for ``FailureKind.JOB``; else None.
    """

    kind: FailureKind
    message: str
    jobID: int | None = None
    exitCode: int | None = None


@dataclass(frozen=True)
class Ending:
    """How a process ended by itself.

    Attributes:
        code: Exit code, or the signal's number if it crashed.
        crashed: Whether a signal (on Windows: an exception) ended it.
    """

    code: int
    crashed: bool


def notStarted(interpreter: str, reason: str) -> Failure:
    """The program could not be run at all."""
    text = _("The Python interpreter {interpreter} cannot be started ({reason}): install Slicer again.")
    return Failure(FailureKind.NOT_STARTED, text.format(interpreter=interpreter, reason=reason))


def endedAtStart(ending: Ending, log: Sequence[str]) -> Failure:
    """The process was gone before it answered."""
    for line in reversed(log):
        if found := _MISSING_PACKAGE.search(line):
            text = _("The Python package {package} is missing: install the packages under Advanced.")
            return Failure(FailureKind.MISSING_PACKAGE, text.format(package=found[1]))
    text = _("The worker ended before it was ready (code {code}): {last}")
    last = log[-1][:MAX_QUOTED] if log else _("it said nothing; restart Slicer.")
    return Failure(FailureKind.ENDED_AT_START, text.format(code=ending.code, last=last))


def silentAtStart(seconds: int) -> Failure:
    """The process lives and does not answer."""
    text = _("The worker did not get ready within {seconds} s: try again, or restart the computer if it is very busy.")
    return Failure(FailureKind.SILENT_AT_START, text.format(seconds=seconds))


def wrongVersion(found: str, expected: str) -> Failure:
    """The files on disk are not those that Slicer loaded."""
    text = _("The worker is of version {found} and the panel of {expected}: restart Slicer after the update.")
    return Failure(FailureKind.WRONG_VERSION, text.format(found=found, expected=expected))


def garbled(line: str) -> Failure:
    """What came is no message of the protocol."""
    text = _("The worker sent something that is no message ({line}): try again, and report it if it happens twice.")
    return Failure(FailureKind.GARBLED, text.format(line=line[:MAX_QUOTED]))


def hung(seconds: int) -> Failure:
    """No heartbeat for too long."""
    text = _("The worker has shown no sign of life for {seconds} s and was stopped: try again.")
    return Failure(FailureKind.HUNG, text.format(seconds=seconds))


def ended(ending: Ending, memoryMB: float, log: Sequence[str]) -> Failure:
    """The process went away during a job, and not because we killed it.

    Args:
        ending: How.
        memoryMB: What it held when it last said so.
        log: Its last lines.
    """
    ending = _behindLauncher(ending, log)
    if not ending.crashed:
        text = _("The worker ended unexpectedly (code {code}): see the log, and try again.")
        return Failure(FailureKind.ENDED, text.format(code=ending.code))
    name = _signalName(ending.code)
    if name == "SIGKILL":
        text = _(
            "The system stopped the worker, most likely because memory ran out (it held {memory:.1f} GB): "
            "close other programs or give smaller volumes."
        )
        return Failure(FailureKind.OUT_OF_MEMORY, text.format(memory=memoryMB / 1000))
    if os.name == "posix" and name not in CRASH_SIGNALS:
        text = _("Another program stopped the worker ({signal}): try again.")
        return Failure(FailureKind.KILLED, text.format(signal=name))
    text = _("The worker crashed ({signal}): try again, and report it with the log if it happens twice.")
    return Failure(FailureKind.CRASHED, text.format(signal=name))


def _behindLauncher(ending: Ending, log: Sequence[str]) -> Ending:
    """What ended the worker itself, where PythonSlicer, a launcher, lies between and ends with a plain exit code.

    Slicer's launcher says that its child ended abnormally and not why; the child's faulthandler has named the signal
    unless it was SIGKILL, which leaves no time to. A shell as launcher adds the signal's number to 128.
    """
    if ending.crashed or os.name != "posix":
        return ending
    if ending.code > _SHELL_OFFSET:
        return Ending(ending.code - _SHELL_OFFSET, crashed=True)
    if any(_ENDED_ABNORMALLY in line for line in log):
        fatal = " ".join(line for line in log if line.startswith("Fatal Python error"))
        named = (number for words, number in _FATAL_ERRORS.items() if words in fatal)
        return Ending(next(named, signal.SIGKILL), crashed=True)
    return ending


def _signalName(number: int) -> str:
    """``SIGSEGV``; on Windows, which has exceptions instead, their hexadecimal number."""
    if os.name != "posix":
        return f"0x{number & 0xFFFFFFFF:X}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
